"""From a record to conversations of several turns, in which "it" and `@1` mean what went before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from model.records import LabelledObject, Record
from model.training import wording
from model.training.material import (
    boxes_of_class,
    clicked,
    grounding_of,
    loosened,
    singles,
    things_of,
    whole_class,
)
from model.training.questions import NUMBERS, counted, place_of, placed, pointing
from model.types import Answer, Finish, Region, Turn
from model.vocabulary import plural

MOST_FOLLOWING = 2


def talks(record: Record, most: int, aside: Sequence[Turn], random: Random) -> list[list[Turn]]:
    """Returns at most `most` conversations about things of a picture.

    Args:
        record: the picture.
        most: how many.
        aside: turns about the same picture; now and then one comes first and one last, so that
            what was said before does not always matter.
        random: draws everything.
    """
    found = []
    for thing in things_of(record, random)[:most]:
        first = _opening(record, thing, random)
        following = list(_following(record, thing, random))
        if not first.regions:
            following = [replace(t, question=t.question.replace("@1", "it")) for t in following]
        random.shuffle(following)
        talk = [first, *following[: random.randint(1, MOST_FOLLOWING)]]
        if aside and random.random() < 0.3:
            talk.insert(0, random.choice(aside))
        if aside and random.random() < 0.5:
            talk.append(random.choice(aside))
        if len(talk) > 1:
            found.append(talk)
    return found


def _opening(record: Record, thing: LabelledObject, random: Random) -> Turn:
    """Returns a turn that brings up a thing: clicked, boxed, or called by its name."""
    chance = random.random()
    if chance < 0.3 and thing in singles(record):
        return placed(f"the {thing.label}", thing.box, random)
    if chance < 0.6:
        shape = clicked(thing.box, record, random)
        answer = pointing(thing.label, thing.label, [thing.box])
    else:
        shape, answer = loosened(thing.box, random), Answer(thing.label)
    return Turn(random.choice(wording.REGION), answer, (Region("@1", shape),))


def _following(record: Record, thing: LabelledObject, random: Random) -> Iterator[Turn]:
    """Yields what could be asked next about a thing that was drawn as `@1`."""
    yield Turn(random.choice(wording.FOLLOW_PLACE), Answer(place_of(thing.box)))
    described = [
        r.text for r in record.refs if r.kind == "caption" and _is(record, r.object, thing)
    ]
    if described:
        text = random.choice(described).removeprefix("the ")
        yield Turn(random.choice(wording.FOLLOW_DESCRIBE), Answer(text))
    if thing.top_color:
        yield Turn(random.choice(wording.FOLLOW_COLOUR), Answer(thing.top_color))
    if thing.polygons:
        cut = grounding_of(thing.label, 0, len(thing.label), [thing.box])
        cut = replace(cut, masks=(thing.mask(record.size),))
        yield Turn(random.choice(wording.FOLLOW_MASK), Answer(thing.label, (cut,)))
    if whole_class(record, thing.label):
        yield from _about_its_class(record, thing, random)


def _about_its_class(record: Record, thing: LabelledObject, random: Random) -> Iterator[Turn]:
    every = boxes_of_class(record, thing.label)
    others = [box for box in every if box != thing.box]
    if len(every) < len(NUMBERS):
        yield Turn(random.choice(wording.FOLLOW_COUNT), counted(thing.label, every))
    yield Turn(random.choice(wording.FOLLOW_MORE), Answer("yes" if others else "no"))
    words = plural(thing.label) if len(others) > 1 else thing.label
    answer = (
        pointing(words, words, others)
        if others
        else Answer(wording.NOT_PRESENT, finish=Finish.ABSENT)
    )
    yield Turn(random.choice(wording.FOLLOW_OTHERS), answer)


def _is(record: Record, index: int, thing: LabelledObject) -> bool:
    return record.objects[index] == thing
