"""What a record teaches a published family: questions as it is asked, answers as it writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from model.backends.base import INSTRUCTIONS
from model.backends.generation import GenerativeBackend
from model.backends.prompts import Asked
from model.backends.targets import Places, UnwritableError, write_answer
from model.errors import RecordError
from model.records import Record
from model.training.material import boxes_of, loosened, names_to_detect, things_of
from model.types import Capability, Region, Size

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = 6
"""Most class names asked for in one lesson."""
MOST_IN_VAIN = 200
"""Pictures in a row that may teach nothing."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question about a picture as a family is asked it, and the answer as it writes it."""

    prompt: str
    answer: str


Choose = Callable[[Random], Record]
"""Returns a record to learn from, by chance."""


def draw(
    backend: GenerativeBackend, choose: Choose, count: int, random: Random
) -> Iterator[tuple[Image, Lesson]]:
    """Yields `count` lessons, each about the picture of a record drawn anew.

    Raises:
        RecordError: of many records, none teaches anything.
    """
    in_vain = 0
    while count:
        record = choose(random)
        picture = record.read_picture()
        found = lessons(record, backend, backend.shown_of(picture), random)
        if found:
            count, in_vain = count - 1, 0
            yield picture, random.choice(found)
        elif (in_vain := in_vain + 1) > MOST_IN_VAIN:
            raise RecordError(
                f"{in_vain} pictures in a row teach {backend.card.name} nothing: no captions, no "
                "boxes with names, no expressions, or none that it can write."
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
