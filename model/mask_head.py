"""A mask inside a box."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.preprocess import Letterbox
from model.roi import SIDE, RoiFeatures
from model.types import Mask
from model.vision import Sight

MASK_SIDE = 2 * SIDE


class MaskHead(nn.Module):
    """Link states and a box to mask logits."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.features = RoiFeatures(config)
        self.score = nn.Conv2d(64, 1, 1)

    def forward(self, links: Tensor, rois: Tensor, picture: Tensor, sight: Sight) -> Tensor:
        """Returns mask logits float[S, 28, 28] over the widened boxes; see `RoiFeatures`."""
        return self.score(self.features(links, rois, picture, sight)).squeeze(1)


def paste(logits: Tensor, roi: Tensor, letterbox: Letterbox) -> Mask:
    """Returns one mask at the original picture's size.

    Args:
        logits: float[28, 28], over the widened box.
        roi: float[4], the widened box, canvas frame.
        letterbox: of the picture.
    """
    size = (letterbox.size.width, letterbox.size.height)
    move = _placement(roi, letterbox, MASK_SIDE)
    chance = logits.sigmoid().float().cpu().numpy()
    big = cv2.warpAffine(chance, move, size, flags=cv2.INTER_LINEAR, borderValue=0.0)
    return Mask(np.asarray(big) > 0.5)


def crop(mask: Mask, roi: Tensor, letterbox: Letterbox, oversampling: int = 4) -> Tensor:
    """Returns how much of each cell of a box a mask covers, float[28, 28]; the inverse of `paste`.

    Args:
        mask: at the picture's size.
        roi: float[4], the widened box, canvas frame.
        letterbox: of the picture.
        oversampling: finer cells a side that are looked up and averaged.
    """
    side = MASK_SIDE * oversampling
    fine = mask.pixels.astype(np.float32)
    cells = cv2.warpAffine(
        fine, _placement(roi, letterbox, side), (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0.0,
    )  # fmt: skip
    share = np.asarray(cells).reshape(MASK_SIDE, oversampling, MASK_SIDE, oversampling)
    return torch.from_numpy(share.mean((1, 3)))


def _placement(roi: Tensor, letterbox: Letterbox, side: int) -> np.ndarray:
    """Returns the affine map from cell (column, row) to pixel (x, y), both counted at centres."""
    width, height = letterbox.size.width, letterbox.size.height
    x0, y0, x1, y1 = letterbox.to_unit(roi).tolist()
    ax, ay = (x1 - x0) * width / side, (y1 - y0) * height / side
    return np.array([[ax, 0, x0 * width + ax / 2 - 0.5], [0, ay, y0 * height + ay / 2 - 0.5]])
