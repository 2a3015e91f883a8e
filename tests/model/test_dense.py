from __future__ import annotations

from model.dense import MOST, describe_all, distinct
from model.types import Answer, Box, Delta, Finish, Grounding, Phrase

A, B = Box(0, 0, 0.5, 0.5), Box(0.5, 0.5, 1, 1)
ALMOST_A = Box(0, 0, 0.5, 0.49)


def _found(*things: tuple[str, Box, float]) -> Answer:
    return Answer("", tuple(Grounding(Phrase(n), (box,), (score,)) for n, box, score in things))


def test_each_place_is_kept_once_best_first() -> None:
    found = _found(("dog", A, 0.5), ("bird", B, 0.6), ("cat", ALMOST_A, 0.9))
    assert distinct(found) == [(ALMOST_A, 0.9), (B, 0.6)]
    assert distinct(Answer("")) == []


def test_there_are_at_most_so_many() -> None:
    strip = [Box(i / 40, 0, (i + 1) / 40, 1) for i in range(40)]
    assert len(distinct(_found(*(("dog", box, 0.5) for box in strip)))) == MOST


def test_descriptions_are_joined_and_each_is_tied_to_its_box() -> None:
    words = {A: "a dog", B: ""}
    *deltas, whole = describe_all([(A, 0.9), (B, 0.4)], words.__getitem__, None)
    assert isinstance(whole, Answer)
    assert whole.text == "a dog; something"
    assert "".join(d.text for d in deltas if isinstance(d, Delta)) == whole.text
    for grounding, box in zip(whole.groundings, (A, B), strict=True):
        span = slice(grounding.phrase.start, grounding.phrase.end)
        assert whole.text[span] == grounding.phrase.text
        assert grounding.boxes == (box,)


def test_stopping_keeps_what_was_said_and_nothing_is_an_answer() -> None:
    asked: list[Box] = []

    def describe(box: Box) -> str:
        asked.append(box)
        return "dog"

    *_, whole = describe_all([(A, 0.9), (B, 0.4)], describe, lambda: bool(asked))
    assert isinstance(whole, Answer)
    assert (whole.text, whole.finish, asked) == ("dog", Finish.CANCELLED, [A])
    (nothing,) = describe_all([], describe, None)
    assert isinstance(nothing, Answer)
    assert nothing.finish is Finish.ABSENT
