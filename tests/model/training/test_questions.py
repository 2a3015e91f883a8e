from __future__ import annotations

from random import Random

import pytest

from model.records import LabelledObject
from model.training.mirror import mirrored
from model.training.questions import counted, place_of, pointing, questions
from model.types import Box, Turn
from tests.model.training import park

SEEDS = range(150)


def _asked(**changes: object) -> list[Turn]:
    return [turn for seed in SEEDS for turn in questions(park.record(**changes), Random(seed))]


def _answers(turns: list[Turn], *words: str) -> set[str]:
    """The answers to questions that hold all of these words."""
    return {t.answer.text for t in turns if all(word in t.question.lower() for word in words)}


def test_answers_follow_from_the_boxes() -> None:
    turns = _asked()
    assert _answers(turns, "how many", "dogs") == {"dogs: two"}
    alone = _asked(objects=park.record().objects[:1], grounded=(), refs=())
    assert _answers(alone, "how many", "people") == {"person: one"}
    assert _answers(turns, "is there a dog") <= {"yes, a dog"}
    assert _answers(turns, "is there", "zebra") <= {"no"}
    assert _answers(turns, "what colour is the person wearing?") == {"the person: red"}
    assert _answers(turns, "capital of france") == {"I can't tell."}
    assert _answers(turns, "zebras", "how many") <= {"Not present."}


def test_answers_that_speak_of_things_point_at_all_of_them() -> None:
    both = [park.LEFT_DOG, park.RIGHT_DOG]
    of = {"dogs: two": both, "yes, a dog": both, "yes, a person": [park.PERSON]}
    seen = set()
    for turn in _asked():
        for grounding in turn.answer.groundings:
            words = turn.answer.text[grounding.phrase.start : grounding.phrase.end]
            assert words == grounding.phrase.text
        if turn.answer.text in of:
            seen.add(turn.answer.text)
            (grounding,) = turn.answer.groundings
            assert list(grounding.boxes) == of[turn.answer.text]
    assert seen == set(of)


def test_sides_of_two_regions_are_those_of_their_centres() -> None:
    asked = {"left": 0, "right": 0}
    for turn in _asked():
        if len(turn.regions) == 2 and turn.answer.text in asked:
            first, second = (region.shape for region in turn.regions)
            assert isinstance(first, Box)
            assert isinstance(second, Box)
            assert (first.centre[0] < second.centre[0]) == (turn.answer.text == "left")
            assert abs(first.centre[0] - second.centre[0]) >= 0.1
            asked[turn.answer.text] += 1
    assert all(asked.values())


def test_things_that_are_compared_are_pointed_at_before_the_verdict() -> None:
    dog = LabelledObject("dog", park.LEFT_DOG)
    cat = LabelledObject("hot dog", park.RIGHT_DOG)
    beside = park.record(objects=(dog, cat), grounded=(), refs=())
    for record, left in ((beside, "dog"), (mirrored(beside), "hot dog")):
        places = {thing.label: thing.box for thing in record.objects}
        said = set()
        turns = [turn for seed in SEEDS for turn in questions(record, Random(seed))]
        for turn in (t for t in turns if len(t.answer.groundings) == 2):
            text, found = turn.answer.text, turn.answer.groundings
            named = [g.phrase.text.removeprefix("the ") for g in found]
            asked = turn.question.lower()
            end = 0
            for name, grounding in zip(named, found, strict=True):
                phrase = grounding.phrase
                assert text[phrase.start : phrase.end] == phrase.text == f"the {name}"
                assert grounding.boxes == (places[name],)
                assert end <= phrase.start, "in the order of the text"
                end = phrase.end
            assert asked.index(f"the {named[0]}") < asked.rindex(f"the {named[1]}")
            verdict = text.removeprefix(f"the {named[0]}, the {named[1]}: ")
            side = "left" if "left" in asked else "right"
            other = "hot dog" if left == "dog" else "dog"
            meant = left if side == "left" else other
            assert verdict in (meant, "yes" if named[0] == meant else "no")
            said.add(verdict)
        assert said == {"dog", "hot dog", "yes", "no"}


def test_a_colour_is_said_of_the_person_pointed_at() -> None:
    found = [t.answer for t in _asked() if t.answer.text == "the person: red"]
    assert found
    for answer in found:
        (grounding,) = answer.groundings
        assert (grounding.phrase.start, grounding.phrase.end) == (0, 10)
        assert grounding.boxes == (park.PERSON,)


def test_what_was_not_looked_for_is_neither_counted_nor_denied() -> None:
    for change in ({"exhaustive": False}, {"label_space": "none"}):
        for turn in _asked(**change):
            assert turn.answer.text not in ("no", "Not present.")
    for turn in _asked(exhaustive=False):
        assert "how many" not in turn.question.lower()
    assert not any("bird" in turn.question for turn in _asked()), "nobody counts a crowd"


def test_every_region_of_a_question_is_drawn() -> None:
    for turn in _asked():
        for region in turn.regions:
            assert region.name in turn.question


def test_a_picture_of_nothing_has_only_what_needs_nothing() -> None:
    for turn in _asked(objects=(), grounded=(), refs=()):
        assert not turn.regions
        assert turn.answer.text in ("no", "Not present.", "I can't tell.")


@pytest.mark.parametrize(
    ("centre", "words"),
    [
        ((0.1, 0.5), "on the left"), ((0.9, 0.5), "on the right"), ((0.5, 0.5), "in the middle"),
        ((0.5, 0.1), "at the top"), ((0.1, 0.9), "at the bottom left"),
        ((0.9, 0.1), "at the top right"),
    ],
)  # fmt: skip
def test_places_have_names(centre: tuple[float, float], words: str) -> None:
    x, y = centre
    assert place_of(Box(x - 0.05, y - 0.05, x + 0.05, y + 0.05)) == words


def test_counts_are_written_out_and_phrases_found() -> None:
    assert counted("dog", [park.LEFT_DOG]).text == "dog: one"
    assert counted("sheep", [park.LEFT_DOG] * 3).text == "sheep: three"
    answer = pointing("a dog, the dog", "dog", [park.LEFT_DOG])
    assert answer.groundings[0].phrase.start == 11


def test_the_same_draw_asks_the_same() -> None:
    again = [list(questions(park.record(), Random(seed))) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]
    lone = park.record(objects=(LabelledObject("dog", park.LEFT_DOG),), grounded=(), refs=())
    assert all(len(t.regions) < 2 for seed in SEEDS for t in questions(lone, Random(seed)))
