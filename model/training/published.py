"""Fine-tunes published families with LoRA: their own wording, places as they write them.

The records are the ones that our own model learns from. Only the language model learns, by low-rank
adapters; what sees the picture stays. The folder that comes out opens like any model:
`--model FOLDER`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from model.backends.generation import GenerativeBackend
from model.backends.loading import quiet_peft
from model.backends.registry import FOUR_BIT
from model.errors import CapabilityError, CheckpointError, ConfigError, RecordError
from model.training.config import FineTuneConfig
from model.training.defaults import in_minutes, in_visits
from model.training.published_lessons import Choose, draw

if TYPE_CHECKING:
    from model.backends.base import Backend

LEARNS = (
    r".*\b(language_model|text_model)\b.*\."
    r"(q_proj|k_proj|v_proj|o_proj|out_proj|gate_proj|up_proj|down_proj|fc1|fc2)"
)
"""The modules of each family that get an adapter: attention and feed-forward of the language."""
VISITS = 3.0
"""Of each new picture, if nobody said how long: a published model has seen the world before."""
RATE, BATCH = 2e-4, 8
_UNTIMED = 1_000_000
"""Steps where only the clock ends a run."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a published checkpoint is fine-tuned.

    Attributes:
        rate: learning rate at the start; it falls to zero in a straight line.
        rank: of the adapters.
        alpha: their weight times the rank.
        lessons: questions in each step.
        clip: largest norm of the gradient.
        seed: of every draw; a step's draws depend on it and the step alone.
    """

    rate: float = 2e-4
    rank: int = 16
    alpha: int = 32
    lessons: int = 8
    clip: float = 1.0
    seed: int = 0


def fill_in(
    config: FineTuneConfig, count: int, *, earlier: bool
) -> tuple[FineTuneConfig, list[str]]:
    """Returns settings without a gap for `count` pictures, and a sentence for every choice.

    Raises:
        ConfigError: a setting is asked for that a published model does not have.
    """
    if config.mode not in ("auto", "lora"):
        raise ConfigError(
            f"mode is {config.mode!r}, but a published model is taught by low-rank changes of its "
            "language alone; choose auto or lora."
        )
    chosen: dict[str, Any] = {"mode": "lora", "learning_rate": config.learning_rate or RATE}
    chosen["batch"] = batch = config.batch or BATCH
    chosen["replay_share"] = share = config.replay_share if earlier else 0.0
    reasons = ["mode lora: a published model's language learns by low-rank changes; its eyes stay."]
    if not earlier:
        reasons.append("Without --replay, what was known before may be forgotten.")
    if not config.steps:
        visits = config.epochs or (math.inf if config.minutes else VISITS)
        whole = visits * count / (batch * (1 - share))
        chosen["steps"] = max(1, math.ceil(min(whole, _UNTIMED)))
        reasons.append(
            f"{in_minutes(config.minutes)}."
            if math.isinf(visits)
            else in_visits(chosen["steps"], count, visits)
        )
    return replace(config, **chosen), reasons


def tuning_of(config: FineTuneConfig) -> Tuning:
    """Returns how a published model learns by settings without a gap."""
    return Tuning(
        rate=config.learning_rate,
        rank=config.lora_rank,
        alpha=config.lora_alpha,
        lessons=config.batch,
        clip=config.clip,
        seed=config.seed,
    )


def teachable(backend: Backend) -> GenerativeBackend:
    """Returns a backend whose family can be taught here.

    Raises:
        CapabilityError: it cannot.
    """
    taught = isinstance(backend, GenerativeBackend)
    if not taught or type(backend).lesson is GenerativeBackend.lesson:
        raise CapabilityError(
            f"{backend.card.name} cannot be fine-tuned here; Florence-2, Qwen-VL and PaliGemma can."
        )
    return backend


class Tuner:
    """A loaded model with adapters that learn; the backend answers as they have learned so far.

    Attributes:
        backend: asked and taught.
        step: steps that are done.
    """

    def __init__(self, backend: GenerativeBackend, name: str, tuning: Tuning) -> None:
        """Puts adapters, at first without effect, into the model.

        Args:
            backend: a loaded model; `:4bit` at the end of its name makes this QLoRA.
            name: by which the adapter will find the checkpoint again.
            tuning: how it learns.
        """
        self.backend, self.tuning, self.step = backend, tuning, 0
        self._adapted = _with_adapters(backend.model, name, tuning)
        self._learned: dict[str, Tensor] = {
            name: value for name, value in self._adapted.named_parameters() if value.requires_grad
        }
        self._optimizer = torch.optim.AdamW(
            list(self._learned.values()), lr=tuning.rate, weight_decay=0.0
        )

    @property
    def trained(self) -> int:
        """How many numbers learn."""
        return sum(value.numel() for value in self._learned.values())

    def learn(self, choose: Choose, progress: float) -> float:
        """Takes one step and returns its mean loss.

        Args:
            choose: a record to learn from.
            progress: share of the run that is done, which the learning rate falls with.

        Raises:
            RecordError: the records teach nothing that the family could say, or the loss is no
                number; then nothing has changed.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self.tuning.rate * (1 - progress)
        seed = self.tuning.seed * 1_000_003 + self.step
        torch.manual_seed(seed)
        self._adapted.train()
        loss = self._add_gradients(choose, Random(seed))
        torch.nn.utils.clip_grad_norm_(list(self._learned.values()), self.tuning.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._adapted.eval()
        self.step += 1
        return loss

    def _add_gradients(self, choose: Choose, random: Random) -> float:
        whole, count = 0.0, self.tuning.lessons
        for picture, lesson in draw(self.backend, choose, count, random):
            row = self.backend.lesson(picture, lesson.prompt, lesson.answer)
            loss = self._adapted(**row).loss / count
            loss.backward()
            whole += float(loss.detach())
        if not math.isfinite(whole):
            raise RecordError(
                f"At step {self.step} the loss is {whole}; take a lower learning rate than "
                f"{self.tuning.rate}. What was saved before is untouched."
            )
        return whole

    def save_adapter(self, folder: Path) -> None:
        """Writes the adapter into a folder that is there."""
        self._adapted.save_pretrained(folder)
        # A card that PEFT writes says nothing of where the adapter comes from.
        (folder / "README.md").unlink(missing_ok=True)

    def tensors(self) -> dict[str, Tensor]:
        """Returns what `restore` needs: what has learned, and the optimizer's moments of it."""
        found = {f"adapter.{name}": value.data for name, value in self._learned.items()}
        for name, value in self._learned.items():
            kept = self._optimizer.state.get(value, {})
            found |= {f"{moment}.{name}": kept[moment] for moment in _MOMENTS if moment in kept}
        return found

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Takes up a run after `step` steps.

        Raises:
            CheckpointError: the tensors are of another model or another rank.
        """
        for name, value in self._learned.items():
            saved = tensors.get(f"adapter.{name}")
            if saved is None or saved.shape != value.shape:
                raise CheckpointError(
                    f"The saved run has no {name} of {tuple(value.shape)}; use a new run folder."
                )
            value.copy_(saved)
            moments = {key: tensors.get(f"{key}.{name}") for key in _MOMENTS}
            if all(moment is not None for moment in moments.values()):
                state: dict[str, Any] = {
                    key: torch.empty_like(value).copy_(moment)  # type: ignore[arg-type]
                    for key, moment in moments.items()
                }
                self._optimizer.state[value] = {**state, "step": torch.tensor(float(step))}
        self.step = step


def _with_adapters(model: Any, name: str, tuning: Tuning) -> Any:  # noqa: ANN401
    """Returns the model wrapped by peft; it is the same modules, so the model learns along."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    torch.manual_seed(tuning.seed)
    settings = LoraConfig(r=tuning.rank, lora_alpha=tuning.alpha, target_modules=LEARNS)
    with quiet_peft():
        if getattr(model, "is_loaded_in_4bit", False):
            model = prepare_model_for_kbit_training(
                model, gradient_checkpointing_kwargs={"use_reentrant": False}
            )
        adapted: Any = get_peft_model(model, settings)
    adapted.peft_config["default"].base_model_name_or_path = name.removesuffix(FOUR_BIT)
    return adapted.eval()
