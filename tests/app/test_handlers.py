"""The page's decisions: what a question means, what is refused and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from app import handlers, words
from app.intake import Picture
from app.marks import Marks
from app.session import Desk, Exchange
from model.errors import DeixisError, PictureError, QuestionError, RegionError
from model.types import (
    Answer,
    Box,
    Capability,
    Finish,
    Grounding,
    Phrase,
    Point,
    Points,
    Region,
    Size,
)

PICTURE = Picture(Image.new("RGB", (40, 30)), Size(40, 30), "key")
DESK = Desk(picture=PICTURE)
ONE = Region("@1", Points((Point(0.5, 0.5),)))
TWO = Region("@2", Box(0, 0, 0.5, 0.5))
MARKS = Marks("key", (ONE, TWO), "@2")


def begun(
    text: str, marks: Marks = MARKS, task: Capability | None = None, desk: Desk = DESK
) -> Exchange:
    return handlers.begin(desk, text, marks, task).exchanges[-1]


REFUSED: list[tuple[str, Marks, Capability | None, type[DeixisError], str]] = [
    ("", MARKS, None, QuestionError, words.NO_TEXT),
    (" \n ", MARKS, None, QuestionError, words.NO_TEXT),
    ("x" * 2001, MARKS, None, QuestionError, "2001 characters; at most 2000"),
    ("what is @9?", MARKS, None, RegionError, "no @9 on this picture. Drawn so far: @1, @2."),
    ("what is @9?", Marks("key"), None, RegionError, "Click on the picture to make @1."),
    ("What is @{number}?", Marks("key"), Capability.REGION, RegionError, words.NO_MARK),
    ("Find all", MARKS, Capability.DETECT, QuestionError, words.NAMES_MISSING),
    ("Find all ", MARKS, None, QuestionError, words.NAMES_MISSING),
    ("hello", Marks("another"), None, PictureError, words.OTHER_PICTURE),
]


@pytest.mark.parametrize(("text", "marks", "task", "error", "message"), REFUSED)
def test_what_cannot_be_answered_is_refused_plainly(
    text: str, marks: Marks, task: Capability | None, error: type[DeixisError], message: str
) -> None:
    with pytest.raises(error) as caught:
        begun(text, marks, task)
    assert message in str(caught.value)


def test_without_a_picture_nothing_is_asked() -> None:
    with pytest.raises(PictureError, match="Choose a picture first"):
        handlers.begin(Desk(), "hello", Marks())


def test_a_question_brings_the_marks_it_speaks_of() -> None:
    assert begun("is @2 beside @1, or @2?").regions == (TWO, ONE)
    assert begun("Segment @{number}.", MARKS, Capability.SEGMENT).question == "Segment @2."


def test_find_all_becomes_a_detection() -> None:
    exchange = begun("find all dogs")
    assert (exchange.task, exchange.names) == (Capability.DETECT, ("dogs",))


def test_words_grow_and_the_answer_is_put_on_display() -> None:
    desk = handlers.begin(DESK, "hello", MARKS)
    desk = handlers.grow(handlers.grow(desk, 1, "a "), 1, "dog")
    assert desk.exchanges[0].text == "a dog"
    desk = handlers.finish(desk, 1, Answer("a dog."), 12)
    assert desk.exchanges[0].answer == Answer("a dog.")
    assert desk.shown == 1
    assert not desk.exchanges[0].open


def test_an_interrupted_answer_keeps_its_words_and_takes_no_more() -> None:
    desk = handlers.grow(handlers.begin(DESK, "first", MARKS), 1, "half")
    desk = handlers.begin(desk, "second", MARKS)
    late = handlers.finish(handlers.grow(desk, 1, " more"), 1, Answer("late"), 1)
    assert late.exchanges[0].answer == Answer("half", finish=Finish.CANCELLED)
    assert late.exchanges[1].open


def test_closing_leaves_a_whole_answer_alone() -> None:
    desk = handlers.finish(handlers.begin(DESK, "q", MARKS), 1, Answer("whole"), 1)
    assert handlers.close(desk, 1) == desk
    assert handlers.close(desk, 99) == desk


def test_an_absent_answer_says_so_in_words() -> None:
    desk = handlers.begin(DESK, "the unicorn", MARKS)
    desk = handlers.finish(desk, 1, Answer("", finish=Finish.ABSENT), 1)
    answer = desk.exchanges[0].answer
    assert answer is not None
    assert answer.text == words.ABSENT_PLAIN


def test_history_holds_whole_turns_before_the_question() -> None:
    desk = handlers.finish(handlers.begin(DESK, "what is @2?", MARKS), 1, Answer("a dog"), 1)
    desk = handlers.fail(handlers.begin(desk, "broken", MARKS), 2, "no")
    desk = handlers.begin(desk, "and now?", MARKS)
    (turn,) = handlers.history(desk, 3, 0.3)
    assert (turn.question, turn.answer.text, turn.regions) == ("what is @2?", "a dog", (TWO,))


def test_a_detection_is_history_as_it_was_read() -> None:
    found = Grounding(Phrase("dogs"), (Box(0, 0, 1, 1), Box(0, 0, 0.5, 1)), (0.9, 0.1))
    desk = handlers.begin(DESK, "find all dogs, cats", MARKS)
    desk = handlers.finish(desk, 1, Answer("", (found,)), 1)
    desk = handlers.begin(desk, "next", MARKS)
    (turn,) = handlers.history(desk, 2, 0.3)
    assert turn.answer.text == "dogs. Not present: cats."
    assert turn.answer.groundings[0].phrase == Phrase("dogs", 0, 4)


def test_only_so_many_turns_are_kept() -> None:
    desk = DESK
    for _ in range(5):
        desk = handlers.begin(desk, "hi", MARKS, limits=handlers.Limits(turns=3))
    assert [exchange.number for exchange in desk.exchanges] == [3, 4, 5]


def test_another_picture_is_another_conversation_with_new_numbers() -> None:
    desk = handlers.finish(handlers.begin(DESK, "hi", MARKS), 1, Answer("yes"), 1)
    desk = handlers.open_picture(desk, replace(PICTURE, key="other"), "title")
    assert desk.exchanges == ()
    assert desk.shown is None
    assert handlers.begin(desk, "hi", Marks("other")).exchanges[0].number == 2


@pytest.mark.parametrize("number", [7, "1", None, 1.0])
def test_showing_what_is_not_there_shows_nothing(number: object) -> None:
    desk = handlers.finish(handlers.begin(DESK, "hi", MARKS), 1, Answer("yes"), 1)
    assert handlers.show(desk, 1).shown == 1
    assert handlers.show(desk, number).shown is None


@pytest.mark.parametrize(
    ("value", "threshold"),
    [
        (0.4, 0.4),
        (7, 1.0),
        (-1, 0.0),
        ("0.5", 0.5),
        (float("nan"), None),
        (None, None),
        ("x", None),
    ],
)
def test_a_threshold_is_a_score_or_nothing(value: object, threshold: float | None) -> None:
    assert handlers.set_threshold(DESK, value).threshold == threshold


@pytest.mark.parametrize(
    ("screen", "expected"),
    [
        ([800, 2], (1600, 2.0)),
        ([390, 9], (1170, 3.0)),
        ([1e9, 1], (2048, 1.0)),
        ([1, 1], (480, 1.0)),
        (["x", 1], DESK.screen),
        ([float("nan"), 1], DESK.screen),
        (None, DESK.screen),
        ([1, 2, 3], DESK.screen),
    ],
)
def test_the_screen_is_believed_within_limits(screen: object, expected: object) -> None:
    assert handlers.set_screen(DESK, {"screen": screen}).screen == expected


def test_retry_and_rewind_take_questions_back() -> None:
    desk = handlers.begin(handlers.begin(DESK, "one", MARKS), "two", MARKS)
    shorter, last = handlers.retry(desk)
    assert (len(shorter.exchanges), last.question) == (1, "two")
    shorter, first = handlers.rewind(desk, 0)
    assert (shorter.exchanges, first.question) == ((), "one")
    for index in (-1, 4, 99):
        with pytest.raises(QuestionError):
            handlers.rewind(desk, index)
    with pytest.raises(QuestionError):
        handlers.retry(DESK)
