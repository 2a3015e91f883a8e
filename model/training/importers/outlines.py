"""Masks to outlines: records keep polygons, foreign files also run lengths.

An outline runs around the outside of each part; holes are filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import RecordError
from model.training.importers.values import shown
from model.turns import mask_from_rle
from model.types import Size


def outlines_of(mask: NDArray[np.bool_], size: Size) -> list[list[float]]:
    """Returns the outlines of a mask bool[H, W] in pixels of a picture of `size`.

    They run a sixth of a pixel inside the edges, so that filling them gives the mask again.
    """
    height, width = mask.shape
    ys, xs = mask.nonzero()
    if not len(xs):
        return []
    left, top = xs.min(), ys.min()
    part = mask[top : ys.max() + 1, left : xs.max() + 1]
    # Contours run through pixel centres; on pixels cut in nine those are close to the edges, and
    # a single pixel still has a square around it.
    fine = np.kron(part, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([size.width / width, size.height / height])
    outlines = [
        (((contour.reshape(-1, 2) + 0.5) / 3 + (left, top)) * scale).ravel().tolist()
        for contour in contours
    ]
    return outlines


def outlines_of_rle(rle: Mapping[str, Any], size: Size) -> list[list[float]]:
    """Returns the outlines of COCO run lengths, packed into a text or plain.

    Raises:
        RecordError: they are not of the picture's size, or do not add up.
    """
    if list(rle["size"]) != [size.height, size.width]:
        raise RecordError(
            f"the run lengths are for a mask of {shown(rle['size'])} (height, width), the picture "
            f"is {[size.height, size.width]}."
        )
    counts = rle["counts"]
    if isinstance(counts, str):
        counts = _unpacked(counts)
    if not isinstance(counts, list) or len(counts) > size.width * size.height + 1:
        raise RecordError("the run lengths are no list of numbers.")
    mask = mask_from_rle({"size": [size.height, size.width], "counts": counts})
    return outlines_of(mask.pixels, size)


def _unpacked(text: str) -> list[int]:
    """Returns the run lengths of COCO's packed text.

    Source: rleFrString in pycocotools' maskApi.c: five bits a character, the sixth says that more
    follow; from the fourth run on, a number is the difference to the run before the last. Read
    here because pycocotools fills missing runs with whatever lies in memory.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise RecordError("the packed run lengths are damaged.")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise RecordError("the packed run lengths end within a number.")
    return counts
