from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from model.errors import RecordError
from model.training.importers.draft import Draft, DraftObject, DraftPhrase, DraftRef, Rows
from model.training.importers.pictures import StoredPicture
from model.training.importers.record import RecordWriter
from model.types import Size

STORED = StoredPicture("a.png", Size(100, 50), "00")


def _write(*objects: DraftObject, **fields: object) -> tuple[dict[str, object], Rows]:
    rows = Rows()
    draft = Draft(PurePosixPath("b.png"), PurePosixPath("b.json"), "item 1", **fields)  # type: ignore[arg-type]
    draft.objects = list(objects)
    value, boxes_px = RecordWriter(rows, "cells", 3).write(draft, STORED, "cells-1")
    assert len(boxes_px) == len(value["objects"])
    return value, rows


def _thing(*bbox: float, **fields: object) -> DraftObject:
    return DraftObject("cat", bbox, "object 1", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bbox", "kept"),
    [
        ((10, 10, 20, 20), [10, 10, 20, 20]),
        ((-10, 10, 20, 20), [0, 10, 10, 20]),
        ((90, 40, 20, 20), [90, 40, 10, 10]),
        ((1.23456, 2, 3, 4), [1.23, 2, 3, 4]),
        ((-1e8, -1e8, 2e8, 2e8), [0, 0, 100, 50]),
    ],
)
def test_boxes_are_cut_at_the_edge(bbox: tuple[float, ...], kept: list[float]) -> None:
    value, rows = _write(_thing(*bbox))
    assert [thing["bbox"] for thing in value["objects"]] == [kept]  # type: ignore[attr-defined]
    assert bool(rows.notes) == (max(bbox[0] + bbox[2] - 100, -bbox[0]) > 1)


@pytest.mark.parametrize("bbox", [(100, 0, 5, 5), (-6, 0, 5, 5), (0, 50.5, 5, 5), (5, 5, 0.001, 5)])
def test_boxes_without_area_inside_are_refused(bbox: tuple[float, ...]) -> None:
    value, rows = _write(_thing(*bbox), _thing(1, 1, 5, 5), exhaustive=True)
    assert len(value["objects"]) == 1  # type: ignore[arg-type]
    assert rows.refused[0].row == "object 1"
    assert value["exhaustive"] is False


def test_what_spoke_of_a_refused_object_goes_with_it() -> None:
    value, rows = _write(
        _thing(200, 0, 5, 5),
        _thing(1, 1, 5, 5),
        captions=["a cat and a cat"],
        grounded=[DraftPhrase(0, 0, 5, [0]), DraftPhrase(0, 10, 15, [0, 1])],
        refs=[DraftRef("gone", 0), DraftRef("here", 1)],
    )
    assert [(g["start"], g["objects"]) for g in value["grounded"]] == [(10, [0])]  # type: ignore
    assert [(r["text"], r["object"]) for r in value["refs"]] == [("here", 0)]  # type: ignore
    assert any("lost its place" in note for note in rows.notes)


def test_outlines_and_joints_are_bounded() -> None:
    value, rows = _write(
        _thing(1, 1, 5, 5, poly=[[-5, 0, 200, 0, 50, 99]]),
        _thing(1, 1, 5, 5, keypoints=[1.0] * 50),
        _thing(1, 1, 5, 5, poly=[[0.0] * 20_002]),
    )
    assert [thing["poly"] for thing in value["objects"]] == [[[0, 0, 100, 0, 50, 50]]]  # type: ignore
    assert len(rows.refused) == 2


def test_too_many_objects_are_refused_whole() -> None:
    with pytest.raises(RecordError, match="4 objects; at most 3"):
        _write(*[_thing(1, 1, 5, 5)] * 4)


def test_only_closed_sets_have_a_label_space() -> None:
    closed, _ = _write(_thing(1, 1, 5, 5), exhaustive=True)
    free, _ = _write(_thing(1, 1, 5, 5))
    assert (closed["label_space"], free["label_space"]) == ("cells", "none")
