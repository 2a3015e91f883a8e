from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.model.training.importers.small_sets import genome, imported, write_json


def test_a_region_is_named_and_referred_to_by_its_phrase(tmp_path: Path) -> None:
    _, (record, _) = imported(genome(tmp_path / "set"), tmp_path / "out")
    assert record["objects"] == [{"label": "cat is asleep", "bbox": [8, 6, 20, 12], "crowd": 0}]
    assert record["refs"] == [{"text": "the cat is asleep", "object": 0, "kind": "region"}]
    assert not record["exhaustive"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"width": 0}, "has no area"),
        ({"x": None}, "is no number"),
        ({"x": 500}, "outside the 64×48 picture"),
        ({"phrase": " "}, "is no text"),
    ],
)
def test_a_bad_region_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    folder = genome(tmp_path / "set")
    rows = json.loads((folder / "region_descriptions.json").read_text())
    rows[0]["regions"].append({**rows[0]["regions"][0], **change})
    write_json(folder / "region_descriptions.json", rows)
    report, records = imported(folder, tmp_path / "out")
    assert report.refused[0].row == "item 1, region 2"
    assert reason in report.refused[0].reason
    assert [len(record["objects"]) for record in records] == [1, 1]
