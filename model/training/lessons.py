"""From a record to chat turns: what a teacher would ask about this picture.

A chat turn is a training turn: the same `Turn` that the page shows and corrections save. What is
chosen and how it is worded is drawn anew each time; with the same generator it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from model.config import Section
from model.pose_head import MIRROR
from model.records import Expression, LabelledObject, Record
from model.training import wording
from model.types import (
    Answer,
    Box,
    Finish,
    Grounding,
    Keypoints,
    Phrase,
    Point,
    Points,
    Region,
    Shape,
    Turn,
)
from model.vocabulary import LABEL_SPACES

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class LessonConfig(Section):
    """At most how many turns of each kind one visit to a picture teaches."""

    captions: int = 2
    plain_captions: int = 2
    refs: int = 4
    regions: int = 3
    clicks: int = 2
    find_all: int = 1
    questions: int = 2
    names: int = 6
    masks: int = 2
    poses: int = 1


def lessons(record: Record, config: LessonConfig, random: Random) -> list[Turn]:
    """Returns the turns of one visit to a picture."""
    makers: Sequence[tuple[int, Callable[[Record, Random], Iterator[Turn]]]] = (
        (config.captions if record.grounded else config.plain_captions, captions),
        (config.refs, refer),
        (config.regions, name_regions),
        (config.clicks, name_clicks),
        (config.find_all, find_all),
        (config.questions, questions),
        (config.masks, segment),
        (config.poses, pose),
    )
    turns: list[Turn] = []
    for most, maker in makers:
        for turn, _ in zip(maker(record, random), range(most), strict=False):
            turns.append(turn)
    return turns


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
        absent = [
            name for name in LABEL_SPACES[record.label_space]
            if name not in present and name not in crowded
        ]  # fmt: skip
        asked += [(name, []) for name in random.sample(absent, min(len(absent), most - len(asked)))]
    return asked


def mirrored(record: Record) -> Record:
    """Returns the record of the picture flipped left to right; sides in its words change too."""

    def flip(box: Box) -> Box:
        return Box(1 - box.x1, box.y0, 1 - box.x0, box.y1)

    sided = {i for i, caption in enumerate(record.captions) if wording.mentions_side(caption)}
    return replace(
        record,
        objects=tuple(
            replace(
                thing,
                box=flip(thing.box),
                polygons=tuple(_flipped(outline) for outline in thing.polygons),
                keypoints=_mirrored_pose(thing.keypoints),
            )
            for thing in record.objects
        ),
        # The places of phrases would move with the words, so only the plain text is kept.
        captions=tuple(wording.swap_sides(caption) for caption in record.captions),
        grounded=tuple(phrase for phrase in record.grounded if phrase.caption not in sided),
        refs=tuple(replace(ref, text=wording.swap_sides(ref.text)) for ref in record.refs),
    )


def captions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields descriptions; those with aligned phrases carry boxes."""
    spoken = {phrase.caption for phrase in record.grounded}
    order = [i for i in range(len(record.captions)) if i in spoken or not record.grounded]
    random.shuffle(order)
    for index in order:
        text = record.captions[index].strip()
        offset = len(record.captions[index]) - len(record.captions[index].lstrip())
        groundings = []
        for phrase in sorted(record.grounded, key=lambda phrase: phrase.start):
            boxes = _boxes(record, phrase.objects)
            if phrase.caption == index and boxes:
                start, end = phrase.start - offset, phrase.end - offset
                groundings.append(_grounding(text, start, end, boxes))
        ways = wording.CAPTION if groundings else wording.PLAIN_CAPTION
        yield Turn(random.choice(ways), Answer(text, tuple(groundings)))


def refer(record: Record, random: Random) -> Iterator[Turn]:
    """Yields expressions with the box they mean, and now and then one for nothing here."""
    for ref in random.sample(record.refs, len(record.refs)):
        thing = record.objects[ref.object]
        if not thing.crowd:
            yield _pointed(random, wording.REFER, vary(ref, random), [thing.box])
    if record.exhaustive and random.random() < 0.5:
        absent = _absent(record)
        if absent:
            name = f"the {random.choice(absent)}"
            question = random.choice(wording.REFER).format(name)
            yield Turn(question, Answer(wording.NOT_PRESENT, finish=Finish.ABSENT))


def vary(ref: Expression, random: Random) -> str:
    """Returns the expression, sometimes in other words for the same place."""
    text = ref.text
    if ref.kind != "position" or random.random() < 0.5:
        return text
    for side in ("left", "right"):
        for tail in (f" on the {side}", f" furthest {side}"):
            if text.endswith(tail):
                noun = text.removesuffix(tail).removeprefix("the ")
                ways = (
                    f"the {side} {noun}", f"{side} {noun}", f"the {noun} at the {side}",
                    f"the {noun} to the {side}", f"{noun} on the {side}",
                    f"the {noun} on the {side} side",
                )  # fmt: skip
                return random.choice(ways)
    return text


def find_all(record: Record, random: Random) -> Iterator[Turn]:
    """Yields a class with all its boxes."""
    asked = names_to_detect(record, 2 * len(record.objects), random)
    for name, boxes in asked:
        if boxes and record.exhaustive:
            word = wording.plural(name) if random.random() < 0.7 else name
            question = random.choice(wording.FIND_ALL).format(word)
            yield Turn(question, Answer(word, (_grounding(word, 0, len(word), boxes),)))


