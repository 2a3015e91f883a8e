"""Marks on the canvas: what a browser says is drawn becomes checked regions.

Payloads come from strangers' browsers, so every number and name in them is checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from app import render, words
from model.errors import RegionError
from model.turns import shape_from_json
from model.types import MAX_REGIONS, Mask, Region, Shape, Size

Payload = Mapping[str, Any]

MAX_PLACES = 4_000
"""Places in one stroke; a finger draws some hundreds."""

MAX_STROKES = 200
"""Brush strokes in one mask."""

BRUSH_SIDE = 1024
"""Longer side of a brush mask in pixels; the model works far below it."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn on the canvas.

    Attributes:
        picture: key of the picture it is drawn on.
        regions: shapes with their names.
        selected: name of the one in hand; empty if none is.
    """

    picture: str = ""
    regions: tuple[Region, ...] = ()
    selected: str = ""


def read_marks(payload: object, size: Size, limit: int = MAX_REGIONS) -> Marks:
    """Returns what a browser says is drawn.

    Args:
        payload: the canvas's value.
        size: of the picture, for brush masks.
        limit: most marks read.

    Raises:
        RegionError: a mark is malformed, or there are too many.
    """
    if not isinstance(payload, Mapping):
        return Marks()
    value = cast("Payload", payload)
    drawn = cast("Sequence[object]", value.get("marks") or ())
    if not isinstance(drawn, list | tuple):
        raise RegionError(words.MARKS_NO_LIST.format(given=str(drawn)[:40]))
    if len(drawn) > limit:
        raise RegionError(words.MANY_MARKS.format(count=len(drawn), limit=limit))
    regions = tuple(_region(mark, size) for mark in drawn)
    return Marks(str(value.get("picture") or ""), regions, str(value.get("selected") or ""))


def _region(mark: object, size: Size) -> Region:
    if not isinstance(mark, Mapping):
        raise RegionError(words.MARK_UNREADABLE.format(given=str(mark)[:40]))
    value = cast("Payload", mark)
    shape = _brush(value["strokes"], size) if "strokes" in value else _shape(value)
    return Region(str(value.get("name") or ""), shape)


def _shape(value: Payload) -> Shape:
    path = value.get("scribble") or value.get("points") or ()
    if isinstance(path, Sequence) and len(cast("Sequence[object]", path)) > MAX_PLACES:
        raise RegionError(words.MARK_LONG.format(most=MAX_PLACES))
    return shape_from_json(dict(value))


def _brush(strokes: object, size: Size) -> Mask:
    """Returns the mask of brush strokes, at most `BRUSH_SIDE` on its longer side."""
    try:
        read = [_stroke(stroke) for stroke in list(cast("Sequence[Payload]", strokes))]
    except (TypeError, KeyError, ValueError) as error:
        raise RegionError(words.BRUSH_UNREADABLE.format(error=error)) from error
    if not 0 < len(read) <= MAX_STROKES:
        raise RegionError(words.BRUSH_STROKES.format(most=MAX_STROKES, count=len(read)))
    scale = min(1.0, BRUSH_SIDE / max(size.width, size.height))
    mask = render.brush_mask(
        read, (max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    )
    if not mask.any():
        raise RegionError(words.BRUSH_EMPTY)
    return Mask(mask)


def _stroke(stroke: Payload) -> tuple[list[tuple[float, float]], float, bool]:
    path = [(fraction(x), fraction(y)) for x, y in stroke["path"]]
    if not 0 < len(path) <= MAX_PLACES:
        raise ValueError(words.STROKE_PLACES.format(most=MAX_PLACES))
    return path, fraction(stroke["width"]), bool(stroke.get("erase"))


def fraction(value: object) -> float:
    """Returns a number clipped to [0, 1]; raises ValueError or TypeError if it is none."""
    number = float(cast("float", value))
    if not math.isfinite(number):
        raise ValueError(words.NO_FRACTION.format(number=number))
    return min(max(number, 0.0), 1.0)
