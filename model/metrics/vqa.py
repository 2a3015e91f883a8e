"""Questions with answers that follow from boxes, and when a free answer counts as right.

Six kinds: what, how many, is there, colour, where, left of. Every question comes from one record
by rule; `draw` picks an equal share of each kind, always the same ones.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from model.naming import Lexicon, tokens
from model.records import LabelledObject, Record
from model.types import Answer, Finish
from model.vocabulary import COCO_NAMES, GROUPS, plural

KINDS = ("what", "how many", "is there", "colour", "where", "left of")
NUM_QUESTIONS = 200

WHAT = "What {group} is in the picture?"
HOW_MANY = "How many {names} are there?"
IS_THERE = "Is there {a} {name} in the picture?"
COLOUR = "What colour is the person wearing?"
WHERE = "Where is the {name}?"
LEFT_OF = "Is the {name} to the left of the {other}?"
WHICH_LEFT = "Which is further left, the {name} or the {other}?"

NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
COLOURS = (
    *("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink"),
    *("brown", "beige", "tan", "gold", "silver"),
)
_SAME_COLOUR = {"gray": "grey", "violet": "purple", "navy": "blue", "maroon": "red"}
_PLACES = {"centre": "middle", "center": "middle", "upper": "top", "lower": "bottom"}
MAX_COUNT = 6
_YES_NO = frozenset({"yes", "no"})
CLEAR_GAP = 0.15
"""Centres that differ less than this in x are not asked about as left or right."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one record.

    Attributes:
        record: the record's id.
        index: place among the record's questions; with the id it names the question.
        kind: one of KINDS.
        text: as asked.
        truth: answers that are right: a class, a number, yes or no, a colour, or places.
    """

    record: str
    index: int
    kind: str
    text: str
    truth: frozenset[str]


def questions(record: Record) -> tuple[Question, ...]:
    """Returns every question that the boxes of an exhaustive record answer; else none."""
    if not record.exhaustive or record.label_space != "coco80":
        return ()
    # Seeded by the record alone, so that a question keeps its number whatever else is asked.
    chance = random.Random(f"questions:{record.id}")
    drafts = [
        *_what(record),
        *_how_many(record),
        *_is_there(record, chance),
        *_colour(record),
        *_where(record),
        *_left_of(record, chance),
    ]
    return tuple(
        Question(record.id, index, kind, text, frozenset(truth))
        for index, (kind, text, truth) in enumerate(drafts)
    )


_Draft = tuple[str, str, set[str]]


def _labels(record: Record) -> Counter[str]:
    return Counter(o.label for o in record.objects)


def _singles(record: Record) -> list[LabelledObject]:
    """Returns the objects that are the only one of their class and no crowd."""
    counts = _labels(record)
    return [o for o in record.objects if counts[o.label] == 1 and not o.crowd]


def _what(record: Record) -> Iterator[_Draft]:
    for group, names in GROUPS.items():
        present = set(names) & set(_labels(record))
        if len(present) == 1:
            yield "what", WHAT.format(group=group), present


def _how_many(record: Record) -> Iterator[_Draft]:
    crowded = {o.label for o in record.objects if o.crowd}
    for name, count in sorted(_labels(record).items()):
        if name not in crowded and count <= MAX_COUNT and name not in ("skis", "scissors"):
            yield "how many", HOW_MANY.format(names=plural(name)), {str(count)}


def _is_there(record: Record, chance: random.Random) -> Iterator[_Draft]:
    present = sorted(_labels(record))
    absent = sorted(set(COCO_NAMES) - set(present))
    yes = chance.random() < 0.5 and bool(present)
    name = chance.choice(present if yes else absent)
    article = "an" if name[0] in "aeiou" else "a"
    text = IS_THERE.format(a=article, name=name)
    yield "is there", text, {"yes" if yes else "no"}


def _colour(record: Record) -> Iterator[_Draft]:
    people = [o for o in record.objects if o.label == "person"]
    if len(people) == 1 and people[0].top_color in COLOURS:
        yield "colour", COLOUR, {people[0].top_color}


def _where(record: Record) -> Iterator[_Draft]:
    for thing in _singles(record):
        x, y = thing.box.centre
        if not 1 / 3 < x < 2 / 3:
            places = {"left" if x < 0.5 else "right"}
            places |= {"top"} if y < 0.4 else {"bottom"} if y > 0.6 else set()
            places |= {"middle"} if 0.3 < y < 0.7 else set()
            yield "where", WHERE.format(name=thing.label), places


def _left_of(record: Record, chance: random.Random) -> Iterator[_Draft]:
    singles = _singles(record)
    pairs = [
        (a, b)
        for i, a in enumerate(singles)
        for b in singles[i + 1 :]
        if abs(a.box.centre[0] - b.box.centre[0]) > CLEAR_GAP
    ]
    if pairs:
        pair = list(chance.choice(pairs))
        chance.shuffle(pair)
        a, b = pair
        a_is_left = a.box.centre[0] < b.box.centre[0]
        if chance.random() < 0.5:
            text = LEFT_OF.format(name=a.label, other=b.label)
            yield "left of", text, {"yes" if a_is_left else "no"}
        else:
            text = WHICH_LEFT.format(name=a.label, other=b.label)
            yield "left of", text, {(a if a_is_left else b).label}


def draw(records: Sequence[Record], count: int = NUM_QUESTIONS) -> list[Question]:
    """Returns at most `count` questions: equal shares of the kinds, within a kind of the answers.

    Shares are equal as far as there are enough; so always saying "1" or "black" does not pay.
    """
    every = [question for record in records for question in questions(record)]
    kinds = (_balanced([q for q in every if q.kind == kind]) for kind in KINDS)
    return list(_in_turn(kinds))[:count]


def _balanced(of_kind: Sequence[Question]) -> list[Question]:
    shuffled = list(of_kind)
    random.Random("draw").shuffle(shuffled)
    by_truth: dict[frozenset[str], list[Question]] = {}
    for question in shuffled:
        # Names that are further left are one share, or yes and no would be drowned by them.
        named = question.kind == "left of" and not question.truth <= _YES_NO
        by_truth.setdefault(frozenset() if named else question.truth, []).append(question)
    return list(_in_turn(by_truth.values()))


def _in_turn(queues: Iterable[Sequence[Question]]) -> Iterator[Question]:
    """Yields the first of every queue, then the second of every queue, ... until all are empty."""
    for row in zip_longest(*queues):
        yield from (question for question in row if question is not None)


_LEXICON = Lexicon(COCO_NAMES)
_SIDES = frozenset({"left", "right"})
_ALL_PLACES = _SIDES | {"top", "bottom", "middle"}


def is_right(question: Question, answer: Answer) -> bool:
    """Returns whether a free answer is right.

    A yes or no counts by the first word of the answer or else of its verdict (an ABSENT answer is a
    no), a number or colour by the first one said, a class by the head noun (of the verdict, if the
    question holds its name), a place if left or right is said and no word is wrong.
    """
    words = tokens(answer.text)
    if question.truth <= _YES_NO:
        return _yes_or_no(answer) in question.truth
    if question.kind == "how many":
        return _first_number(words, answer.finish) in question.truth
    if question.kind == "colour":
        colours = (_SAME_COLOUR.get(word, word) for word in words)
        return next((c for c in colours if c in COLOURS), "") in question.truth
    if question.kind == "where":
        said = _ALL_PLACES & {_PLACES.get(word, word) for word in words}
        return bool(said & _SIDES) and said <= question.truth
    text = verdict(answer.text) if question.kind == "left of" else answer.text
    return bool(_LEXICON.classes(text) & question.truth)


def verdict(text: str) -> str:
    """Returns what is said of the things named first, "the dog, the cat: yes"; else all of it."""
    return text.rpartition(": ")[2]


def _yes_or_no(answer: Answer) -> str:
    if answer.finish is Finish.ABSENT:
        return "no"
    for words in map(tokens, (answer.text, verdict(answer.text))):
        if words and words[0] in ("yes", "no", "not", "none"):
            return "yes" if words[0] == "yes" else "no"
    return ""


def _first_number(words: Sequence[str], finish: Finish) -> str:
    if finish is Finish.ABSENT:
        return "0"
    for word in words:
        if word.isdecimal() and word.isascii():
            return str(int(word)) if len(word) < 4 else word
        if word in NUMBERS:
            return str(NUMBERS.index(word))
    return ""
