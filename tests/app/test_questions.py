from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app import words
from app.intake import Picture
from app.marks import Marks
from app.questions import names_to_find, spoken_of, starter_mark, worded
from app.samples import Sample
from app.session import Desk, Exchange
from model.errors import QuestionError, RegionError
from model.types import Answer, Box, Point, Points, Region, Size

DESK = Desk(picture=Picture(Image.new("RGB", (40, 30)), Size(40, 30), "key"))
ONE = Region("@1", Points((Point(0.5, 0.5),)))
TWO = Region("@2", Box(0, 0, 0.5, 0.5))
MARKS = Marks("key", (ONE, TWO), "@2")
NONE = Marks("key")
SAMPLE = Sample(Path("dog.jpg"), "Dog", "A dog.", ("What is this?",), (0.4, 0.5))


def test_marks_are_spoken_of_in_the_order_of_their_names() -> None:
    assert spoken_of("is @2 beside @1, or @2?", MARKS, DESK) == (TWO, ONE)


def test_this_means_the_mark_in_hand() -> None:
    assert spoken_of("what is this?", MARKS, DESK) == (TWO,)
    for question in ("Describe this picture.", "the man that runs", "where is the dog?"):
        assert spoken_of(question, MARKS, DESK) == ()
    for question in ("what colour is that?", "describe that", "is it this cup in this picture?"):
        assert spoken_of(question, MARKS, DESK) == (TWO,)
    assert spoken_of("what is this?", NONE, DESK) == ()


def test_a_mark_of_an_earlier_turn_can_still_be_named() -> None:
    seven = Region("@7", Box(0, 0, 1, 1))
    asked = Exchange(1, "What is @7?", (seven,), answer=Answer("a dog"))
    assert spoken_of("what is @7 holding?", NONE, replace(DESK, exchanges=(asked,))) == (seven,)


def test_an_address_is_no_mark() -> None:
    assert spoken_of("who is me@1, or a@@1?", NONE, DESK) == ()


@pytest.mark.parametrize(("marks", "remedy"), [(MARKS, "@1, @2."), (NONE, "to make @1.")])
def test_a_mark_that_nobody_drew_is_told_with_those_there_are(marks: Marks, remedy: str) -> None:
    with pytest.raises(RegionError, match="@9") as refused:
        spoken_of("what is @9?", marks, DESK)
    assert str(refused.value).endswith(remedy)


def test_a_button_speaks_of_the_mark_in_hand_or_the_last_one() -> None:
    assert worded("Segment @{number}.", MARKS, 99) == "Segment @2."
    assert worded("Segment @{number}.", Marks("key", (TWO, ONE)), 99) == "Segment @1."
    with pytest.raises(RegionError, match=words.NO_MARK):
        worded("Segment @{number}.", NONE, 99)


def test_a_question_is_neither_empty_nor_too_long() -> None:
    assert worded(" a dog ", NONE, 5) == "a dog"
    with pytest.raises(QuestionError, match=words.NO_TEXT):
        worded(" \n ", NONE, 5)
    with pytest.raises(QuestionError, match="6 characters; at most 5"):
        worded("a duck", NONE, 5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Find all dogs, cups and the red car.", ("dogs", "cups", "red car")),
        ("find every person", ("person",)),
        ("Detect all: dog; cat & bird or fish", ("dog", "cat", "bird", "fish")),
        ("find all dogs, dogs", ("dogs",)),
        ("find the dog", ()),
        ("the dog on the left", ()),
    ],
)
def test_names_to_find(text: str, names: tuple[str, ...]) -> None:
    assert names_to_find(text) == names


def test_a_first_this_on_a_sample_points_at_its_main_thing() -> None:
    desk = replace(DESK, sample=SAMPLE)
    mark = starter_mark(desk, "What is this?", {"marks": []})
    assert mark == {"name": "@1", "points": [[0.4, 0.5, 1]]}
    assert starter_mark(desk, "Describe this picture.", {}) is None
    assert starter_mark(desk, "What is this?", {"marks": [{"name": "@1"}]}) is None
    assert starter_mark(DESK, "What is this?", {}) is None
