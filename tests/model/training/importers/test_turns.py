from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model.training.importers import stored_turns
from tests.model.training.importers.small_sets import imported, records, turns, write_lines


def test_corrections_teach_boxes_names_and_captions(tmp_path: Path) -> None:
    folder = turns(tmp_path / "set")
    _, (record, _) = imported(folder, tmp_path / "out")
    assert [(thing["label"], thing["bbox"]) for thing in record["objects"]] == [
        ("cat", [8, 12, 24, 24]),
        ("red ball", [32, 24, 32, 24]),
    ]
    assert record["captions"] == ["A cat sits."]
    assert record["grounded"][0]["objects"] == [0]
    assert [turn.question for turn in stored_turns(record)] == [
        "Describe this picture.",
        "What is @1?",
    ]


def test_small_copies_beside_corrections_are_not_missed(tmp_path: Path) -> None:
    folder = turns(tmp_path / "set")
    (folder / "thumbnails").mkdir()
    for picture in list(folder.rglob("*.png")):
        shutil.copy(picture, folder / "thumbnails" / picture.name)
    report, lines = imported(folder, tmp_path / "out")
    assert len(lines) == 2
    assert not any("no annotations" in note for note in report.notes)


def test_two_corrections_of_one_picture_are_one_record(tmp_path: Path) -> None:
    folder = turns(tmp_path / "set")
    first, second = map(json.loads, (folder / "examples.jsonl").read_text().splitlines())
    renamed = {**first["turns"][1], "question": "Name @1."}
    again = {**first, "turns": [first["turns"][0], renamed]}
    write_lines(folder / "examples.jsonl", [first, second, again])
    _, lines = imported(folder, tmp_path / "out")
    assert [len(line["objects"]) for line in lines] == [2, 2]
    assert [len(line["turns"]) for line in lines] == [3, 2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"width": 100}, "boxes were drawn on 100×48"),
        ({"turns": [{"question": "x"}]}, "KeyError"),
        ({"turns": [None]}, "TypeError"),
        ({"picture": "../../etc/passwd"}, "not a path inside"),
    ],
)
def test_a_bad_correction_is_refused(
    change: dict[str, object], reason: str, tmp_path: Path
) -> None:
    folder = turns(tmp_path / "set")
    good, bad = map(json.loads, (folder / "examples.jsonl").read_text().splitlines())
    write_lines(folder / "examples.jsonl", [good, {**bad, **change}])
    report, lines = imported(folder, tmp_path / "out")
    assert len(lines) == 1
    assert report.refused[0].row == "line 2"
    assert reason in report.refused[0].reason


def test_an_imported_set_keeps_its_held_out_pictures(tmp_path: Path) -> None:
    folder = records(tmp_path / "set")
    (folder / "val.jsonl").rename(folder / "test.jsonl")
    text = (folder / "test.jsonl").read_text().replace('"split": "val"', '"split": "test"')
    (folder / "test.jsonl").write_text(text)
    report, _ = imported(folder, tmp_path / "out", val_share=0.5)
    assert report.pictures == {"train": 1, "val": 1, "test": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"split": "sealed"}, "split 'sealed' is not"),
        ({"refs": [{"text": "the cat", "object": 9, "kind": "x"}]}, ""),
        ({"grounded": [{"caption": 0, "start": 0, "end": 9, "objects": [0]}]}, ""),
        ({"grounded": [{"caption": 4, "start": 0, "end": 9, "objects": [0]}]}, "cannot be"),
        ({"objects": [{"label": "cat", "bbox": [0, 0, 0, 0]}]}, "has no area"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused_or_repaired(
    change: dict[str, object], reason: str, tmp_path: Path
) -> None:
    folder = records(tmp_path / "set")
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    write_lines(folder / "train.jsonl", [{**lines[0], **change}, *lines[1:]])
    report, kept = imported(folder, tmp_path / "out")
    reasons = [row.reason for row in report.refused]
    if reason:
        assert reason in reasons[0]
        assert len(kept) == 2
    else:
        assert not any(line["refs"] or line["grounded"] for line in kept)


def test_a_record_whose_label_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = records(tmp_path / "set")
    path = folder / "train.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["objects"][0]["label"] = ["cat"]
    write_lines(path, lines)
    report, kept = imported(folder, tmp_path / "out")
    assert "is no text" in report.refused[0].reason
    assert len(kept) >= 1
