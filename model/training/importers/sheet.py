"""The contact sheet: some pictures with their boxes as the model will be shown them.

Boxes go through the model's own letterbox and back, and a sample of them is *painted*: the box is
drawn into a picture of the same size, the picture is prepared as for the model, and the paint is
found again in the prepared pixels. So a mistake in the coordinates cannot hide behind the same
mistake in their inverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from model.config import TrunkConfig
from model.preprocess import Letterbox
from model.records import Record
from model.training.importers.values import Bbox
from model.types import Size

NUM_PICTURES = 12
NUM_PAINTED = 4
"""Boxes of one picture that are painted, the largest first."""

Json = dict[str, object]


def side_of_canvas() -> int:
    """Returns the canvas side of the embedded model in pixels."""
    return TrunkConfig().sides[0]


def round_trip_px(record: Record, written_px: Sequence[Bbox], side: int) -> float:
    """Returns how far the boxes of a record are off at most, in pixels of the picture.

    Args:
        record: as training reads it.
        written_px: its boxes as its data set says them, x, y, width, height in pixels.
        side: of the model's canvas.
    """
    if not record.objects:
        return 0.0
    found = _through(record, side) * torch.tensor(
        [record.size.width, record.size.height] * 2, dtype=torch.float64
    )
    meant = torch.tensor(
        [(x, y, x + width, y + height) for x, y, width, height in written_px], dtype=torch.float64
    )
    return (found - meant).abs().max().item()


def _through(record: Record, side: int) -> torch.Tensor:
    """Returns the record's boxes after the letterbox and back, float64[N, 4] in the unit frame."""
    letterbox = Letterbox.fit(record.size, side)
    boxes = torch.tensor([thing.box.as_tuple() for thing in record.objects], dtype=torch.float64)
    return letterbox.to_unit(letterbox.to_canvas(boxes.float())).double()


def painted_px(record: Record, side: int) -> float:
    """Returns how far painted boxes are off at most.

    In pixels of the model's input, or of the picture where those are larger: a picture that is
    blown up is not known any better than its own pixels.
    """
    letterbox = Letterbox.fit(record.size, side)
    blown_up = max(1.0, letterbox.width / record.size.width, letterbox.height / record.size.height)
    largest = sorted(record.objects, key=lambda thing: -thing.box.area)[:NUM_PAINTED]
    black = np.zeros((record.size.height, record.size.width, 3), np.uint8)
    dark = letterbox.pixels(Image.fromarray(black), side)[0]
    worst = 0.0
    for thing in largest:
        whole = _whole_pixels(thing.box.as_tuple(), record.size)
        found = _find_paint(whole, letterbox, dark)
        unit = torch.tensor(whole, dtype=torch.float64) / torch.tensor(
            [record.size.width, record.size.height] * 2
        )
        meant = letterbox.to_canvas(unit.float()).double() * side
        worst = max(worst, (found - meant).abs().max().item() / blown_up)
    return worst


def _whole_pixels(box: tuple[float, float, float, float], size: Size) -> tuple[int, int, int, int]:
    """Returns the box x0, y0, x1, y1 grown to whole pixels."""
    x0, y0 = floor(box[0] * size.width), floor(box[1] * size.height)
    x1, y1 = ceil(box[2] * size.width), ceil(box[3] * size.height)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _find_paint(
    box_px: tuple[int, int, int, int], letterbox: Letterbox, dark: torch.Tensor
) -> torch.Tensor:
    """Returns where a white box on black lies in the prepared pixels, float64[4] in canvas pixels.

    For each side of the box everything on its inner side is painted, up to the picture's edge: the
    edge is sharp in the prepared pixels, and the amount of paint tells how far the side is from it,
    to a fraction of a pixel even if the box is thinner than one.

    Args:
        box_px: x0, y0, x1, y1 in pixels of the picture.
        letterbox: of the picture.
        dark: the prepared pixels of a black picture, float32[side, side].
    """
    x0, y0, x1, y1 = box_px
    right_of, left_of = (_share(np.s_[:, cut], letterbox, dark) for cut in (np.s_[x0:], np.s_[:x1]))
    below, above = (_share(np.s_[cut], letterbox, dark) for cut in (np.s_[y0:], np.s_[:y1]))
    left, right = _last(right_of.amax(0)), _first(left_of.amax(0))
    top, bottom = _last(below.amax(1)), _first(above.amax(1))
    return torch.tensor([left, top, right, bottom], dtype=torch.float64)


def _share(painted: Any, letterbox: Letterbox, dark: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """Returns how white each prepared pixel is, float64[side, side], with some rows painted."""
    light = np.zeros((letterbox.size.height, letterbox.size.width, 3), np.uint8)
    light[painted] = 255
    return (letterbox.pixels(Image.fromarray(light), len(dark))[0] - dark).double() / 255


def _last(share: torch.Tensor) -> float:
    """Returns where paint that ends sharply begins."""
    return float(share.nonzero().max() + 1 - share.sum())


def _first(share: torch.Tensor) -> float:
    """Returns where paint that begins sharply ends."""
    return float(share.nonzero().min() + share.sum())


def choose(labels: Sequence[frozenset[str]], seed: int) -> list[int]:
    """Returns the numbers of up to twelve pictures, so that many classes are seen.

    Args:
        labels: the classes in each picture.
        seed: of the choice among equals.
    """
    order = list(range(len(labels)))
    Random(seed).shuffle(order)
    seen: set[str] = set()
    chosen: list[int] = []
    while order and len(chosen) < NUM_PICTURES:
        best = max(order, key=lambda number: (len(labels[number] - seen), bool(labels[number])))
        if not labels[best] - seen:
            seen.clear()
        seen |= labels[best]
        chosen.append(best)
        order.remove(best)
    return sorted(chosen)


def sheet_json(records: Sequence[tuple[Record, str]], side: int, off_px: float) -> Json:
    """Returns what the page draws the contact sheet from.

    Args:
        records: each with its split.
        side: of the model's canvas.
        off_px: largest error found in the whole data set.

    Returns:
        `boxes` are in the unit frame after the letterbox and back; `canvas` is where the picture
        lies in the square the model is shown, x, y, width, height as shares of its side.
    """
    pictures = [_picture_json(record, split, side) for record, split in records]
    return {"round_trip_px": round(off_px, 4), "canvas_side": side, "pictures": pictures}


def _picture_json(record: Record, split: str, side: int) -> Json:
    letterbox = Letterbox.fit(record.size, side)
    x0, y0, x1, y1 = letterbox.to_canvas(torch.tensor([0.0, 0.0, 1.0, 1.0])).tolist()
    return {
        "id": record.id,
        "image": record.file.image,
        "width": record.size.width,
        "height": record.size.height,
        "split": split,
        "canvas": [x0, y0, x1 - x0, y1 - y0],
        "captions": list(record.captions[:1]),
        "boxes": list(_boxes_json(record, side)),
    }


def _boxes_json(record: Record, side: int) -> Iterator[Json]:
    if record.objects:
        boxes = _through(record, side).clamp(0, 1).tolist()
        for thing, box in zip(record.objects, boxes, strict=True):
            rounded = [round(value, 5) for value in box]
            yield {"label": thing.label, "crowd": thing.crowd, "box": rounded}
