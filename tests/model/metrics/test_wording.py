from __future__ import annotations

from pathlib import Path

import pytest

from model.metrics.items import Item
from model.metrics.predictions import Prediction
from model.metrics.queries import Query, Task
from model.metrics.wording import captions, names_given
from model.records import LabelledObject, PictureFile, Record
from model.types import Answer, Box, Grounding, Phrase, Size

NAMES = {"coco80": ("person", "horse", "dog")}
BIG, SMALL = Box(0.1, 0.1, 0.6, 0.6), Box(0.7, 0.7, 0.8, 0.8)


def _record(name: str = "a", *wording: str) -> Record:
    objects = LabelledObject("person", BIG), LabelledObject("horse", SMALL)
    file = PictureFile(Path(), None, "a.png")
    return Record(name, Size(100, 100), file, objects, tuple(wording), exhaustive=True)


def _item(record: Record, index: int, text: str | None, *groundings: Grounding) -> Item:
    query = Query(record.id, Task.REGION, index, None)
    if text is None:
        return Item(record, query, None)
    return Item(record, query, Prediction(query.key, None, True, Answer(text, groundings)))


def test_names_count_by_head_noun_and_by_size() -> None:
    record = _record()
    items = [_item(record, 0, "a woman riding a horse"), _item(record, 1, "a man on a horse")]
    found = names_given(items, NAMES)
    assert found["top1"].value == 0.5
    assert (found["top1_large"].value, found["top1_large"].count) == (1, 1)


@pytest.mark.parametrize("text", [None, "", "something"])
def test_no_answer_and_no_known_word_are_wrong(text: str | None) -> None:
    assert names_given([_item(_record(), 0, text)], NAMES)["top1"].value == 0


def test_captions_by_the_words_of_people() -> None:
    one = _record("a", "a man rides a brown horse", "man on a horse")
    two = _record("b", "a dog sleeps on a sofa", "dog on a couch")
    same, swapped = (
        captions([_item(one, 0, first), _item(two, 0, second)], NAMES)
        for first, second in (
            ("a man rides a brown horse", "a dog sleeps on a sofa"),
            ("a dog sleeps on a sofa", "a man rides a brown horse"),
        )
    )
    assert same["cider"].value > 300
    assert swapped["cider"].value < 1
    assert same["words"].value == 6
    assert same["distinct"].value == 1


def test_repeated_and_missing_captions_show() -> None:
    records = [_record(name, "a man rides a horse", "a rider") for name in "abcd"]
    items = [_item(record, 0, "a man") for record in records[:3]] + [_item(records[3], 0, None)]
    found = captions(items, NAMES)
    assert found["distinct"].value == 0.5
    assert found["words"].value == pytest.approx(1.5)


def test_phrases_are_right_if_their_box_is_on_such_a_thing() -> None:
    def at(text: str, box: Box) -> Grounding:
        return Grounding(Phrase(text, 0, len(text)), (box,), (0.9,))

    places = (at("a man", BIG), at("a horse", BIG), at("the grass", BIG), at("a dog", SMALL))
    found = captions([_item(_record("a", "x"), 0, "a man a horse", *places)], NAMES)
    assert found["phrase_precision"].value == pytest.approx(1 / 3)
    assert found["phrases"].value == 4
