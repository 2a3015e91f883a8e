"""Template-grade questions about a picture whose answers follow from its boxes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from model.records import Record
from model.training import wording
from model.training.material import absent_names, named, names_to_detect, things_of
from model.types import Answer, Region, Turn

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def questions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields template-grade questions whose answers follow from the boxes, in random order."""
    makers = [_count, _is_there, _colour, _side, _place, _off_topic]
    random.shuffle(makers)
    for maker in makers:
        turn = maker(record, random)
        if turn is not None:
            yield turn


def _count(record: Record, random: Random) -> Turn | None:
    asked = [(n, b) for n, b in names_to_detect(record, 40, random) if b and len(b) < len(NUMBERS)]
    if not (asked and record.exhaustive):
        return None
    name, boxes = random.choice(asked)
    word = wording.plural(name)
    return Turn(random.choice(wording.COUNT).format(word), Answer(NUMBERS[len(boxes)]))


def _is_there(record: Record, random: Random) -> Turn | None:
    present = sorted({thing.label for thing in record.objects})
    absent = absent_names(record)
    if not present or not absent:
        return None
    yes = random.random() < 0.5
    name = random.choice(present if yes else absent)
    return Turn(random.choice(wording.IS_THERE).format(name), Answer("yes" if yes else "no"))


def _colour(record: Record, random: Random) -> Turn | None:
    dressed = [thing for thing in record.objects if thing.top_color and not thing.crowd]
    if not dressed:
        return None
    thing = random.choice(dressed)
    return named(random, wording.COLOUR, thing.top_color or "", [thing.box])


def _side(record: Record, random: Random) -> Turn | None:
    things = things_of(record, random)[:2]
    if len(things) < 2:
        return None
    a, b = (thing.box.centre[0] for thing in things)
    if abs(a - b) < 0.1:
        return None
    side = "left" if a < b else "right"
    return named(random, wording.SIDE, side, [thing.box for thing in things])


def _place(record: Record, random: Random) -> Turn | None:
    things = things_of(record, random)
    if not things:
        return None
    x, y = things[0].box.centre
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else "middle"
    text = column if row == "middle" else row if column == "middle" else f"{row} {column}"
    return named(random, wording.PLACE, text, [things[0].box])


def _off_topic(record: Record, random: Random) -> Turn | None:
    question = random.choice(wording.OFF_TOPIC)
    things = things_of(record, random)
    if "@1" in question and not things:
        return None
    regions = (Region("@1", things[0].box),) if "@1" in question else ()
    return Turn(question, Answer(wording.UNKNOWN), regions)
