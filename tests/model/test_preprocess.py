from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.preprocess import PAD, Letterbox, resize
from model.types import Size

lengths = st.integers(1, 4000)
shares = st.floats(0, 1)


@given(lengths, lengths, st.sampled_from([64, 416, 448]), shares, shares)
def test_pixel_to_canvas_and_back_is_within_half_a_pixel(
    width: int, height: int, side: int, x: float, y: float
) -> None:
    box = Letterbox.fit(Size(width, height), side)
    pixel = torch.tensor([x * width, y * height])
    canvas = box.to_canvas(pixel / torch.tensor([width, height]))
    back = box.to_unit(canvas) * torch.tensor([width, height])
    assert (canvas >= -1e-6).all()
    assert (canvas <= 1 + 1e-6).all()
    assert (back - pixel).abs().max() < 0.5


@given(lengths, lengths)
def test_the_scaled_picture_fits_and_lies_on_whole_pixels_of_all_canvases(
    width: int, height: int
) -> None:
    box = Letterbox.fit(Size(width, height), 448)
    assert max(box.width, box.height) == 448
    for side in (448, 672, 896):
        for length in (box.width, box.height):
            assert length * side % 448 == 0
            assert (side - length * side // 448) % 2 == 0


@pytest.mark.parametrize("size", [(101, 77), (63, 255), (640, 427), (33, 33), (96, 1)])
@pytest.mark.parametrize("side", [64, 96, 128])
def test_a_spot_is_drawn_where_the_frame_says(size: tuple[int, int], side: int) -> None:
    width, height = size
    box = Letterbox.fit(Size(width, height), 64)
    pixels = np.zeros((height, width, 3), np.uint8)
    x0, x1, y0, y1 = width // 2, width // 2 + width // 4 + 1, height // 4, height // 4 + 1
    pixels[y0:y1, x0:x1] = 255
    drawn = box.pixels(Image.fromarray(pixels), side)[0]
    drawn = torch.where(drawn == PAD, 0.0, drawn)
    steps = torch.arange(side) + 0.5
    centre = torch.stack([(drawn.sum(0) * steps).sum(), (drawn.sum(1) * steps).sum()]) / drawn.sum()
    unit = torch.tensor([(x0 + x1) / 2 / width, (y0 + y1) / 2 / height])
    assert (centre - box.to_canvas(unit) * side).abs().max() < 0.5


def test_pixels_are_blue_green_red_and_padding_is_grey() -> None:
    canvas = Letterbox.fit(Size(64, 32), 64).pixels(Image.new("RGB", (64, 32), (255, 10, 0)), 64)
    assert canvas.shape == (3, 64, 64)
    assert canvas[:, 32, 32].tolist() == [0, 10, 255]
    assert (canvas[:, :16] == PAD).all()
    assert (canvas[:, 48:] == PAD).all()


def test_a_mask_lies_where_its_box_lies() -> None:
    box = Letterbox.fit(Size(101, 55), 448)
    mask = np.zeros((55, 101), bool)
    mask[11:44, 20:81] = True
    grid = box.mask_to_canvas(mask, 28)
    low, high = box.to_canvas(torch.tensor([20 / 101, 11 / 55, 81 / 101, 44 / 55])).split(2)
    assert grid.sum() == pytest.approx(float((high - low).prod()) * 28**2, rel=0.08)
    rows, columns = (grid > 0.5).nonzero().unbind(1)
    assert columns.min() == pytest.approx(float(low[0]) * 28, abs=1)
    assert rows.max() + 1 == pytest.approx(float(high[1]) * 28, abs=1)


def test_resizing_keeps_a_flat_colour() -> None:
    for size in ((5, 3), (300, 200)):
        assert (resize(Image.new("RGB", (41, 29), (7, 8, 9)), *size) == (7, 8, 9)).all()
