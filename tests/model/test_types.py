from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.errors import RegionError
from model.types import (
    MAX_REGIONS,
    Answer,
    Box,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Point,
    Points,
    Region,
    Scribble,
    Size,
    Turn,
)

numbers = st.floats(allow_nan=True, allow_infinity=True)
units = st.floats(0, 1)


def inside(*values: float) -> bool:
    return all(0 <= value <= 1 for value in values)


@given(numbers, numbers, numbers, numbers)
@example(0.5, 0.5, 0.5, 0.9)
@example(0.0, 0.0, 1.0, 1.0)
@example(float("nan"), 0.0, 1.0, 1.0)
def test_a_box_is_ordered_and_inside_or_refused(x0: float, y0: float, x1: float, y1: float) -> None:
    if inside(x0, y0, x1, y1) and x0 < x1 and y0 < y1:
        assert Box(x0, y0, x1, y1).as_tuple() == (x0, y0, x1, y1)
    else:
        with pytest.raises(RegionError):
            Box(x0, y0, x1, y1)


@given(st.lists(numbers, min_size=4, max_size=4))
@example([1.0, 1.0, 0.0, 0.0])
@example([-5.0, 0.2, 0.5, 7.0])
@example([1.5, 0.0, 2.0, 1.0])
def test_parse_orders_corners_and_clips_to_the_picture(values: list[float]) -> None:
    try:
        box = Box.parse(values)
    except RegionError:
        clipped = [min(max(value, 0.0), 1.0) for value in values]
        finite = all(math.isfinite(value) for value in values)
        assert not finite or clipped[0] == clipped[2] or clipped[1] == clipped[3]
        return
    assert 0 <= box.x0 < box.x1 <= 1
    assert 0 <= box.y0 < box.y1 <= 1
    transposed = [values[2], values[3], values[0], values[1]]
    assert Box.parse(transposed) == Box.parse(box.as_tuple()) == box


@pytest.mark.parametrize(
    "values", [[], [0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, "wide"], [0, 0, 1, None], "0011x", [[]], 5]
)
def test_parse_refuses_what_is_not_four_numbers(values: Any) -> None:
    with pytest.raises(RegionError, match="four"):
        Box.parse(values)


def test_the_message_names_the_value_and_stays_short() -> None:
    endless: Any = ["a" * 100_000]
    with pytest.raises(RegionError, match=r"x is 7"):
        Point(7, 0)
    with pytest.raises(RegionError) as refused:
        Box.parse(endless)
    assert len(str(refused.value)) < 300


@given(units, units, units, units)
def test_area_and_centre(x0: float, y0: float, x1: float, y1: float) -> None:
    try:
        box = Box(x0, y0, x1, y1)
    except RegionError:
        return
    assert 0 <= box.area <= 1
    assert box.x0 <= box.centre[0] <= box.x1
    assert box.y0 <= box.centre[1] <= box.y1


@given(numbers, numbers)
def test_a_point_lies_in_the_picture(x: float, y: float) -> None:
    if inside(x, y):
        assert (Point(x, y).x, Point(x, y).y) == (x, y)
    else:
        with pytest.raises(RegionError, match="0 to 1"):
            Point(x, y)


@pytest.mark.parametrize("value", ["left", None, [1], "0.5x"])
def test_a_coordinate_that_is_no_number_is_a_region_error(value: Any) -> None:
    for build in (
        lambda: Point(value, 0.5),
        lambda: Box(0, 0, value, 1),
        lambda: Scribble(((0, 0), (value, 1))),
    ):
        with pytest.raises(RegionError):
            build()


def test_types_do_not_change_once_made() -> None:
    with pytest.raises(FrozenInstanceError):
        Box(0, 0, 1, 1).x0 = 0.5  # pyright: ignore[reportAttributeAccessIssue]
    pixels = np.zeros((2, 3), bool)
    mask = Mask(pixels)
    pixels[0, 0] = True
    assert not mask.pixels.any()
    with pytest.raises(ValueError, match="read-only"):
        mask.pixels[0, 0] = True


