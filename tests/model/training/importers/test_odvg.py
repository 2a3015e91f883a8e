from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.training.importers.small_sets import imported, odvg, write_json, write_lines


def test_classes_and_phrases_are_read(tmp_path: Path) -> None:
    _, (detected, grounded) = imported(odvg(tmp_path / "set"), tmp_path / "out")
    assert detected["objects"] == [{"label": "cat", "bbox": [8, 6, 20, 12], "crowd": 0}]
    assert detected["exhaustive"]
    assert not grounded["exhaustive"]
    assert grounded["captions"] == ["a cat beside a dog"]
    assert [(g["phrase"], g["objects"]) for g in grounded["grounded"]] == [
        ("a cat", [0]),
        ("a dog", [1, 2]),
    ]
    assert [thing["label"] for thing in grounded["objects"]] == ["cat", "dog", "dog"]


def test_a_label_map_names_the_classes(tmp_path: Path) -> None:
    folder = odvg(tmp_path / "set")
    write_json(folder / "label_map.json", {"0": "lynx"})
    instances = [{"bbox": [8, 6, 28, 18], "label": 0}, {"bbox": [8, 6, 28, 18], "label": 5}]
    write_lines(
        folder / "odvg.jsonl", [{"filename": "0.png", "detection": {"instances": instances}}]
    )
    report, (record,) = imported(folder, tmp_path / "out")
    assert [thing["label"] for thing in record["objects"]] == ["lynx"]
    assert report.refused[0].row == "line 1, instance 2"
    assert not record["exhaustive"]


def test_stated_tokens_settle_which_words_are_meant(tmp_path: Path) -> None:
    folder = odvg(tmp_path / "set")
    region = {"bbox": [8, 6, 28, 18], "phrase": "cat", "tokens_positive": [[11, 14]]}
    outside = {**region, "tokens_positive": [[11, 99]]}
    absent = {"bbox": [1, 1, 9, 9], "phrase": "mouse"}
    grounding = {"caption": "a cat or a cat", "regions": [region, outside, absent]}
    write_lines(folder / "odvg.jsonl", [{"filename": "0.png", "grounding": grounding}])
    report, (record,) = imported(folder, tmp_path / "out")
    assert [(g["start"], g["end"]) for g in record["grounded"]] == [(11, 14)]
    assert [row.row for row in report.refused] == ["line 1, region 2"]
    assert any("not in its caption" in note for note in report.notes)
    assert [thing["label"] for thing in record["objects"]] == ["cat", "mouse"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{broken", "no JSON"),
        ("[1]", "no JSON object"),
        ('{"detection": {"instances": []}}', "'filename' is missing"),
        ('{"filename": "0.png", "detection": {}}', "'instances' is missing"),
        ('{"filename": "0.png", "detection": {"instances": [{"bbox": [9, 9, 3, 3], '
         '"category": "cat"}]}}', "x0 < x1"),
        ("[" * 100_000, "no JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused(row: str, reason: str, tmp_path: Path) -> None:
    folder = odvg(tmp_path / "set")
    with (folder / "odvg.jsonl").open("a") as file:
        file.write(row)
    report, records = imported(folder, tmp_path / "out")
    assert reason in report.refused[0].reason
    assert report.refused[0].row.startswith("line 3")
    assert len(records) == 2
