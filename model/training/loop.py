"""The training loop: stages, averaged weights, and checkpoints that resume exactly.

Every draw comes from a generator seeded by (seed, step), so a resumed run sees the same lessons as
one that was never stopped.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from model import checkpoint
from model.errors import CheckpointError
from model.records import Record
from model.tokens import Vocabulary
from model.training.collate import Collator, Lesson
from model.training.config import Recipe, Stage
from model.training.features import FeatureStore
from model.training.lessons import lessons
from model.training.losses import total
from model.training.material import names_to_detect
from model.training.mirror import mirrored
from model.vision import Sight
from model.vlm import DeixisModel


@dataclass(frozen=True, slots=True)
class School:
    """A record file with the cached sights of its pictures, and its share of the visits."""

    records: Sequence[Record]
    store: FeatureStore
    share: float


class Trainer:
    """Runs a recipe over schools; `run` may be called again after a stop."""

    def __init__(
        self,
        recipe: Recipe,
        model: DeixisModel,
        vocabulary: Vocabulary,
        schools: Sequence[School],
        folder: Path,
    ) -> None:
        self.recipe, self.model, self.vocabulary = recipe, model, vocabulary
        self.schools, self.folder = schools, folder
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self.collate = Collator(vocabulary, model.tree)
        self.average = {name: value.clone() for name, value in _learned(model)}
        self.step = 0
        self.optimizer: torch.optim.Optimizer | None = None
        self._stage = -1
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def num_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.recipe.stages)

    def run(self, *, seconds: float = math.inf, stop: Callable[[], bool] = lambda: False) -> bool:
        """Trains until the end, the time budget or `stop`; returns whether it came to the end."""
        started, last = time.monotonic(), {}
        self.model.to(self.accelerator.device)
        bar = tqdm(total=self.num_steps, initial=self.step, unit="step", desc="train")
        while self.step < self.num_steps:
            if stop() or time.monotonic() - started > seconds:
                break
            stage, within = self._enter_stage()
            last = self._one_step(stage, within)
            self.step += 1
            bar.update()
            bar.set_postfix(loss=f"{last['loss']:.2f}")
            if self.step % 10 == 0:
                self._log({"step": self.step, "stage": stage.name, **last})
            if self.step % self.recipe.save_every == 0:
                self.save()
        bar.close()
        if self.optimizer is not None:
            self.save()
        return self.step >= self.num_steps

    def _enter_stage(self) -> tuple[Stage, int]:
        """Returns the stage of the current step and the step within it; sets up what learns."""
        within, number = self.step, 0
        while within >= self.recipe.stages[number].steps:
            within -= self.recipe.stages[number].steps
            number += 1
        stage = self.recipe.stages[number]
        if number != self._stage:
            if self._stage >= 0:
                _assign(self.model, self.average.items())
            self._begin(number)
        return stage, within

    def _begin(self, number: int) -> None:
        """Sets up what learns in a stage, with a new optimizer."""
        for name, value in self.model.named_parameters():
            value.requires_grad_(name.startswith(self.recipe.stages[number].trains))
        self.optimizer = _optimizer(self.model, self.recipe.weight_decay)
        self._stage = number

    def _one_step(self, stage: Stage, within: int) -> dict[str, float]:
        assert self.optimizer is not None
        rate = stage.learning_rate * schedule(within / stage.steps, stage.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        seed = self.recipe.seed * 1_000_003 + self.step
        torch.manual_seed(seed)
        batch, targets = self.collate(*self._draw(stage, random.Random(seed)))
        device = self.accelerator.device
        batch, targets = batch.to(device), targets.to(device)
        self.model.train()
        self.model.vision.eval()
        with self.accelerator.autocast():
            outputs = self.model(batch)
        loss, parts = total(self.model, batch, outputs, targets, self.recipe.losses)
        self.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(_trained(self.model), self.recipe.clip)
        if not (loss.isfinite() and norm.isfinite()):
            raise CheckpointError(
                f"At step {self.step} the loss is {loss.item()} and its gradient's norm "
                f"{norm.item()}: {parts}. The last checkpoint is untouched; lower the learning "
                "rate and resume."
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, value in _learned(self.model):
            self.average[name].lerp_(value, 1 - decay)
        return {"loss": loss.item(), **parts, "norm": float(norm), "rate": rate}

    def _draw(self, stage: Stage, generator: random.Random) -> tuple[list[Lesson], Sight]:
        """Returns lessons about a step's pictures and their sight, half of them mirrored."""
        shares = [school.share for school in self.schools]
        chosen = generator.choices(self.schools, shares, k=stage.batch)
        drawn, sights, flips = [], [], []
        for school in sorted(chosen, key=self.schools.index):
            number = generator.randrange(len(school.records))
            record, flip = school.records[number], generator.random() < 0.5
            record = mirrored(record) if flip else record
            config = stage.lessons
            drawn.append(
                Lesson(
                    record.size,
                    lessons(record, config, generator),
                    names_to_detect(record, config.names, generator),
                )
            )
            sights.append(school.store.read([number]))
            flips.append(flip)
        return drawn, join(sights).mirrored(torch.tensor(flips))

    def _log(self, row: dict[str, object]) -> None:
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({**row, "time": round(time.time(), 1)}) + "\n")

    def save(self) -> None:
        """Writes what `resume` needs: weights, averages, optimizer, step."""
        assert self.optimizer is not None

        def write(staging: Path) -> None:
            tensors = {f"model.{name}": value for name, value in _learned(self.model)}
            tensors |= {f"average.{name}": value for name, value in self.average.items()}
            assert self.optimizer is not None
            tensors |= _optimizer_tensors(self.model, self.optimizer)
            save_file({name: t.detach().contiguous().cpu() for name, t in tensors.items()},
                      staging / "state.safetensors")  # fmt: skip
            state = {"step": self.step, "stage": self._stage, "recipe": self.recipe.to_json()}
            (staging / "state.json").write_text(json.dumps(state))
            self.vocabulary.save(staging / "tokenizer.json")
            checkpoint.sign(staging)

        checkpoint.replace_folder(self.folder / "state", write)

    def resume(self) -> bool:
        """Takes up a stopped run; returns False if there is none.

        Raises:
            CheckpointError: the saved run is of another recipe, or a piece of it is missing.
        """
        folder = self.folder / "state"
        checkpoint.recover(folder)
        if not folder.exists():
            return False
        checkpoint.verify(folder)
        state = json.loads((folder / "state.json").read_text())
        if state["recipe"] != json.loads(json.dumps(self.recipe.to_json())):
            raise CheckpointError(f"{folder} was trained with another recipe; use a new folder.")
        tensors = load_file(folder / "state.safetensors")
        self.step = state["step"]
        # The stage that was saved, even if its last step is done: what follows begins as ever.
        self._begin(state["stage"])
        with torch.no_grad():
            for name, value in _learned(self.model):
                value.copy_(tensors[f"model.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
        _restore_optimizer(self.model, self.optimizer, tensors)
        return True

    def export(self, folder: Path) -> None:
        """Writes the averaged weights as a checkpoint that can be served."""
        current = {name: value.clone() for name, value in _learned(self.model)}
        try:
            _assign(self.model, self.average.items())
            checkpoint.save(self.model, self.vocabulary, folder, half=True)
        finally:
            _assign(self.model, current.items())


def schedule(progress: float, warmup: float) -> float:
    """Returns the share of the peak rate: linear warm-up, then cosine to a fiftieth."""
    if progress < warmup:
        return (progress + 1e-3) / warmup
    fallen = (progress - warmup) / max(1e-9, 1 - warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))


def join(sights: Sequence[Sight]) -> Sight:
    """Returns one sight of all pictures."""
    fields = Sight.__slots__
    return Sight(*(torch.cat([getattr(sight, name) for sight in sights]) for name in fields))


def _learned(model: DeixisModel) -> list[tuple[str, Tensor]]:
    """Returns the floating-point state that training may change, by name, ties once."""
    return [(name, value.data) for name, value in model.named_parameters()]


def _trained(model: DeixisModel) -> list[Tensor]:
    return [value for value in model.parameters() if value.requires_grad]


def _optimizer(model: DeixisModel, decay: float) -> torch.optim.Optimizer:
    matrices = [p for p in _trained(model) if p.dim() > 1]
    vectors = [p for p in _trained(model) if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)


def _optimizer_tensors(model: DeixisModel, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {value: name for name, value in model.named_parameters()}
    return {
        f"optimizer.{names[p]}.{key}": torch.as_tensor(value)
        for p, state in optimizer.state.items()
        for key, value in state.items()
    }


def _restore_optimizer(
    model: DeixisModel, optimizer: torch.optim.Optimizer | None, tensors: dict[str, Tensor]
) -> None:
    assert optimizer is not None
    for name, value in model.named_parameters():
        prefix = f"optimizer.{name}."
        state = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        if state and value.requires_grad:
            optimizer.state[value] = state


@torch.no_grad()
def _assign(model: DeixisModel, values: Iterable[tuple[str, Tensor]]) -> None:
    parameters = dict(model.named_parameters())
    for name, value in values:
        parameters[name].copy_(value)
