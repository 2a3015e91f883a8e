from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest

from model.training.importers.draft import Draft
from model.training.importers.examples import draft_of, example_of, plain_label, stored_turns
from model.turns import turn_to_json
from model.types import (
    Answer,
    Box,
    Example,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Point,
    Points,
    Region,
    Size,
    Turn,
)

SIZE = Size(100, 50)
BOX = Box(0.1, 0.2, 0.5, 0.6)
HERE = (PurePosixPath("a.png"), PurePosixPath("a.jsonl"), "line 1")


def _draft(*turns: Turn) -> Draft:
    return draft_of(Example("a.png", SIZE, turns), *HERE)


def _found(text: str, start: int | None, *boxes: Box) -> Grounding:
    end = None if start is None else start + len(text)
    return Grounding(Phrase(text, start, end), boxes, (1.0,) * len(boxes))


def test_all_boxes_of_a_class_become_objects() -> None:
    other = Box(0.6, 0.2, 0.9, 0.6)
    draft = _draft(Turn("Find all cats.", Answer("cats", (_found("cat", None, BOX, other),))))
    assert [(thing.label, thing.bbox) for thing in draft.objects] == [
        ("cat", pytest.approx((10, 10, 40, 20))),
        ("cat", pytest.approx((60, 10, 30, 20))),
    ]
    assert (draft.captions, draft.refs) == ([], [])


def test_an_expression_with_one_box_is_a_ref_and_no_caption() -> None:
    answer = Answer("the cat on the left", (_found("the cat on the left", 0, BOX),))
    draft = _draft(Turn("Where is the cat on the left?", answer))
    assert [(ref.text, ref.object) for ref in draft.refs] == [("the cat on the left", 0)]
    assert draft.captions == []


def test_nothing_there_teaches_no_box() -> None:
    draft = _draft(Turn("Where is the dog?", Answer("Not present.", finish=Finish.ABSENT)))
    assert draft.objects == []
    assert len(draft.turns) == 1


@pytest.mark.parametrize(
    ("question", "shape", "named"),
    [
        ("What is @1?", BOX, True),
        ("what's in @1", BOX, True),
        ("Name @1.", Mask(np.eye(4, dtype=bool)), True),
        ("What is @1 holding?", BOX, False),
        ("What is @1?", Points((Point(0.5, 0.5),)), False),
    ],
)
def test_only_the_name_of_a_region_with_an_extent_becomes_a_label(
    question: str, shape: Box | Mask | Points, named: bool
) -> None:
    draft = _draft(Turn(question, Answer("A cat."), (Region("@1", shape),)))
    assert [thing.label for thing in draft.objects] == (["cat"] if named else [])


def test_masks_and_poses_come_along() -> None:
    mask = Mask(np.pad(np.ones((10, 20), bool), ((10, 30), (20, 60))))
    pose = Keypoints(((0.5, 0.5, 0.9),) * 16 + ((0.1, 0.1, 0.1),))
    grounding = Grounding(Phrase("person"), (BOX,), (1.0,), (mask,), (pose,))
    (thing,) = _draft(Turn("Find people.", Answer("person", (grounding,)))).objects
    assert thing.keypoints[:3] == [50, 25, 2]
    assert thing.keypoints[-1] == 0
    assert thing.poly


def test_turns_that_people_wrote_are_kept_word_for_word() -> None:
    turn = Turn("Why is @1 sad?", Answer("It rains."), (Region("@1", BOX),))
    value = {"id": "a", "width": 100, "height": 50, "image": "pictures/a.png"}
    value |= {"turns": [turn_to_json(turn)]}
    assert example_of(value) == Example("pictures/a.png", SIZE, (turn,))
    assert stored_turns(value) == (turn,)


def test_other_records_become_the_turns_a_teacher_would_ask() -> None:
    value = {
        "id": "a",
        "width": 100,
        "height": 50,
        "image": "a.png",
        "objects": [{"label": "cat", "bbox": [10, 10, 40, 20]}],
        "captions": ["a cat"],
        "grounded": [{"caption": 0, "start": 0, "end": 5, "objects": [0]}],
    }
    example = example_of(value)
    boxes = {b for t in example.turns for g in t.answer.groundings for b in g.boxes}
    assert [box.as_tuple() for box in boxes] == [pytest.approx((0.1, 0.2, 0.5, 0.6))]
    assert example == example_of(value)


@pytest.mark.parametrize(
    ("phrase", "label"),
    [
        ("The red bus.", "red bus"),
        ("a  cat", "cat"),
        ("TV", "TV"),
        ("Theatre", "theatre"),
        ("an", "an"),
        ("", ""),
    ],
)
def test_a_label_is_a_phrase_without_its_article(phrase: str, label: str) -> None:
    assert plain_label(phrase) == label