def name_regions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields boxes, sometimes drawn loosely, to be named; some by an expression, some by two."""
    described = [ref for ref in record.refs if ref.kind == "caption"]
    if described and random.random() < 0.4:
        ref = random.choice(described)
        text = ref.text.removeprefix("the ")
        shape = loosened(record.objects[ref.object].box, random)
        yield _named(random, wording.DESCRIBE_REGION, text, [shape])
    things = _things(record, random)
    if len(things) > 1 and random.random() < 0.3:
        first, second = things[:2]
        text = f"{first.label} and {second.label}"
        shapes = [loosened(thing.box, random) for thing in (first, second)]
        yield _named(random, wording.TWO_REGIONS, text, shapes)
    for thing in things:
        yield _named(random, wording.REGION, thing.label, [loosened(thing.box, random)])


def name_clicks(record: Record, random: Random) -> Iterator[Turn]:
    """Yields clicks to be named; the answer is grounded to the thing clicked."""
    for thing in _things(record, random):
        shape = clicked(thing.box, record, random)
        grounding = _grounding(thing.label, 0, len(thing.label), [thing.box])
        question = random.choice(wording.REGION)
        yield Turn(question, Answer(thing.label, (grounding,)), (Region("@1", shape),))


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


def segment(record: Record, random: Random) -> Iterator[Turn]:
    """Yields things to be cut out; the mask is at the picture's size."""
    for thing in _things(record, random):
        if thing.polygons:
            cut = replace(_grounding(thing.label, 0, len(thing.label), [thing.box]),
                          masks=(thing.mask(record.size),))  # fmt: skip
            shape = loosened(thing.box, random)
            question = random.choice(wording.SEGMENT)
            yield Turn(question, Answer(thing.label, (cut,)), (Region("@1", shape),))


def pose(record: Record, random: Random) -> Iterator[Turn]:
    """Yields persons whose joints are marked."""
    for thing in _things(record, random):
        if thing.keypoints is not None and sum(v > 0 for _, _, v in thing.keypoints.points) >= 4:
            posed = replace(_grounding(thing.label, 0, len(thing.label), [thing.box]),
                            keypoints=(thing.keypoints,))  # fmt: skip
            shape = loosened(thing.box, random)
            question = random.choice(wording.POSE)
            yield Turn(question, Answer(thing.label, (posed,)), (Region("@1", shape),))


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
    absent = _absent(record)
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
    return _named(random, wording.COLOUR, thing.top_color or "", [thing.box])


def _side(record: Record, random: Random) -> Turn | None:
    things = _things(record, random)[:2]
    if len(things) < 2:
        return None
    a, b = (thing.box.centre[0] for thing in things)
    if abs(a - b) < 0.1:
        return None
    side = "left" if a < b else "right"
    return _named(random, wording.SIDE, side, [thing.box for thing in things])


def _place(record: Record, random: Random) -> Turn | None:
    things = _things(record, random)
    if not things:
        return None
    x, y = things[0].box.centre
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else "middle"
    text = column if row == "middle" else row if column == "middle" else f"{row} {column}"
    return _named(random, wording.PLACE, text, [things[0].box])


def _off_topic(record: Record, random: Random) -> Turn | None:
    question = random.choice(wording.OFF_TOPIC)
    things = _things(record, random)
    if "@1" in question and not things:
        return None
    regions = (Region("@1", things[0].box),) if "@1" in question else ()
    return Turn(question, Answer(wording.UNKNOWN), regions)


def _named(random: Random, ways: Sequence[str], text: str, shapes: Sequence[Shape]) -> Turn:
    regions = tuple(Region(f"@{i}", shape) for i, shape in enumerate(shapes, 1))
    return Turn(random.choice(ways), Answer(text), regions)


def _pointed(random: Random, ways: Sequence[str], text: str, boxes: Sequence[Box]) -> Turn:
    question = random.choice(ways).format(text)
    return Turn(question, Answer(text, (_grounding(text, 0, len(text), boxes),)))


def _flipped(outline: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(1 - value if i % 2 == 0 else value for i, value in enumerate(outline))


def _mirrored_pose(pose: Keypoints | None) -> Keypoints | None:
    if pose is None:
        return None
    swapped = (pose.points[joint] for joint in MIRROR)
    return Keypoints(tuple((1 - x if v > 0 else 0.0, y, v) for x, y, v in swapped))


def _grounding(text: str, start: int, end: int, boxes: Sequence[Box]) -> Grounding:
    return Grounding(Phrase(text[start:end], start, end), tuple(boxes), (1.0,) * len(boxes))


def _boxes(record: Record, indices: Sequence[int]) -> list[Box]:
    return [record.objects[i].box for i in indices if not record.objects[i].crowd]


def _things(record: Record, random: Random) -> list[LabelledObject]:
    """Returns the objects that are no crowds, shuffled."""
    things = [thing for thing in record.objects if not thing.crowd]
    return random.sample(things, len(things))


def _absent(record: Record) -> list[str]:
    if not record.exhaustive:
        return []
    present = {thing.label for thing in record.objects}
    return [name for name in LABEL_SPACES[record.label_space] if name not in present]


def _inside(box: Box, random: Random) -> Point:
    x, y = box.centre
    width, height = box.x1 - box.x0, box.y1 - box.y0
    return Point(x + random.uniform(-0.25, 0.25) * width, y + random.uniform(-0.25, 0.25) * height)
