from __future__ import annotations

import pytest

from model.dialogue import MAX_RECALLED, MAX_RECALLED_TEXT, dialogue_row, recalled
from model.errors import RegionError
from model.tokens import Marked, Special
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


def test_the_newest_short_turns_are_recalled() -> None:
    short = [Turn(f"question {i}", Answer("yes")) for i in range(MAX_RECALLED + 2)]
    long = Turn("everything", Answer("dog " * MAX_RECALLED_TEXT))
    assert recalled([*short, long]) == short[-MAX_RECALLED:]
    assert recalled([]) == []
