from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import RecordError
from model.training.importers import values
from model.types import Size


@given(st.text())
def test_a_line_keeps_its_length_and_loses_what_is_no_text(text: str) -> None:
    line = values.one_line(text)
    assert len(line) == len(text)
    assert line.splitlines() in ([line], [])
    line.encode("utf-8")


def test_a_label_has_single_spaces_and_no_tricks() -> None:
    assert values.label_of(" traffic_light\t\u202enow \ud800") == "traffic light now"


@pytest.mark.parametrize("value", ["", "  ", None, 7, [], "x" * 201])
def test_no_other_value_is_a_label(value: object) -> None:
    with pytest.raises(RecordError):
        values.label_of(value)


@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, 1e9, 10**400, [1]])
def test_no_other_value_is_a_number(value: object) -> None:
    with pytest.raises(RecordError):
        values.number(value)


def test_boxes_are_told_from_corners() -> None:
    assert values.from_corners([1, 2, 4, 8]) == (1, 2, 3, 6)
    assert values.bbox_of((1, 2, 3, 6)) == (1, 2, 3, 6)
    for corners in ([4, 2, 1, 8], [1, 2, 1, 8], [1, 2, 3], "1234"):
        with pytest.raises(RecordError):
            values.from_corners(corners)
    for box in ([1, 2, 0, 8], [1, 2, 3, -1], None):
        with pytest.raises(RecordError):
            values.bbox_of(box)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(None, None, None), (0, 0, None), (64, 48, Size(64, 48)), (64.0, 48, Size(64, 48))],
)
def test_a_stated_size_may_be_missing(width: object, height: object, size: Size | None) -> None:
    assert values.size_of(width, height) == size


@pytest.mark.parametrize(("width", "height"), [(64, None), (-1, 5), (1.5, 5), ("64", 48), (64, 0)])
def test_no_other_size_is_one(width: object, height: object) -> None:
    with pytest.raises(RecordError):
        values.size_of(width, height)


def test_a_nest_is_shown_in_little_time() -> None:
    nest: list[object] = ["x"]
    for _ in range(60):
        nest = [nest] * 9
    assert len(values.shown(nest)) < 300
