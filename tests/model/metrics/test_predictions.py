from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.metrics.predictions import collect, read_predictions
from model.metrics.queries import Task


def _line(**fields: object) -> dict[str, Any]:
    grounding = {
        "phrase": {"text": "dog", "start": None, "end": None},
        "boxes": [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]],
        "scores": [0.2, 0.9],
    }
    answer = {"text": "", "groundings": [grounding], "finish": "stop"}
    line = {"id": "a", "task": "detect", "index": 0, "query": ["dog"], "present": True}
    return {**line, "answer": answer, **fields}


def test_a_line_is_read_best_box_first() -> None:
    found = collect([_line()])
    prediction = found.by_key[Task.DETECT, "a", 0]
    assert prediction.answer.groundings[0].scores == (0.9, 0.2)
    assert prediction.query == ["dog"]
    assert prediction.present
    assert found.tasks == [Task.DETECT]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "dance"),
        ("index", "0"),
        ("index", None),
        ("id", 7),
        ("answer", None),
        ("answer", {}),
        ("answer", {"text": "", "groundings": [{}], "finish": "stop"}),
        ("answer", {"text": "", "groundings": 3, "finish": "stop"}),
        ("answer", {"text": "", "groundings": [], "finish": "bored"}),
    ],
)
def test_a_malformed_line_is_counted(field: str, value: object) -> None:
    found = collect([_line(**{field: value}), _line()])
    assert found.malformed == 1
    assert len(found.by_key) == 1


@pytest.mark.parametrize("field", ["id", "task", "index", "query", "present", "answer"])
def test_a_line_without_a_field_is_malformed(field: str) -> None:
    line = _line()
    del line[field]
    assert collect([line]).malformed == 1


def test_boxes_without_a_score_are_invalid() -> None:
    line = _line()
    line["answer"]["groundings"][0]["scores"] = [0.2]
    found = collect([line])
    assert found.invalid_boxes[Task.DETECT] == 1
    assert len(found.by_key[Task.DETECT, "a", 0].answer.groundings[0].boxes) == 1


def test_poses_of_the_wrong_length_are_invalid() -> None:
    line = _line(task="pose")
    joint = [0.1, 0.2, 2]
    line["answer"]["groundings"][0]["keypoints"] = [[joint] * 16, [joint] * 17]
    found = collect([line])
    assert found.invalid_boxes[Task.POSE] == 1
    assert [score for score, _ in found.by_key[Task.POSE, "a", 0].poses] == [0.9]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(value=_JSON, field=st.sampled_from(["id", "task", "index", "present", "answer"]))
def test_any_value_anywhere_is_read_or_counted(value: object, field: str) -> None:
    found = collect([_line(**{field: value}), json.dumps(value)])
    assert found.malformed + len(found.by_key) == 2


@given(boxes=_JSON, scores=_JSON, phrase=_JSON, keypoints=_JSON, masks=_JSON, words=_JSON)
def test_any_grounding_is_read_or_counted(**fields: object) -> None:
    line = _line()
    words = fields.pop("words")
    line["answer"]["words"] = words
    line["answer"]["groundings"] = [{"phrase": {"text": "x"}, "boxes": [], "scores": []} | fields]
    found = collect([line])
    assert found.malformed + len(found.by_key) == 1


def test_files_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(_line()).encode()))
    (tmp_path / "b.jsonl").write_text(json.dumps(_line(task="absent", query="dog")))
    assert read_predictions(tmp_path).tasks == [Task.DETECT, Task.ABSENT]
