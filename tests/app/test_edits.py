"""Corrections: what was not touched comes back the same; what cannot teach is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import edits
from model.errors import DeixisError, QuestionError, RegionError
from model.types import Answer, Box, Grounding, Phrase, Region

DOG, ONE, TWO = Box(0.1, 0.1, 0.5, 0.5), Box(0.5, 0.5, 0.75, 1), Box(0, 0, 0.25, 1)
ANSWER = Answer(
    "A dog 🐕 by two men.",
    (
        Grounding(Phrase("A dog", 0, 5), (DOG,), (0.9,)),
        Grounding(Phrase("two men", 11, 18), (ONE, TWO), (0.8, 0.2)),
        Grounding(Phrase("ball"), (DOG,), (0.7,)),
    ),
)


def back(edit: dict[str, Any]) -> Answer:
    return edits.corrected(edit["boxes"], edit).answer


def test_an_answer_becomes_boxes_words_and_links() -> None:
    edit = edits.editable("Describe it.", ANSWER, 0.3)
    assert [(box["id"], box["label"]) for box in edit["boxes"]] == [
        ("1", "dog"),
        ("2", "two men"),
        ("3", "ball"),
    ]
    assert edit["links"] == [
        {"start": 0, "end": 5, "ids": ["1"]},
        {"start": 11, "end": 18, "ids": ["2"]},
    ]


def test_a_box_of_two_phrases_stays_one_box() -> None:
    text, men, they = "two men, they", Phrase("two men", 0, 7), Phrase("they", 9, 13)
    answer = Answer(text, tuple(Grounding(p, (ONE, TWO), (0.8, 0.7)) for p in (men, they)))
    edit = edits.editable("Who?", answer, 0.3)
    assert [box["id"] for box in edit["boxes"]] == ["1", "2"]
    assert [link["ids"] for link in edit["links"]] == [["1", "2"], ["1", "2"]]
    assert [(g.phrase, g.boxes) for g in back(edit).groundings] == [
        (men, (ONE, TWO)),
        (they, (ONE, TWO)),
    ]


def test_what_was_not_touched_comes_back_certain() -> None:
    answer = back(edits.editable("Describe it.", ANSWER, 0.0))
    assert answer.text == ANSWER.text
    assert [(g.phrase, g.boxes) for g in answer.groundings] == [
        (g.phrase, g.boxes) for g in ANSWER.groundings
    ]
    assert {score for g in answer.groundings for score in g.scores} == {1.0}


def test_a_label_that_a_person_gave_is_kept_beside_the_words() -> None:
    edit = edits.editable("Describe it.", replace(ANSWER, groundings=ANSWER.groundings[:2]), 0.0)
    edit["boxes"][0] |= {"label": "collie", "named": True}
    answer = back(edit)
    assert [(g.phrase.text, g.boxes) for g in answer.groundings] == [
        ("A dog", (DOG,)),
        ("two men", (ONE, TWO)),
        ("collie", (DOG,)),
    ]
    again = edits.editable("Describe it.", answer, 0.0)
    assert [box["label"] for box in again["boxes"]] == ["collie", "two men", "two men"]
    assert back(again) == answer


def test_words_that_were_mended_take_the_place_of_the_models_label() -> None:
    edit = edits.editable("Describe it.", ANSWER, 0.0)
    edit["text"] = edit["text"].replace("A dog", "A fox")
    assert [g.phrase.text for g in back(edit).groundings] == ["A fox", "two men", "ball"]


def test_boxes_of_one_label_become_one_class_name() -> None:
    boxes = [
        {"id": "1", "label": " a  cup ", "box": [0, 0, 0.5, 0.5]},
        {"id": "2", "label": "a cup", "box": [0.5, 0.5, 1, 1]},
    ]
    turn = edits.corrected(boxes, {"question": "Find all cups", "text": ""})
    (cup,) = turn.answer.groundings
    assert cup.phrase == Phrase("a cup")
    assert len(cup.boxes) == 2


def test_a_link_to_a_deleted_box_goes_with_it() -> None:
    edit = edits.editable("q", ANSWER, 0.0)
    edit["boxes"] = [box for box in edit["boxes"] if box["id"] != "1"]
    assert [g.phrase.text for g in back(edit).groundings] == ["two men", "ball"]


def test_a_region_of_the_question_stays() -> None:
    region = Region("@1", DOG)
    turn = edits.corrected([], {"question": "What is @1?", "text": "a dog"}, (region,))
    assert turn.regions == (region,)


BOX = {"id": "1", "label": "x", "box": [0, 0, 1, 1]}
SAID = {"question": "q", "text": "words"}
REFUSED: list[tuple[Any, Any, type[DeixisError]]] = [
    (None, SAID, RegionError),
    ("boxes", SAID, RegionError),
    ([7], SAID, RegionError),
    ([{**BOX, "box": [0, 0, 0, 1]}], SAID, RegionError),
    ([{**BOX, "box": None}], SAID, RegionError),
    ([{**BOX, "label": " "}], SAID, RegionError),
    ([BOX] * (edits.MAX_BOXES + 1), SAID, RegionError),
    ([BOX], {**SAID, "question": ""}, QuestionError),
    ([BOX], None, QuestionError),
    ([BOX], {**SAID, "text": "x" * 2001}, QuestionError),
    ([], {**SAID, "text": ""}, QuestionError),
    ([BOX], {**SAID, "links": [7]}, RegionError),
    ([BOX], {**SAID, "links": [{"start": 3, "end": 2, "ids": ["1"]}]}, RegionError),
    ([BOX], {**SAID, "links": [{"start": 0, "end": 99, "ids": ["1"]}]}, RegionError),
    ([BOX], {**SAID, "links": [{"start": float("nan"), "end": 1, "ids": ["1"]}]}, RegionError),
]


@pytest.mark.parametrize(("boxes", "caption", "error"), REFUSED)
def test_what_cannot_teach_is_refused(boxes: Any, caption: Any, error: type[DeixisError]) -> None:
    with pytest.raises(error):
        edits.corrected(boxes, caption)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "label", "box", "start", "end", "ids", "links", "question", "text"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_whatever_arrives_is_a_turn_or_a_refusal(boxes: Any, caption: Any) -> None:
    try:
        turn = edits.corrected(boxes, caption)
    except DeixisError:
        return
    for grounding in turn.answer.groundings:
        phrase = grounding.phrase
        assert phrase.start is None or turn.answer.text[phrase.start : phrase.end] == phrase.text
