"""Fine-tunes published families with LoRA: their own wording, places as they write them.

The records are the ones that our own model learns from. Only the language model learns, by low-rank
adapters; what sees the picture stays. The folder that comes out opens like any model:
`--model FOLDER`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from model.backends import open_backend
from model.backends.base import INSTRUCTIONS
from model.backends.generation import GenerativeBackend
from model.backends.loading import quiet_peft
from model.backends.prompts import Asked
from model.backends.targets import Places, UnwritableError, write_answer
from model.checkpoint import replace_folder
from model.errors import CapabilityError, RecordError
from model.evaluate import evaluate_lines
from model.predict import predict, tasks_of
from model.records import Record
from model.training.material import boxes_of, loosened, names_to_detect, things_of
from model.types import Capability, Region, Size

if TYPE_CHECKING:
    from PIL.Image import Image

    from model.backends.base import Backend
    from model.metrics.measures import Metrics

LEARNS = (
    r".*\b(language_model|text_model)\b.*\."
    r"(q_proj|k_proj|v_proj|o_proj|out_proj|gate_proj|up_proj|down_proj|fc1|fc2)"
)
"""The modules of each family that get an adapter: attention and feed-forward of the language."""
NAMES = 6
"""Most class names asked for in one lesson."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a published checkpoint is fine-tuned.

    Attributes:
        steps: of the optimizer.
        rate: learning rate at the start; it falls to zero in a straight line.
        rank: of the adapters; their weight is twice the rank over the rank.
        lessons: questions in each step.
        seed: of every draw.
    """

    steps: int = 500
    rate: float = 2e-4
    rank: int = 16
    lessons: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question about a picture as a family is asked it, and the answer as it writes it."""

    prompt: str
    answer: str


