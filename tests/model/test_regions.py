from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.preprocess import Letterbox
from model.regions import KINDS, NUM_PLACES, Regions, box_mask, draw
from model.types import Box, Mask, Point, Points, Scribble, Shape, Size

SQUARE = Letterbox.fit(Size(64, 64), 64)
WIDE = Letterbox.fit(Size(64, 32), 64)
unit = st.floats(0, 1)


def _drawn(shape: Shape, letterbox: Letterbox = SQUARE, grid: int = 4) -> Regions:
    return draw([shape], [letterbox], [0], grid)


def test_nothing_drawn_is_an_empty_table_of_the_same_kind() -> None:
    empty, one = draw([], [], [], 4), _drawn(Box(0, 0, 1, 1))
    assert len(empty) == 0
    for name in Regions.__slots__:
        assert getattr(empty, name).shape[1:] == getattr(one, name).shape[1:], name
        assert getattr(empty, name).dtype == getattr(one, name).dtype, name


def test_a_box_covers_cells_by_their_share() -> None:
    box = _drawn(Box(0, 0, 0.375, 0.25))
    assert box.meant[0, 0].tolist() == [1, 0.5, 0, 0]
    assert box.meant[0, 1:].sum() == 0
    assert box.corners[0].tolist() == [0, 0, 0.375, 0.25]
    assert box.ruled_out.sum() == 0
    assert (box.signs == 1).all()


@given(unit, unit, unit, unit)
def test_the_mask_of_a_box_has_its_area(a: float, b: float, c: float, d: float) -> None:
    corners = torch.tensor([min(a, c), min(b, d), max(a, c), max(b, d)])
    area = float((corners[2:] - corners[:2]).prod())
    assert float(box_mask(corners, 7).sum()) == pytest.approx(area * 49, abs=1e-3)


def test_shapes_are_drawn_in_the_canvas_frame() -> None:
    box = _drawn(Box(0, 0, 1, 1), WIDE)
    assert box.corners[0].tolist() == [0, 0.25, 1, 0.75]
    assert box.meant[0].sum(1).tolist() == [0, 4, 4, 0]


@given(st.lists(st.tuples(unit, unit), min_size=1, max_size=20))
def test_each_click_weighs_one_and_its_box_spans_the_clicks(
    places: list[tuple[float, float]],
) -> None:
    region = _drawn(Points(tuple(Point(x, y) for x, y in places)))
    assert float(region.meant.sum()) == pytest.approx(len(places), rel=1e-4)
    xs, ys = zip(*places, strict=True)
    assert region.corners[0].tolist() == pytest.approx([min(xs), min(ys), max(xs), max(ys)])


def test_negative_clicks_are_kept_apart() -> None:
    region = _drawn(Points((Point(0.125, 0.125), Point(0.875, 0.875, positive=False))))
    assert region.meant[0, 0, 0] == 1
    assert region.meant.sum() == 1
    assert region.ruled_out[0, 3, 3] == 1
    assert region.ruled_out.sum() == 1
    assert region.corners[0].tolist() == [0.125] * 4
    assert set(region.signs[0].tolist()) == {1.0, -1.0}


def test_a_scribble_is_walked_evenly() -> None:
    region = _drawn(Scribble(((0.125, 0.125), (0.875, 0.125))))
    row = region.meant[0, 0] / region.meant.sum()
    assert row[1:3].tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.02)
    assert region.corners[0].tolist() == pytest.approx([0.125, 0.125, 0.875, 0.125])
    gaps = region.places[0, 1:, 0] - region.places[0, :-1, 0]
    assert gaps.min() == pytest.approx(float(gaps.max()), abs=0.02)


def test_a_scribble_that_stays_on_its_spot_is_a_click() -> None:
    region = _drawn(Scribble(((0.3, 0.6), (0.3, 0.6))))
    assert torch.isfinite(region.meant).all()
    assert region.corners[0].tolist() == pytest.approx([0.3, 0.6, 0.3, 0.6])


def test_a_mask_has_its_tight_box_and_places_inside() -> None:
    pixels = np.zeros((64, 64), bool)
    pixels[16:32, 32:64] = True
    region = _drawn(Mask(pixels))
    assert region.corners[0].tolist() == [0.5, 0.25, 1, 0.5]
    assert region.meant[0, 1].tolist() == [0, 0, 1, 1]
    assert ((region.places[0] >= region.corners[0, :2]) & (region.places[0] <= 1)).all()


def test_kinds_pictures_and_order_are_kept() -> None:
    pixels = np.ones((8, 8), bool)
    shapes = [
        Mask(pixels), Box(0, 0, 1, 1), Points((Point(0, 0),)), Scribble(((0, 0), (1, 1))),
    ]  # fmt: skip
    regions = draw(shapes, [SQUARE] * 4, [3, 0, 1, 1], 4)
    assert [KINDS[k] for k in regions.kind.tolist()] == [Mask, Box, Points, Scribble]
    assert regions.picture.tolist() == [3, 0, 1, 1]
    assert regions.places.shape == (4, NUM_PLACES, 2)
