from __future__ import annotations

import numpy as np
import pytest
import torch

from model.mask_head import MASK_SIDE, crop, paste
from model.preprocess import Letterbox
from model.roi import widened
from model.types import Box, Mask, Size
from tests.model import tiny


def _disc(size: Size) -> Mask:
    ys, xs = np.mgrid[: size.height, : size.width] + 0.5
    x, y = xs / size.width - 0.5, ys / size.height - 0.4
    return Mask(x**2 / 0.06 + y**2 / 0.04 < 1)


@pytest.mark.parametrize("size", [Size(320, 240), Size(101, 333), Size(40, 40)])
def test_cropping_and_pasting_gives_the_mask_back(size: Size) -> None:
    mask, letterbox = _disc(size), Letterbox.fit(size, 448)
    roi = widened(letterbox.to_canvas(torch.tensor([0.25, 0.2, 0.75, 0.6])))
    share = crop(mask, roi, letterbox)
    assert share.shape == (MASK_SIDE, MASK_SIDE)
    back = paste(torch.logit(share.clamp(1e-4, 1 - 1e-4)), roi, letterbox)
    assert back.pixels.shape == (size.height, size.width)
    overlap = (back.pixels & mask.pixels).sum() / (back.pixels | mask.pixels).sum()
    assert overlap > 0.93


def test_a_mask_ends_with_its_box_and_with_the_picture() -> None:
    size = Size(64, 64)
    letterbox = Letterbox.fit(size, 64)
    full = torch.full((MASK_SIDE, MASK_SIDE), 9.0)
    roi = letterbox.to_canvas(torch.tensor(Box(0.5, 0.25, 1, 0.75).as_tuple()))
    pixels = paste(full, roi, letterbox).pixels
    rows, columns = pixels.nonzero()
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (32, 63, 16, 47)
    outside = torch.tensor([0.8, -0.3, 1.4, 0.2])
    assert paste(full, outside, letterbox).pixels[:12, 52:].all()


def test_no_boxes_give_no_masks() -> None:
    head, none = tiny.model().mask_head, torch.zeros(0, dtype=torch.long)
    assert head(torch.zeros(0, 4, 32), torch.zeros(0, 4), none, tiny.sight()).shape == (0, 28, 28)
