"""Picture to pixels, and coordinates between the picture and the canvas. The only copy.

The picture is scaled to fit a square canvas and centred in it (letterbox). The *canvas frame* is
[0, 1] over that square, so it keeps the aspect ratio; the *unit frame* is [0, 1] over the picture.
Larger canvases are exact multiples of the base one, so all share one canvas frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model.types import Size

PAD = 114
"""Grey of the canvas outside the picture, as the trunk was trained with."""

PREPROCESS_VERSION = "2"
"""Part of every cache key; raise it when pixels or frames change."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the base canvas.

    Attributes:
        size: of the picture in pixels.
        side: of the base canvas in pixels.
        width, height: of the scaled picture in the base canvas, multiples of four, so that it
            lies on whole pixels in canvases 1.5 and 2 times as large too.
    """

    size: Size
    side: int
    width: int
    height: int

    @classmethod
    def fit(cls, size: Size, side: int) -> Letterbox:
        """Returns the letterbox of a picture of `size` in a canvas of `side` pixels."""
        scale = side / max(size.width, size.height)

        def quarters(length: int) -> int:
            return min(side, max(4, 4 * round(length * scale / 4)))

        return cls(size, side, quarters(size.width), quarters(size.height))

    def _scale_offset(self) -> tuple[tuple[float, float], tuple[float, float]]:
        scale = (self.width / self.side, self.height / self.side)
        return scale, ((1 - scale[0]) / 2, (1 - scale[1]) / 2)

    def to_canvas(self, places: Tensor) -> Tensor:
        """Returns unit-frame coordinates (..., xy pairs) in the canvas frame."""
        scale, offset = self._scale_offset()
        repeat = places.shape[-1] // 2
        return places * places.new_tensor(scale * repeat) + places.new_tensor(offset * repeat)

    def to_unit(self, places: Tensor) -> Tensor:
        """Returns canvas-frame coordinates (..., xy pairs) in the unit frame, not clipped."""
        scale, offset = self._scale_offset()
        repeat = places.shape[-1] // 2
        return (places - places.new_tensor(offset * repeat)) / places.new_tensor(scale * repeat)

    def pixels(self, picture: Image.Image, side: int) -> Tensor:
        """Returns the picture on a canvas of `side` pixels: float32[3, side, side], BGR, 0–255."""
        return self.canvas(picture, side).float()

    def canvas(self, picture: Image.Image, side: int) -> Tensor:
        """Returns the same in bytes, uint8[3, side, side]."""
        width, height = self.width * side // self.side, self.height * side // self.side
        small = np.asarray(resize(picture, width, height))
        canvas = np.full((side, side, 3), PAD, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        canvas[top : top + height, left : left + width] = small[:, :, ::-1]
        return torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)))

    def mask_to_canvas(self, mask: NDArray[np.bool_], side: int) -> Tensor:
        """Returns a picture's mask bool[H, W] as its coverage of a grid, float32[side, side]."""
        columns = max(1, round(self.width * side / self.side))
        rows = max(1, round(self.height * side / self.side))
        small = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        canvas = np.zeros((side, side), np.float32)
        top, left = (side - rows) // 2, (side - columns) // 2
        canvas[top : top + rows, left : left + columns] = small
        return torch.from_numpy(canvas)


def resize(picture: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """Returns the picture at a new size, uint8[height, width, 3]: area mean down, linear up."""
    pixels = np.asarray(picture)
    shrinking = width * height < picture.width * picture.height
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=how)  # type: ignore[return-value]
