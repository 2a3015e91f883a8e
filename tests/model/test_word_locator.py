from __future__ import annotations

import torch

from tests.model import tiny


def test_every_word_gets_an_ordered_box_inside_the_canvas() -> None:
    boxes = tiny.model().word_locator(torch.randn(5, 7, 32) * 10)
    assert boxes.shape == (5, 7, 4)
    assert (boxes[..., 2:] >= boxes[..., :2]).all()
    assert (boxes >= 0).all()
    assert (boxes <= 1).all()
    assert tiny.model().word_locator(torch.zeros(0, 32)).shape == (0, 4)
