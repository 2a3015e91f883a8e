"""What lessons are made of: the things of a record, shapes drawn on them, turns around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from model.records import LabelledObject, Record
from model.types import (
    Answer,
    Box,
    Grounding,
    Phrase,
    Point,
    Points,
    Region,
    Shape,
    Turn,
)
from model.vocabulary import LABEL_SPACES


def names_to_detect(record: Record, most: int, random: Random) -> list[tuple[str, list[Box]]]:
    """Returns class names with all their boxes; absent names too where the record is exhaustive."""
    present: dict[str, list[Box]] = {}
    for thing in record.objects:
        if not thing.crowd:
            present.setdefault(thing.label, []).append(thing.box)
    crowded = {thing.label for thing in record.objects if thing.crowd}
    known = [name for name in present if name not in crowded]
    random.shuffle(known)
    asked = [(name, present[name]) for name in known[: (most + 1) // 2]]
    if record.exhaustive:
        absent = absent_names(record)
        asked += [(name, []) for name in random.sample(absent, min(len(absent), most - len(asked)))]
    return asked


def clicked(box: Box, record: Record, random: Random) -> Points:
    """Returns a click in the box's middle half, sometimes with a click that rules out another."""
    points = [_inside(box, random)]
    if random.random() < 0.15:
        points.append(_inside(box, random))
    others = [thing.box for thing in record.objects if thing.box != box]
    if others and random.random() < 0.15:
        point = _inside(random.choice(others), random)
        points.append(Point(point.x, point.y, positive=False))
    return Points(tuple(points))


def loosened(box: Box, random: Random) -> Box:
    """Returns the box as a person would draw it: each side off by up to a tenth of its length."""
    width, height = box.x1 - box.x0, box.y1 - box.y0
    amount = 0.1 if random.random() < 0.5 else 0.0

    def off(side: float) -> float:
        return random.uniform(-amount, amount) * side

    return Box.parse(
        (box.x0 + off(width), box.y0 + off(height), box.x1 + off(width), box.y1 + off(height))
    )


def named(random: Random, ways: Sequence[str], text: str, shapes: Sequence[Shape]) -> Turn:
    """Returns a question about drawn shapes, `@1` and so on, and its answer in words."""
    regions = tuple(Region(f"@{i}", shape) for i, shape in enumerate(shapes, 1))
    return Turn(random.choice(ways), Answer(text), regions)


def pointed(random: Random, ways: Sequence[str], text: str, boxes: Sequence[Box]) -> Turn:
    """Returns a question whose answer is an expression, all of it tied to boxes."""
    question = random.choice(ways).format(text)
    return Turn(question, Answer(text, (grounding_of(text, 0, len(text), boxes),)))


def grounding_of(text: str, start: int, end: int, boxes: Sequence[Box]) -> Grounding:
    """Returns characters `[start, end)` of a text tied to boxes that are certain."""
    return Grounding(Phrase(text[start:end], start, end), tuple(boxes), (1.0,) * len(boxes))


def boxes_of(record: Record, indices: Sequence[int]) -> list[Box]:
    """Returns the boxes of some objects, crowds left out."""
    return [record.objects[i].box for i in indices if not record.objects[i].crowd]


def boxes_of_class(record: Record, name: str) -> list[Box]:
    """Returns the boxes of a class, crowds left out."""
    return [thing.box for thing in record.objects if thing.label == name and not thing.crowd]


def whole_class(record: Record, name: str) -> bool:
    """Whether every instance of a class is boxed by itself."""
    return record.exhaustive and not any(t.crowd for t in record.objects if t.label == name)


def singles(record: Record) -> list[LabelledObject]:
    """Returns the objects that are the only one of their class, crowds counted."""
    counts = Counter(thing.label for thing in record.objects)
    return [thing for thing in record.objects if counts[thing.label] == 1 and not thing.crowd]


def things_of(record: Record, random: Random) -> list[LabelledObject]:
    """Returns the objects that are no crowds, shuffled."""
    things = [thing for thing in record.objects if not thing.crowd]
    return random.sample(things, len(things))


def absent_names(record: Record) -> list[str]:
    """Returns the class names that are truly not in the picture, as far as we can know.

    Only an exhaustive record of a label space whose names we have tells of any.
    """
    if not record.exhaustive:
        return []
    seen = {thing.label for thing in record.objects}
    return [name for name in LABEL_SPACES.get(record.label_space, ()) if name not in seen]


def _inside(box: Box, random: Random) -> Point:
    x, y = box.centre
    width, height = box.x1 - box.x0, box.y1 - box.y0
    return Point(x + random.uniform(-0.25, 0.25) * width, y + random.uniform(-0.25, 0.25) * height)