def tune(
    name: str,
    records: Sequence[Record],
    out: Path,
    tuning: Tuning | None = None,
    *,
    device: str = "auto",
    progress: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Fine-tunes a published checkpoint and writes the adapter to a folder.

    Args:
        name: as for `open_backend`; `:4bit` at its end makes it QLoRA.
        records: with captions, boxes, expressions.
        out: folder of the adapter; put in place when everything is written.
        tuning: how.
        device: as for `open_backend`.
        progress: told step and loss.
        stop: asked before each step; what is learned by then is written.

    Returns:
        The mean loss of each step.

    Raises:
        BackendError: the checkpoint cannot be opened.
        CapabilityError: its family cannot be taught here.
        RecordError: the records teach nothing that the family could say.
    """
    backend = open_backend(name, device)
    if not isinstance(backend, GenerativeBackend):
        raise CapabilityError(
            f"{backend.card.name} cannot be fine-tuned here; Florence-2, Qwen-VL and PaliGemma can."
        )
    try:
        return tune_backend(backend, name, records, out, tuning, progress=progress, stop=stop)
    finally:
        backend.close()


def tune_backend(
    backend: GenerativeBackend,
    name: str,
    records: Sequence[Record],
    out: Path,
    tuning: Tuning | None = None,
    *,
    progress: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Fine-tunes a loaded model, which answers as it learned afterwards; see `tune`."""
    tuning = tuning or Tuning()
    adapted = _with_adapters(backend, name, tuning)
    learned = [value for value in adapted.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=tuning.rate, weight_decay=0.0)
    random = Random(tuning.seed)
    losses: list[float] = []
    adapted.train()
    for step in range(tuning.steps):
        if stop():
            break
        for group in optimizer.param_groups:
            group["lr"] = tuning.rate * (1 - step / tuning.steps)
        losses.append(_step(backend, adapted, records, tuning.lessons, random))
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if progress is not None:
            progress(step + 1, losses[-1])
    adapted.eval()
    replace_folder(out, lambda staging: adapted.save_pretrained(staging))
    return losses


def _with_adapters(backend: GenerativeBackend, name: str, tuning: Tuning) -> Any:  # noqa: ANN401
    """Returns the model wrapped by peft; `backend.model` learns along, it is the same modules."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    model = backend.model
    torch.manual_seed(tuning.seed)
    settings = LoraConfig(r=tuning.rank, lora_alpha=2 * tuning.rank, target_modules=LEARNS)
    with quiet_peft():
        if getattr(model, "is_loaded_in_4bit", False):
            model = prepare_model_for_kbit_training(
                model, gradient_checkpointing_kwargs={"use_reentrant": False}
            )
        adapted = get_peft_model(model, settings)
    adapted.peft_config["default"].base_model_name_or_path = name.removesuffix(":4bit")
    return adapted


def _step(
    backend: GenerativeBackend, adapted: Any, records: Sequence[Record], count: int, random: Random  # noqa: ANN401
) -> float:  # fmt: skip
    """Adds up the gradients of `count` lessons and returns their mean loss."""
    whole = 0.0
    for picture, lesson in _draw(backend, records, count, random):
        row = backend.lesson(picture, lesson.prompt, lesson.answer)
        loss = adapted(**row).loss / count
        loss.backward()
        whole += float(loss.detach())
    if not math.isfinite(whole):
        raise RecordError("The loss is no longer a number; take a lower learning rate.")
    return whole


def _draw(
    backend: GenerativeBackend, records: Sequence[Record], count: int, random: Random
) -> Iterator[tuple[Image, Lesson]]:
    """Yields `count` lessons, each about the picture of a random record.

    Raises:
        RecordError: of many records, none teaches anything.
    """
    in_vain = 0
    while count:
        record = random.choice(records)
        picture = record.read_picture()
        found = lessons(record, backend, backend.shown_of(picture), random)
        if found:
            count, in_vain = count - 1, 0
            yield picture, random.choice(found)
        elif (in_vain := in_vain + 1) > 100 + 10 * len(records):
            raise RecordError(
                f"These records teach {backend.card.name} nothing: no captions, no boxes with "
                "names, no expressions, or none that it can write."
            )


def lessons(
    record: Record, backend: GenerativeBackend, shown: Size, random: Random
) -> list[Lesson]:
    """Returns what a record can teach a family, each kind of question once, drawn anew."""
    found: list[Lesson] = []
    for task, question, region, text, places in _told(record, backend, random):
        asked = Asked(question, task, (region,) if region else ())
        try:
            answer = write_answer(backend.grammar, text, places, shown)
        except UnwritableError:
            continue  # such as a box thinner than the family's coordinates
        found.append(Lesson(backend.prompt(asked, shown), answer))
    return found


Told = tuple[Capability, str, Region | None, str, Places]
"""A task, its question and region, and the answer's words and places."""


def _told(record: Record, backend: GenerativeBackend, random: Random) -> Iterator[Told]:
    able = backend.card.capabilities
    for task, maker in _MAKERS.items():
        if task in able and (told := maker(record, backend, random)) is not None:
            yield told


def _detect(record: Record, backend: GenerativeBackend, random: Random) -> Told | None:
    asked = names_to_detect(record, NAMES if backend.joined else 1, random)
    if not asked:
        return None
    names = backend.joined.join(name for name, _ in asked)
    return Capability.DETECT, names, None, "", asked


def _refer(record: Record, backend: GenerativeBackend, random: Random) -> Told | None:
    refs = [ref for ref in record.refs if not record.objects[ref.object].crowd]
    if not refs:
        return None
    ref = random.choice(refs)
    places = [(ref.text, [record.objects[ref.object].box])]
    return Capability.REFER, ref.text, None, "", places


def _ground(record: Record, backend: GenerativeBackend, random: Random) -> Told | None:
    captions = sorted({phrase.caption for phrase in record.grounded})
    if not captions:
        return None
    index = random.choice(captions)
    text = record.captions[index]
    places = [
        (text[phrase.start : phrase.end], boxes_of(record, phrase.objects))
        for phrase in sorted(record.grounded, key=lambda phrase: phrase.start)
        if phrase.caption == index
    ]
    return Capability.GROUND, text, None, "", places


def _caption(record: Record, backend: GenerativeBackend, random: Random) -> Told | None:
    if not record.captions:
        return None
    told = _ground(record, backend, random) if backend.grammar.phrase == "inside" else None
    # Families that ground a caption in a second pass learn its words alone here.
    text, places = (told[1], told[4]) if told else (random.choice(record.captions).strip(), ())
    return Capability.CAPTION, INSTRUCTIONS[Capability.CAPTION], None, text, places


def _region(record: Record, backend: GenerativeBackend, random: Random) -> Told | None:
    things = things_of(record, random)
    if not things:
        return None
    region = Region("@1", loosened(things[0].box, random))
    return Capability.REGION, INSTRUCTIONS[Capability.REGION], region, things[0].label, ()


_MAKERS: dict[
    Capability, Callable[[Record, GenerativeBackend, Random], Told | None]
] = {
    Capability.DETECT: _detect,
    Capability.REFER: _refer,
    Capability.GROUND: _ground,
    Capability.CAPTION: _caption,
    Capability.REGION: _region,
}  # fmt: skip


def board(backend: Backend, records: Sequence[Record]) -> Metrics:
    """Returns what a model reaches on records, by the measures our own model is judged by."""
    return evaluate_lines(records, predict(backend, records, tasks_of(backend, "all")))
