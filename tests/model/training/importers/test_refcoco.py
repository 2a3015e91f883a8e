from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import RecordError
from model.training.importers import import_dataset
from tests.model.training.importers.small_sets import imported, refcoco, write_json


def test_expressions_mean_instances_and_keep_their_split(tmp_path: Path) -> None:
    _, records = imported(refcoco(tmp_path / "set"), tmp_path / "out")
    assert [record["split"] for record in records] == ["train", "val", "test"]
    assert records[0]["refs"] == [{"text": "the cat on the left", "object": 0, "kind": "human"}]
    # The other objects of the picture come along, so that there is something to tell apart.
    assert [thing["label"] for thing in records[0]["objects"]] == ["cat", "dog"]


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    folder = refcoco(tmp_path / "set")
    (folder / "refs.json").unlink()
    trap = tmp_path / "sprung"
    (folder / "refs(unc).p").write_bytes(b"cos\nsystem\n(S'touch " + bytes(trap) + b"'\ntR.")
    report, records = imported(folder, tmp_path / "out")
    assert records == []
    assert "pickle" in report.refused[0].reason
    assert not trap.exists()


def test_refs_without_instances_are_said_to_need_them(tmp_path: Path) -> None:
    folder = refcoco(tmp_path / "set")
    (folder / "instances.json").unlink()
    with pytest.raises(RecordError, match=r"instances\.json is missing"):
        import_dataset(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ann_id": 999}, "annotation 999 is not in instances.json"),
        ({"image_id": 2}, "annotation 0 is not in image 2"),
        ({"split": "sealed"}, "split 'sealed'"),
        ({"sentences": [{}]}, "'sent' is missing"),
        ({"sentences": None}, "cannot be understood"),
    ],
)
def test_a_bad_ref_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    folder = refcoco(tmp_path / "set")
    refs = json.loads((folder / "refs.json").read_text())
    write_json(folder / "refs.json", [{**refs[0], **change}, *refs[1:]])
    report, records = imported(folder, tmp_path / "out")
    assert report.refused[0].row == "item 1"
    assert reason in report.refused[0].reason
    assert sum(len(record["refs"]) for record in records) == 2
