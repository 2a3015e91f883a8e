from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.metrics.items import Item
from model.metrics.localization import clicks, expressions, iou, masks, nearest_iou, phrases
from model.metrics.predictions import Prediction
from model.metrics.queries import Query, Task
from model.records import Expression, GroundedPhrase, LabelledObject, PictureFile, Record
from model.turns import mask_to_rle
from model.types import Answer, Box, Grounding, Phrase, Size, WordBox

LEFT, RIGHT, NOWHERE = Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1), Box(0.45, 0.45, 0.5, 0.5)
TRIANGLE = ((0.0, 0.0, 0.5, 0.0, 0.0, 1.0),)
RECORD = Record(
    id="a",
    size=Size(40, 20),
    file=PictureFile(Path(), None, "a.png"),
    objects=(LabelledObject("dog", LEFT, polygons=TRIANGLE), LabelledObject("dog", RIGHT)),
    captions=("two dogs and grass",),
    grounded=(GroundedPhrase(0, 0, 8, (0, 1), "dog"),),
    refs=(Expression("left", 0, "position"), Expression("right", 1, "size")),
)


def _item(task: Task, index: int, *groundings: Grounding, **fields: Any) -> Item:
    query = Query("a", task, index, None)
    words = fields.pop("words", ())
    prediction = Prediction(query.key, None, True, Answer("", groundings, words), **fields)
    return Item(RECORD, query, prediction)


def _at(*boxes: Box, span: tuple[int, int] | None = None) -> Grounding:
    scores = tuple(0.9 - 0.1 * i for i in range(len(boxes)))
    return Grounding(Phrase("x", *(span or (None, None))), boxes, scores)


def _boxes() -> st.SearchStrategy[Box]:
    side = st.tuples(st.integers(0, 9), st.integers(1, 5)).map(lambda s: (s[0] / 20, s[1] / 20))
    return st.tuples(side, side).map(
        lambda s: Box(s[0][0], s[1][0], s[0][0] + s[0][1], s[1][0] + s[1][1])
    )


def test_iou_by_hand() -> None:
    assert iou(LEFT, LEFT) == 1
    assert iou(LEFT, RIGHT) == 0
    assert iou(Box(0, 0, 0.5, 0.5), Box(0.25, 0, 0.75, 0.5)) == pytest.approx(1 / 3)


@given(a=_boxes(), b=_boxes())
def test_iou_is_symmetric_and_one_only_for_equal_boxes(a: Box, b: Box) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1
    assert (iou(a, b) == pytest.approx(1)) == (a.as_tuple() == pytest.approx(b.as_tuple()))


def test_the_nearest_of_several_counts_and_no_box_overlaps_nothing() -> None:
    assert nearest_iou(RIGHT, [LEFT, RIGHT]) == 1
    assert nearest_iou(None, [LEFT]) == 0
    assert nearest_iou(LEFT, []) == 0


def test_expressions_by_kind_with_the_best_box_alone() -> None:
    items = [
        _item(Task.REFER, 0, _at(LEFT, RIGHT)),
        _item(Task.REFER, 1, _at(NOWHERE, RIGHT, LEFT)),
    ]
    found = expressions(items)
    assert found["acc50"].value == 0.5
    assert found["acc50_position"].value == 1
    assert found["acc50_size"].value == 0
    assert found["boxes_per_expression"].value == 2.5
    assert found["said_absent"].value == 0


def test_the_best_of_several_groundings_is_taken() -> None:
    low = Grounding(Phrase("x"), (RIGHT,), (0.2,))
    high = Grounding(Phrase("x"), (LEFT,), (0.8,))
    assert expressions([_item(Task.REFER, 0, low, high)])["acc50"].value == 1


def test_a_failed_expression_is_wrong_but_has_no_number_of_boxes() -> None:
    failed = Item(RECORD, Query("a", Task.REFER, 1, None), None)
    found = expressions([_item(Task.REFER, 0, _at(LEFT)), failed])
    assert found["acc50"].value == 0.5
    assert found["boxes_per_expression"].count == 1


def test_an_overlap_of_just_half_is_right() -> None:
    assert expressions([_item(Task.REFER, 0, _at(Box(0, 0, 0.5, 0.5)))])["acc50"].value == 1
    assert expressions([_item(Task.REFER, 0, _at(Box(0, 0, 0.5, 0.49)))])["acc50"].value == 0


@pytest.mark.parametrize(
    ("grounding", "recall"),
    [
        (_at(RIGHT, span=(0, 8)), 1),
        (_at(NOWHERE, LEFT, span=(0, 8)), 0),
        (_at(LEFT, span=(0, 7)), 0),
        (_at(LEFT), 0),
    ],
)
def test_phrases_by_any_of_their_objects(grounding: Grounding, recall: float) -> None:
    assert phrases([_item(Task.GROUND, 0, grounding)])["recall1"].value == recall


def test_words_count_inside_the_phrase_only() -> None:
    words = (
        WordBox(Phrase("two", 0, 3), RIGHT),
        WordBox(Phrase("dogs", 4, 8), Box(0, 0, 0.25, 1)),
        WordBox(Phrase("grass", 13, 18), NOWHERE),
    )
    found = phrases([_item(Task.GROUND, 0, _at(LEFT, span=(0, 8)), words=words)])
    assert found["word_iou"].value == pytest.approx((1 + 0.5) / 2)
    assert found["word_iou"].count == 2


def test_clicks_by_the_box_of_what_was_clicked() -> None:
    found = clicks([_item(Task.CLICK, 0, _at(Box(0, 0, 0.5, 0.5))), _item(Task.CLICK, 1)])
    assert found["box_iou"].value == pytest.approx(0.25)
    assert found["box_acc50"].value == 0.5


def test_masks_by_pixels() -> None:
    right = mask_to_rle(RECORD.objects[0].mask(RECORD.size))
    full = {"size": [20, 40], "counts": [0, 800]}
    found = masks([_item(Task.SEGMENT, 0, masks=(right,)), _item(Task.SEGMENT, 0, masks=(full,))])
    share = sum(right["counts"][1::2]) / 800
    assert found["mean_iou"].value == pytest.approx((1 + share) / 2)
    # A right triangle fills half of its box.
    assert found["mean_iou_of_box"].value == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"size": [20, 40], "counts": [1, 2]},
        {"size": [40, 20], "counts": [0, 800]},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [20, 40], "counts": "abc"},
        {"size": None, "counts": [0, 800]},
    ],
)
def test_a_broken_mask_is_an_empty_one(broken: dict[str, Any]) -> None:
    assert masks([_item(Task.SEGMENT, 0, masks=(broken,))])["mean_iou"].value == 0
