from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.preprocess import Letterbox
from model.records import Record, record_from_json
from model.training.importers import import_dataset, sheet
from tests.model.training.importers.small_sets import coco

SIDE = 448


def _record(width: int, height: int, *boxes: tuple[float, float, float, float]) -> Record:
    objects = [{"label": "cat", "bbox": list(box)} for box in boxes]
    value = {"id": "a", "width": width, "height": height, "image": "a.png", "objects": objects}
    return record_from_json(value, Path())


def test_paint_thinner_than_a_pixel_of_the_input_is_measured_too() -> None:
    thin = [(900, 10, (56.0, 6.0, 438.0, 2.7)), (10, 900, (6.0, 896.0, 2.6, 2.0))]
    for width, height, box in thin:
        assert sheet.painted_px(_record(width, height, box), SIDE) < 0.1


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 900), st.integers(8, 900), st.data())
def test_boxes_come_back_and_paint_is_found_where_it_was_meant(
    width: int, height: int, data: st.DataObject
) -> None:
    x = data.draw(st.floats(0, width - 4))
    y = data.draw(st.floats(0, height - 4))
    box = (x, y, data.draw(st.floats(2, width - x)), data.draw(st.floats(2, height - y)))
    record = _record(width, height, box)
    assert sheet.round_trip_px(record, [box], SIDE) < 0.01
    assert sheet.painted_px(record, SIDE) < 0.1


def test_a_wrong_frame_is_found_out_though_its_inverse_agrees(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def to_canvas(self: Letterbox, places: torch.Tensor) -> torch.Tensor:
        return places  # as if pictures were stretched, not padded

    monkeypatch.setattr(Letterbox, "to_canvas", to_canvas)
    monkeypatch.setattr(Letterbox, "to_unit", to_canvas)
    record = _record(64, 48, (8, 6, 20, 12))
    assert sheet.round_trip_px(record, [(8, 6, 20, 12)], SIDE) < 0.01
    assert sheet.painted_px(record, SIDE) > 1
    report = import_dataset(coco(tmp_path / "set"), tmp_path / "out")
    assert report.round_trip_px > 1
    assert not report.usable


def test_a_shift_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Letterbox.to_unit
    monkeypatch.setattr(Letterbox, "to_unit", lambda self, places: right(self, places) + 0.02)
    record = _record(640, 480, (100, 100, 50, 50))
    assert sheet.round_trip_px(record, [(100, 100, 50, 50)], SIDE) == pytest.approx(12.8, abs=0.01)


def test_pictures_without_boxes_are_never_off() -> None:
    assert sheet.round_trip_px(_record(64, 48), [], SIDE) == 0
    assert sheet.painted_px(_record(64, 48), SIDE) == 0


def test_rare_classes_are_on_the_sheet() -> None:
    rare = [frozenset({"cat", "dog"}), frozenset[str](), frozenset({"ox"})]
    labels = [*[frozenset({"cat"})] * 200, *rare]
    chosen = sheet.choose(labels, seed=1)
    assert len(chosen) == 12
    assert {200, 202} <= {*chosen}
    assert chosen == sheet.choose(labels, seed=1)
    assert sheet.choose([frozenset()] * 3, seed=0) == [0, 1, 2]


def test_the_sheet_says_where_the_picture_lies_in_the_canvas() -> None:
    record = _record(64, 48, (8, 6, 20, 12))
    value = sheet.sheet_json([(record, "val")], SIDE, 0.25)
    (picture,) = value["pictures"]  # type: ignore[misc]
    assert picture["canvas"] == pytest.approx([0, 0.125, 1, 0.75])
    assert picture["split"] == "val"
    assert value["canvas_side"] == SIDE
    assert value["round_trip_px"] == 0.25
