"""Marks from strangers' browsers: read exactly, or refused with a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.marks import MAX_PLACES, Marks, read_marks
from model.errors import RegionError
from model.types import Box, Mask, Point, Points, Scribble, Size

SIZE = Size(200, 100)


def test_every_kind_of_mark_is_read() -> None:
    payload = {
        "picture": "key",
        "selected": "@2",
        "marks": [
            {"name": "@1", "points": [[0.1, 0.2, 1], [0.3, 0.4, 0]]},
            {"name": "@2", "box": [0.5, 0.6, 0.1, 0.2]},
            {"name": "@3", "scribble": [[0, 0], [1, 1]], "width": 0.03},
            {"name": "@4", "strokes": [{"path": [[0.25, 0.5]], "width": 0.1}]},
        ],
    }
    marks = read_marks(payload, SIZE)
    assert (marks.picture, marks.selected) == ("key", "@2")
    points, box, scribble, mask = (region.shape for region in marks.regions)
    assert points == Points((Point(0.1, 0.2), Point(0.3, 0.4, positive=False)))
    assert box == Box(0.1, 0.2, 0.5, 0.6)
    assert scribble == Scribble(((0, 0), (1, 1)), 0.03)
    assert isinstance(mask, Mask)
    assert mask.pixels.shape == (100, 200)
    assert mask.pixels[50, 50]
    assert not mask.pixels[50, 100]


def test_a_brush_erases_what_it_crosses_and_paints_again() -> None:
    line = {"path": [[0.1, 0.5], [0.9, 0.5]], "width": 0.1}
    gap = {"path": [[0.5, 0.5]], "width": 0.1, "erase": True}
    shape = read_marks({"marks": [{"name": "@1", "strokes": [line, gap]}]}, SIZE).regions[0].shape
    assert isinstance(shape, Mask)
    assert shape.pixels[50, 30]
    assert not shape.pixels[50, 100]
    again = {"name": "@1", "strokes": [line, gap, line]}
    shape = read_marks({"marks": [again]}, SIZE).regions[0].shape
    assert isinstance(shape, Mask)
    assert shape.pixels[50, 100]


def test_a_brush_mask_of_a_huge_picture_stays_small() -> None:
    mark = {"name": "@1", "strokes": [{"path": [[0.5, 0.5]], "width": 0.1}]}
    shape = read_marks({"marks": [mark]}, Size(8000, 4000)).regions[0].shape
    assert isinstance(shape, Mask)
    assert shape.pixels.shape == (512, 1024)


NONSENSE: list[Any] = [
    {"marks": "many"},
    {"marks": [7]},
    {"marks": [{"name": "1", "box": [0, 0, 1, 1]}]},
    {"marks": [{"name": "@1", "box": [0, 0, float("nan"), 1]}]},
    {"marks": [{"name": "@1", "box": [0, 0, 0, 1]}]},
    {"marks": [{"name": "@1", "points": [[0.5, 0.5, 0]]}]},
    {"marks": [{"name": "@1", "points": [[2, 0.5, 1]]}]},
    {"marks": [{"name": "@1", "scribble": [[0.5, 0.5]]}]},
    {"marks": [{"name": "@1", "scribble": [[0, 0]] * (MAX_PLACES + 1)}]},
    {"marks": [{"name": "@1", "strokes": []}]},
    {"marks": [{"name": "@1", "strokes": "x"}]},
    {"marks": [{"name": "@1", "strokes": [{"path": [[0, float("inf")]], "width": 0.1}]}]},
    {"marks": [{"name": "@1", "strokes": [{"path": [[0.5, 0.5]], "width": 0.1, "erase": True}]}]},
    {"marks": [{"name": "@1"}]},
]


@pytest.mark.parametrize("payload", NONSENSE)
def test_nonsense_is_refused_with_a_sentence(payload: Any) -> None:
    with pytest.raises(RegionError, match=r"[.!]$|\)[.;]?"):
        read_marks(payload, SIZE)


def test_too_many_marks_are_counted_and_refused() -> None:
    marks = [{"name": f"@{i}", "box": [0, 0, 1, 1]} for i in range(11)]
    with pytest.raises(RegionError, match="11 marks"):
        read_marks({"marks": marks}, SIZE, limit=10)


@pytest.mark.parametrize("payload", [None, "text", 3, [], {}])
def test_no_payload_means_no_marks(payload: Any) -> None:
    assert read_marks(payload, SIZE) == Marks()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "points", "box", "scribble", "strokes", "mask", "path", "width"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_arrives_is_read_or_refused(junk: Any) -> None:
    try:
        marks = read_marks({"marks": [junk]}, SIZE)
    except RegionError:
        return
    assert all(np.isfinite(len(region.name)) for region in marks.regions)
