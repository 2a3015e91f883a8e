"""From a record to chat turns: what a teacher would ask about this picture.

A chat turn is a training turn: the same `Turn` that the page shows and corrections save. What is
chosen and how it is worded is drawn anew each time; with the same generator it is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from types import MappingProxyType

from model.config import Section
from model.records import Expression, Record
from model.tokens import REGION_NAME
from model.training import wording
from model.training.collate import Lesson
from model.training.expressions import expressions, vary
from model.training.material import (
    absent_names,
    boxes_of,
    clicked,
    grounding_of,
    loosened,
    named,
    names_to_detect,
    pointed,
    things_of,
)
from model.training.questions import placed, questions
from model.training.talks import talks
from model.types import Answer, Finish, Region, Turn
from model.vocabulary import plural

PLACED = 0.15
"""Share of expressions asked for by "where is", which is answered in words too."""
ABSENT = 0.25
"""Share of visits that ask for something that is not here; only an exhaustive record tells."""
MADE = 1 / 3
"""Share of expressions that are made from boxes, not the record's own."""
PREFERRED = MappingProxyType({"ordinal": 4, "position": 3, "size": 1})
"""How often kinds of made expressions come first: the records hold few ordinals."""


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
    talks: int = 1


def visit(record: Record, config: LessonConfig, random: Random) -> Lesson:
    """Returns what one visit to a picture teaches."""
    turns = lessons(record, config, random)
    return Lesson(
        record.size,
        turns,
        names_to_detect(record, config.names, random),
        talks(record, config.talks, turns, random),
    )


def lessons(record: Record, config: LessonConfig, random: Random) -> list[Turn]:
    """Returns the turns of one visit to a picture, each a conversation of its own."""
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
        turns += islice(filter(_is_whole, maker(record, random)), most)
    return turns


def _is_whole(turn: Turn) -> bool:
    """Whether every region that the question names was drawn; people's words may hold an @7."""
    drawn = {region.name for region in turn.regions}
    return all(match.group() in drawn for match in REGION_NAME.finditer(turn.question))


def captions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields descriptions; those with aligned phrases carry boxes."""
    spoken = Counter(phrase.caption for phrase in record.grounded)
    order = [i for i in range(len(record.captions)) if i in spoken or not record.grounded]
    # A description that ties two things or more to their places teaches most.
    order.sort(key=lambda i: -min(2, spoken[i]) - random.random())
    for index in order:
        text = record.captions[index].strip()
        offset = len(record.captions[index]) - len(record.captions[index].lstrip())
        groundings = []
        for phrase in sorted(record.grounded, key=lambda phrase: phrase.start):
            boxes = boxes_of(record, phrase.objects)
            if phrase.caption == index and boxes:
                start, end = phrase.start - offset, phrase.end - offset
                groundings.append(grounding_of(text, start, end, boxes))
        ways = wording.CAPTION if groundings else wording.PLAIN_CAPTION
        yield Turn(random.choice(ways), Answer(text, tuple(groundings)))


def refer(record: Record, random: Random) -> Iterator[Turn]:
    """Yields now and then an expression for nothing here, then some with the box they mean."""
    absent = absent_names(record)
    if absent and random.random() < ABSENT:
        name = f"the {random.choice(absent)}"
        ways = wording.PLACE_NAMED if random.random() < PLACED else wording.REFER
        question = random.choice(ways).format(name)
        yield Turn(question, Answer(wording.NOT_PRESENT, finish=Finish.ABSENT))
    for ref in _drawn(record, random):
        thing = record.objects[ref.object]
        text = vary(ref, thing.label, random)
        if random.random() < PLACED:
            yield placed(text, thing.box, random)
        else:
            yield pointed(random, wording.REFER, text, [thing.box])


def _drawn(record: Record, random: Random) -> Iterator[Expression]:
    """Yields the record's own expressions for single things, mixed with those made from boxes."""
    own = [ref for ref in record.refs if not record.objects[ref.object].crowd]
    random.shuffle(own)
    # The first is drawn in proportion to its weight, then so is the next, and so on.
    made = sorted(expressions(record), key=lambda ref: random.expovariate(PREFERRED[ref.kind]))
    while own or made:
        yield (made if made and (not own or random.random() < MADE) else own).pop(0)


def find_all(record: Record, random: Random) -> Iterator[Turn]:
    """Yields a class with all its boxes."""
    asked = names_to_detect(record, 2 * len(record.objects), random)
    for name, boxes in asked:
        if boxes and record.exhaustive:
            word = plural(name) if random.random() < 0.7 else name
            question = random.choice(wording.FIND_ALL).format(word)
            yield Turn(question, Answer(word, (grounding_of(word, 0, len(word), boxes),)))


def name_regions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields boxes, sometimes drawn loosely, to be named; some by an expression, some by two."""
    described = [ref for ref in record.refs if ref.kind == "caption"]
    if described and random.random() < 0.4:
        ref = random.choice(described)
        text = ref.text.removeprefix("the ")
        shape = loosened(record.objects[ref.object].box, random)
        yield named(random, wording.DESCRIBE_REGION, text, [shape])
    things = things_of(record, random)
    if len(things) > 1 and random.random() < 0.3:
        first, second = things[:2]
        text = f"{first.label} and {second.label}"
        shapes = [loosened(thing.box, random) for thing in (first, second)]
        yield named(random, wording.TWO_REGIONS, text, shapes)
    for thing in things:
        yield named(random, wording.REGION, thing.label, [loosened(thing.box, random)])


def name_clicks(record: Record, random: Random) -> Iterator[Turn]:
    """Yields clicks to be named; the answer is grounded to the thing clicked."""
    for thing in things_of(record, random):
        shape = clicked(thing.box, record, random)
        grounding = grounding_of(thing.label, 0, len(thing.label), [thing.box])
        question = random.choice(wording.REGION)
        yield Turn(question, Answer(thing.label, (grounding,)), (Region("@1", shape),))


def segment(record: Record, random: Random) -> Iterator[Turn]:
    """Yields things to be cut out; the mask is at the picture's size."""
    for thing in things_of(record, random):
        if thing.polygons:
            cut = replace(grounding_of(thing.label, 0, len(thing.label), [thing.box]),
                          masks=(thing.mask(record.size),))  # fmt: skip
            shape = loosened(thing.box, random)
            question = random.choice(wording.SEGMENT)
            yield Turn(question, Answer(thing.label, (cut,)), (Region("@1", shape),))


def pose(record: Record, random: Random) -> Iterator[Turn]:
    """Yields persons whose joints are marked."""
    for thing in things_of(record, random):
        if thing.keypoints is not None and sum(v > 0 for _, _, v in thing.keypoints.points) >= 4:
            posed = replace(grounding_of(thing.label, 0, len(thing.label), [thing.box]),
                            keypoints=(thing.keypoints,))  # fmt: skip
            shape = loosened(thing.box, random)
            question = random.choice(wording.POSE)
            yield Turn(question, Answer(thing.label, (posed,)), (Region("@1", shape),))
