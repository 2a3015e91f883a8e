from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.training.importers import stored_turns
from tests.model.training.importers.small_sets import imported, narratives


def test_each_utterance_gets_the_box_around_its_trace(tmp_path: Path) -> None:
    _, (record, _) = imported(narratives(tmp_path / "set"), tmp_path / "out")
    (turn,) = stored_turns(record)
    assert record["captions"] == [turn.answer.text]
    first, second = turn.answer.word_boxes
    assert (first.phrase.text, first.phrase.start) == ("In this picture", 0)
    assert first.box.as_tuple() == pytest.approx((0.1, 0.2, 0.3, 0.4))
    # A trace may run over the edge; a box may not.
    assert second.phrase.text == "we can see a cat"
    assert second.box.as_tuple() == pytest.approx((0.5, 0.5, 1.0, 0.75))
    assert record["objects"] == []


def test_a_mouse_at_rest_has_a_small_box_and_silence_none(tmp_path: Path) -> None:
    folder = narratives(tmp_path / "set")
    row = json.loads((folder / "narratives.jsonl").read_text().splitlines()[0])
    row["traces"] = [[{"x": 1.0, "y": 0.0, "t": 0.5}]]
    row["timed_caption"].append({"utterance": "nonsense", "start_time": 0, "end_time": 9})
    (folder / "narratives.jsonl").write_text(json.dumps(row))
    report, (record,) = imported(folder, tmp_path / "out")
    ((word,),) = (turn.answer.word_boxes for turn in stored_turns(record))
    assert word.box.as_tuple() == pytest.approx((0.99, 0.0, 1.0, 0.01))
    assert any("not in its caption" in note for note in report.notes)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("image_id", "99", "not among the files"),
        ("image_id", [1], "no picture's id"),
        ("traces", [[{"x": "a", "y": 0, "t": 0}]], "is no number"),
        ("timed_caption", [{}], "'utterance' is missing"),
        ("caption", "", "is no text"),
    ],
)
def test_a_bad_row_is_refused(key: str, value: object, reason: str, tmp_path: Path) -> None:
    folder = narratives(tmp_path / "set")
    good, bad = map(json.loads, (folder / "narratives.jsonl").read_text().splitlines())
    bad[key] = value
    (folder / "narratives.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    report, records = imported(folder, tmp_path / "out")
    assert len(records) == 1
    assert (report.refused[0].row, reason in report.refused[0].reason) == ("line 2", True)
