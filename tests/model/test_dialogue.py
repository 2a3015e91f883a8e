from __future__ import annotations

import pytest

from model.dialogue import (
    MAX_RECALLED,
    MAX_RECALLED_TEXT,
    dialogue_row,
    points_back,
    recalled,
)
from model.errors import RegionError
from model.tokens import Marked, Special
from model.training import wording
from model.types import Answer, Region, Turn
from tests.model import tiny

DECODER = tiny.tree().decoder


def _row(*turns: Turn):  # noqa: ANN202
    return dialogue_row(turns, tiny.vocabulary(), DECODER)


def test_one_turn_is_its_question_and_its_marked_answer() -> None:
    turn = tiny.turns()[1]
    row, shapes = _row(turn)
    pieces = [
        Marked("a"), Marked("red square", Special.GRD), Marked("and"),
        Marked("a blue square", Special.GRD),
    ]  # fmt: skip
    question = tiny.vocabulary().question(turn.question, [], 1)
    assert row == tiny.vocabulary().turn(question, pieces, DECODER.num_links)
    assert shapes == []


def test_turns_lie_behind_each_other_and_their_phrases_are_numbered_through() -> None:
    turns = tiny.turns()
    apart = [_row(turn) for turn in turns]
    row, shapes = _row(*turns)
    assert row.ids == tuple(i for part, _ in apart for i in part.ids)
    assert row.labels == tuple(i for part, _ in apart for i in part.labels)
    assert shapes == [shape for _, some in apart for shape in some]
    assert [row.ids[token] for token, _ in row.groups] == [Special.GRD.id] * 3
    pieces = [piece for _, piece in row.groups]
    assert len(set(pieces)) == 3
    words = [tiny.vocabulary().decode([row.ids[t]]) for t, piece in row.words if piece == pieces[2]]
    assert "".join(words).strip() == "blue square"


def test_a_later_turn_may_name_a_region_of_an_earlier_one() -> None:
    drawn = Turn("What is @1?", Answer("dog"), (Region("@1", tiny.LEFT),))
    again = Turn("Where is @1?", Answer("on the left"))
    row, shapes = _row(drawn, again)
    assert shapes == [tiny.LEFT, tiny.LEFT]
    assert row.ids.count(Special.REGION.id) == 2
    with pytest.raises(RegionError, match="@1"):
        _row(again, drawn)
    known = {"@1": tiny.RIGHT}
    assert dialogue_row([again], tiny.vocabulary(), DECODER, known)[1] == [tiny.RIGHT]


FOLLOWING = [
    text
    for name, ways in vars(wording).items()
    if name.startswith("FOLLOW_")
    for text in ways
    if "@" not in text
]
COMPLETE = [
    text.format("the dog", "the cat", side="left")
    for ways in (
        wording.REFER, wording.FIND_ALL, wording.CAPTION, wording.PLAIN_CAPTION, wording.COUNT,
        wording.IS_THERE, wording.WHAT_GROUP, wording.COLOUR_NAMED, wording.SIDE_NAMED,
        wording.PLACE_NAMED, wording.REGION, wording.SEGMENT, wording.POSE,
    )
    for text in ways
]  # fmt: skip
BACK_BY_THEIR_WORDS = {
    "Only describe it.",
    "Is it true that the the dog is left of the the cat?",
    "Is the the dog more to the left than the the cat?",
    "Where exactly is @1? Segment it.",
}
"""Complete, but with a word that may point back: earlier turns are read for nothing."""


@pytest.mark.parametrize("question", FOLLOWING)
def test_what_follows_points_back(question: str) -> None:
    assert points_back(question)


@pytest.mark.parametrize("question", COMPLETE)
def test_complete_questions_stand_alone(question: str) -> None:
    assert points_back(question) is (question in BACK_BY_THEIR_WORDS)


def test_the_newest_short_turns_are_recalled() -> None:
    short = [Turn(f"question {i}", Answer("yes")) for i in range(MAX_RECALLED + 2)]
    long = Turn("everything", Answer("dog " * MAX_RECALLED_TEXT))
    assert recalled("Where is it?", [*short, long]) == short[-MAX_RECALLED:]
    assert recalled("Where is the dog?", short) == []
    assert recalled("Where is it?", []) == []
