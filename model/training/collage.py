"""Pictures made of several: a mosaic of four, and things of one pasted into another.

Boxes are where the pixels are; what was said about places would not be true any more, so only what
follows from the boxes is taught then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.preprocess import PAD
from model.records import LabelledObject, Record
from model.training.scenes import VISIBLE, Scene, Window, seen_through
from model.types import Box, Size

Shown = tuple[Scene, Image.Image]
MIDDLE = 0.3
"""The four pictures meet at least this share of the side away from each edge."""
SMALLEST, LARGEST = 0.5, 1.5
"""Sizes of what is pasted, as shares of its own."""
MOST_PASTED = 3


def mosaic(four: Sequence[Shown], chance: Random) -> Shown:
    """Returns four pictures as the quarters of a square, each cut to fill its own.

    Source: YOLOv4 (Bochkovskiy et al. 2020). Where we differ: a quarter is filled wholly.
    """
    side = max(max(picture.size) for _, picture in four)
    across, down = (round(chance.uniform(MIDDLE, 1 - MIDDLE) * side) for _ in range(2))
    quarters = [
        (0, 0, across, down),
        (across, 0, side - across, down),
        (0, down, across, side - down),
        (across, down, side - across, side - down),
    ]
    whole = Image.new("RGB", (side, side), (PAD, PAD, PAD))
    things: list[LabelledObject] = []
    for (scene, picture), (left, top, width, height) in zip(four, quarters, strict=True):
        window = _filling(picture.size, width, height, chance)
        part = picture.resize((width, height), Image.Resampling.BILINEAR, window.corners)
        whole.paste(part, (left, top))
        for thing in scene.record.objects:
            seen = seen_through(window, thing, picture.size)
            if seen is not None:
                x0, y0, x1, y1 = seen.box.as_tuple()
                place = (left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height)
                things.append(replace(seen, box=Box(*(value / side for value in place))))
    records = [scene.record for scene, _ in four]
    return replace(four[0][0], record=_of_several(records, Size(side, side), things)), whole


def _filling(size_px: tuple[int, int], width: int, height: int, chance: Random) -> Window:
    """Returns the largest part of a picture with the shape of a quarter."""
    scale = min(size_px[0] / width, size_px[1] / height)
    # Rounding must not reach beyond the picture.
    wide, high = min(width * scale, size_px[0]), min(height * scale, size_px[1])
    left, top = chance.random() * (size_px[0] - wide), chance.random() * (size_px[1] - high)
    return Window(left, top, wide, high)


def _of_several(records: Sequence[Record], size: Size, things: Sequence[LabelledObject]) -> Record:
    alike = len({record.label_space for record in records}) == 1
    return replace(
        records[0],
        id="+".join(record.id for record in records),
        size=size,
        objects=tuple(things),
        captions=(),
        grounded=(),
        refs=(),
        exhaustive=alike and all(record.exhaustive for record in records),
    )


def pasted(shown: Shown, donor: Shown, chance: Random) -> Shown:
    """Returns a picture with up to three things of another, cut out by their outlines.

    What they cover goes or gets smaller, so that boxes stay tight. If the donor has no outlines the
    picture comes back as it is.

    Source: Simple Copy-Paste (Ghiasi et al. 2021).
    """
    scene, picture = shown
    others, source = donor[0].record, donor[1]
    cut = [thing for thing in others.objects if thing.polygons and not thing.crowd]
    things = list(scene.record.objects)
    chosen = chance.sample(cut, min(len(cut), chance.randint(1, MOST_PASTED)))
    size, added = scene.record.size, 0
    for thing in chosen:
        moved = _moved(thing, source.size, size, chance)
        if moved is None:
            continue
        new, patch, (left, top) = moved
        mask = new.mask(size).pixels
        if not mask.any():
            continue
        layer = picture.copy()
        layer.paste(source.resize(patch, Image.Resampling.BILINEAR, _corners(thing, source.size)),
                    (left, top))  # fmt: skip
        picture = Image.composite(layer, picture, Image.fromarray(mask))
        things = [left_over for old in things if (left_over := _under(old, mask, size))]
        things.append(replace(new, box=_box_of(mask)))
        added += 1
    if not added:
        return shown
    # All that came along is marked, whatever else the donor holds.
    record = _of_several([scene.record, replace(others, exhaustive=True)], size, things)
    return replace(scene, record=record), picture


def _corners(thing: LabelledObject, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Returns the extent of a thing's outlines, in pixels."""
    places = np.concatenate([np.reshape(outline, (-1, 2)) for outline in thing.polygons])
    low, high = places.min(0).clip(0, 1) * size_px, places.max(0).clip(0, 1) * size_px
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _moved(
    thing: LabelledObject, source_px: tuple[int, int], size: Size, chance: Random
) -> tuple[LabelledObject, tuple[int, int], tuple[int, int]] | None:
    """Returns a thing somewhere in another picture, its patch's size and its place in pixels.

    None if it does not fit.
    """
    x0, y0, x1, y1 = _corners(thing, source_px)
    scale = chance.uniform(SMALLEST, LARGEST)
    width, height = round((x1 - x0) * scale), round((y1 - y0) * scale)
    if not (1 < width <= size.width and 1 < height <= size.height):
        return None
    left, top = chance.randint(0, size.width - width), chance.randint(0, size.height - height)
    outlines = []
    for outline in thing.polygons:
        places = np.reshape(outline, (-1, 2)) * source_px
        places = (places - (x0, y0)) * (width / (x1 - x0), height / (y1 - y0)) + (left, top)
        outlines.append(tuple((places / (size.width, size.height)).ravel().tolist()))
    moved = LabelledObject(thing.label, thing.box, polygons=tuple(outlines))
    return moved, (width, height), (left, top)


def _under(thing: LabelledObject, mask: NDArray[np.bool_], size: Size) -> LabelledObject | None:
    """Returns what is still to be seen of a thing under a mask; None if it is too little.

    Without outlines only its box is known, which stays: what sticks out of the mask reaches its
    edges often enough.
    """
    if thing.polygons:
        own = thing.mask(size).pixels
    else:
        x0, y0, x1, y1 = thing.box.as_tuple()
        rows = slice(round(y0 * size.height), max(round(y1 * size.height), 1))
        columns = slice(round(x0 * size.width), max(round(x1 * size.width), 1))
        own = np.zeros_like(mask)
        own[rows, columns] = True
    left = own & ~mask
    if left.sum() == own.sum():
        return thing
    if left.sum() < VISIBLE * own.sum() or not left.any():
        return None
    box = _box_of(left) if thing.polygons else thing.box
    return LabelledObject(thing.label, box, thing.crowd)


def _box_of(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return Box(
        columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    )