def test_equal_masks_have_equal_pixels_and_shape() -> None:
    ones = np.ones((2, 3), bool)
    assert Mask(ones) == Mask(ones.astype(int))  # pyright: ignore[reportArgumentType]
    assert hash(Mask(ones)) == hash(Mask(ones.copy()))
    assert Mask(ones) != Mask(ones.T)
    assert Mask(ones) != Mask(~ones)
    assert Mask(ones) != "mask"


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 2, 1)])
def test_a_mask_has_two_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(RegionError, match="two axes"):
        Mask(np.zeros(shape, bool))


def test_points_need_a_positive_click() -> None:
    assert len(Points((Point(0, 0), Point(1, 1, positive=False))).points) == 2
    for none_positive in ((), (Point(1, 1, positive=False),)):
        with pytest.raises(RegionError, match="positive"):
            Points(none_positive)


def test_a_scribble_needs_two_places() -> None:
    assert Scribble(((0, 0), (1, 1))).path == ((0.0, 0.0), (1.0, 1.0))
    with pytest.raises(RegionError, match="two places"):
        Scribble(((0, 0),))


@pytest.mark.parametrize("name", ["@1", "@12", "@999"])
def test_region_names(name: str) -> None:
    assert Region(name, Box(0, 0, 1, 1)).name == name


@pytest.mark.parametrize(
    "name", ["", "@", "1", "@0", "@01", "@1000", "@1 ", "@-1", "<b>", "@x", "@1\n", "@²", "@\u0661"]
)
def test_other_region_names_are_refused(name: str) -> None:
    with pytest.raises(RegionError, match="form @1"):
        Region(name, Box(0, 0, 1, 1))


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-3, 5)])
def test_a_picture_has_pixels(width: int, height: int) -> None:
    with pytest.raises(RegionError, match="1×1"):
        Size(width, height)


BOXES = (Box(0, 0, 0.5, 0.5), Box(0.5, 0.5, 1, 1), Box(0, 0, 1, 1))


def test_above_keeps_what_belongs_to_the_kept_boxes() -> None:
    masks = tuple(Mask(np.eye(n + 1, dtype=bool)) for n in range(3))
    poses = tuple(Keypoints(((n / 2, 0.5, 1.0),)) for n in range(3))
    kept = Grounding(Phrase("dog"), BOXES, (0.9, 0.2, 0.5), masks, poses).above(0.5)
    assert kept == Grounding(
        Phrase("dog"),
        (BOXES[0], BOXES[2]),
        (0.9, 0.5),
        (masks[0], masks[2]),
        (poses[0], poses[2]),
    )
    assert Grounding(Phrase("dog"), BOXES, (0.9, 0.2, 0.5)).above(0.95).boxes == ()


@pytest.mark.parametrize(
    "others",
    [
        {"scores": (0.5,)},
        {"scores": ()},
        {"masks": (Mask(np.ones((1, 1), bool)),)},
        {"keypoints": (Keypoints(()),)},
    ],
)
def test_a_grounding_has_one_of_each_for_every_box(others: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="3 boxes but"):
        Grounding(**({"phrase": Phrase("dog"), "boxes": BOXES, "scores": (0.9, 0.8, 0.7)} | others))


def test_present_unless_absent() -> None:
    assert [finish for finish in Finish if not Answer("", finish=finish).present] == [Finish.ABSENT]


def test_a_turn_refuses_doubled_and_endless_regions() -> None:
    box, answer = Box(0, 0, 1, 1), Answer("")
    with pytest.raises(RegionError, match="twice"):
        Turn("?", answer, (Region("@1", box), Region("@1", box)))
    many = tuple(Region(f"@{n}", box) for n in range(1, MAX_REGIONS + 2))
    assert len(Turn("?", answer, many[1:]).regions) == MAX_REGIONS
    with pytest.raises(RegionError, match="at most 100"):
        Turn("?", answer, many)


def test_importing_the_types_does_not_import_torch(root: Path) -> None:
    code = "import sys, model.turns; print(sorted({'torch', 'gradio'} & {*sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
