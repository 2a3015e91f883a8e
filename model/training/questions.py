"""Template-grade questions about a picture whose answers follow from its boxes.

Answers point at what they speak of: "yes, a dog" is tied to the dogs, "dogs: two" to both. What
follows from where things are is said after them: "the dog, the cat: yes".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from model.records import LabelledObject, Record
from model.training import wording
from model.training.material import (
    absent_names,
    boxes_of_class,
    grounding_of,
    named,
    names_to_detect,
    singles,
    things_of,
    whole_class,
)
from model.types import Answer, Box, Finish, Region, Turn
from model.vocabulary import GROUPS, plural

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CLEAR_GAP = 0.1
"""Centres that differ less than this along an axis are not asked about."""


def questions(record: Record, random: Random) -> Iterator[Turn]:
    """Yields template-grade questions whose answers follow from the boxes, in random order."""
    makers = [
        _group, _count, _is_there, _colour, _colour_named, _side, _side_named, _which_side, _place,
        _place_named, _off_topic,
    ]  # fmt: skip
    random.shuffle(makers)
    for maker in makers:
        turn = maker(record, random)
        if turn is not None:
            yield turn


def pointing(text: str, words: str, boxes: Sequence[Box]) -> Answer:
    """Returns an answer whose last mention of `words` is tied to boxes."""
    start = text.rindex(words)
    return Answer(text, (grounding_of(text, start, start + len(words), boxes),))


def counted(name: str, boxes: Sequence[Box]) -> Answer:
    """Returns how many there are, tied to each: "dogs: two". What is told was found comes first."""
    words = name if len(boxes) == 1 else plural(name)
    return pointing(f"{words}: {NUMBERS[len(boxes)]}", words, boxes)


def judged(things: Sequence[LabelledObject], verdict: str) -> Answer:
    """Returns a verdict after the things it is about, all tied to boxes: "the dog, the cat: yes".

    What is told was found of the things comes before the verdict, which follows from it.
    """
    text, groundings = "", []
    for thing in things:
        start = len(text) + 2 if text else 0
        text = f"{text}, the {thing.label}" if text else f"the {thing.label}"
        groundings.append(grounding_of(text, start, len(text), [thing.box]))
    return Answer(f"{text}: {verdict}", tuple(groundings))


def place_of(box: Box) -> str:
    """Returns where in the picture a box is: "on the left", "at the top right", "in the middle"."""
    x, y = box.centre
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    if not row:
        return f"on the {column}" if column else "in the middle"
    return f"at the {row} {column}".rstrip()


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _group(record: Record, random: Random) -> Turn | None:
    labels = {thing.label for thing in record.objects}
    found = [(g, labels & set(names)) for g, names in GROUPS.items() if labels & set(names)]
    if not (found and record.exhaustive):
        return None
    group, names = random.choice(found)
    name = random.choice(sorted(names))
    boxes = boxes_of_class(record, name)
    if len(names) > 1 or not boxes:
        return None
    return Turn(random.choice(wording.WHAT_GROUP).format(group), pointing(name, name, boxes))


def _count(record: Record, random: Random) -> Turn | None:
    if not record.exhaustive:
        return None
    absent = absent_names(record)
    if absent and random.random() < 0.15:
        question = random.choice(wording.COUNT).format(plural(random.choice(absent)))
        return Turn(question, Answer(wording.NOT_PRESENT, finish=Finish.ABSENT))
    asked = [(n, b) for n, b in names_to_detect(record, 40, random) if b and len(b) < len(NUMBERS)]
    if not asked:
        return None
    # Larger counts are rarer, and harder: they are preferred.
    name, boxes = max(random.sample(asked, min(2, len(asked))), key=lambda pair: len(pair[1]))
    return Turn(random.choice(wording.COUNT).format(plural(name)), counted(name, boxes))


def _is_there(record: Record, random: Random) -> Turn | None:
    present = sorted({thing.label for thing in record.objects if not thing.crowd})
    absent = absent_names(record)
    if not present or not absent:
        return None
    if random.random() < 0.5:
        name = random.choice(absent)
        answer = Answer("no")
    else:
        name = random.choice(present)
        answer = pointing(f"yes, {_article(name)}", _article(name), boxes_of_class(record, name))
    question = random.choice(wording.IS_THERE).format(name)
    return Turn(question.replace(f" a {name}", f" {_article(name)}"), answer)


def _colour(record: Record, random: Random) -> Turn | None:
    dressed = [thing for thing in record.objects if thing.top_color and not thing.crowd]
    if not dressed:
        return None
    thing = random.choice(dressed)
    return named(random, wording.COLOUR, thing.top_color or "", [thing.box])


def _colour_named(record: Record, random: Random) -> Turn | None:
    dressed = [thing for thing in singles(record) if thing.label == "person" and thing.top_color]
    if not dressed:
        return None
    question = random.choice(wording.COLOUR_NAMED).format("person")
    return Turn(question, judged(dressed, dressed[0].top_color or ""))


def _pair(record: Record, random: Random, things: Sequence[LabelledObject]) -> tuple[
    LabelledObject, LabelledObject] | None:  # fmt: skip
    if len(things) < 2:
        return None
    first, second = random.sample(things, 2)
    if abs(first.box.centre[0] - second.box.centre[0]) < CLEAR_GAP:
        return None
    return first, second


def _is_left(first: LabelledObject, second: LabelledObject) -> bool:
    return first.box.centre[0] < second.box.centre[0]


def _side(record: Record, random: Random) -> Turn | None:
    pair = _pair(record, random, things_of(record, random))
    if pair is None:
        return None
    side = "left" if _is_left(*pair) else "right"
    return named(random, wording.SIDE, side, [thing.box for thing in pair])


def _side_named(record: Record, random: Random) -> Turn | None:
    pair = _pair(record, random, singles(record))
    if pair is None:
        return None
    side = random.choice(("left", "right"))
    first, second = (thing.label for thing in pair)
    question = random.choice(wording.SIDE_NAMED).format(first, second, side=side)
    return Turn(question, judged(pair, "yes" if _is_left(*pair) == (side == "left") else "no"))


def _which_side(record: Record, random: Random) -> Turn | None:
    pair = _pair(record, random, singles(record))
    if pair is None:
        return None
    side = random.choice(("left", "right"))
    question = random.choice(wording.WHICH_SIDE).format(*(t.label for t in pair), side=side)
    meant = pair[0] if _is_left(*pair) == (side == "left") else pair[1]
    return Turn(question, judged(pair, meant.label))


def _place(record: Record, random: Random) -> Turn | None:
    things = things_of(record, random)
    if not things:
        return None
    return named(random, wording.PLACE, place_of(things[0].box), [things[0].box])


def _place_named(record: Record, random: Random) -> Turn | None:
    alone = [thing for thing in singles(record) if whole_class(record, thing.label)]
    if not alone:
        return None
    thing = random.choice(alone)
    return placed(f"the {thing.label}", thing.box, random)


def placed(expression: str, box: Box, random: Random) -> Turn:
    """Returns the question where something is, answered in words and by a box."""
    question = random.choice(wording.PLACE_NAMED).format(expression)
    return Turn(question, pointing(f"{expression} is {place_of(box)}", expression, [box]))


def _off_topic(record: Record, random: Random) -> Turn | None:
    question = random.choice(wording.OFF_TOPIC)
    things = things_of(record, random)
    if "@1" in question and not things:
        return None
    regions = (Region("@1", things[0].box),) if "@1" in question else ()
    return Turn(question, Answer(wording.UNKNOWN), regions)
