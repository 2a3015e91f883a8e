"""Loose values of foreign files become sound ones, or a RecordError that says what is wrong."""

from __future__ import annotations

import reprlib
import unicodedata

from model.errors import RecordError
from model.types import Size

Bbox = tuple[float, float, float, float]
"""x, y, width, height in pixels of the upright picture."""

MAX_LABEL = 200
MAX_TEXT = 2_000

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 2, 6, 3
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def shown(value: object) -> str:
    """Returns a foreign value for a message: short, and in little time however it is nested."""
    return _SHORT.repr(value)


def one_line(text: str) -> str:
    """Returns text without control characters and lone surrogates, each replaced one for one.

    The length stays, so that spans into the text stay true.
    """
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cs"}
        and character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
        else " "
        for character in text
    )


def text_of(value: object, limit: int = MAX_TEXT) -> str:
    """Returns a text that may be kept; raises RecordError if it is none, empty or too long."""
    if not isinstance(value, str) or not value.strip():
        raise RecordError(f"{shown(value)} is no text.")
    if len(value) > limit:
        raise RecordError(f"a text has {len(value)} characters; at most {limit} are allowed.")
    return one_line(value)


def label_of(value: object) -> str:
    """Returns a class name as words: one space between words, no underscores."""
    return " ".join(text_of(value, MAX_LABEL).replace("_", " ").split())


def number(value: object) -> float:
    """Returns a finite number; raises RecordError for anything else, texts and booleans too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(f"{shown(value)} is no number.")
    if not abs(value) < 1e9:
        raise RecordError(f"{shown(value)} is no finite number of pixels.")
    return float(value)


def numbers(values: object, count: int) -> list[float]:
    """Returns `count` finite numbers; raises RecordError for anything else."""
    if not isinstance(values, list | tuple) or len(values) != count:
        raise RecordError(f"{shown(values)} is not {count} numbers.")
    return [number(value) for value in values]


def from_corners(values: object) -> Bbox:
    """Returns x, y, width, height of x0, y0, x1, y1; raises RecordError if they are in disorder."""
    x0, y0, x1, y1 = numbers(values, 4)
    if x0 >= x1 or y0 >= y1:
        raise RecordError(f"the corners {shown(values)} are not x0 < x1, y0 < y1.")
    return x0, y0, x1 - x0, y1 - y0


def bbox_of(values: object) -> Bbox:
    """Returns x, y, width, height; raises RecordError unless both sides are positive."""
    x, y, width, height = numbers(values, 4)
    if width <= 0 or height <= 0:
        raise RecordError(f"the box {shown(values)} (x, y, width, height) has no area.")
    return x, y, width, height


def name_of(value: object) -> int | str:
    """Returns an id; raises RecordError unless it is a whole number or a text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise RecordError(f"{shown(value)} is no id.")
    return value


def size_of(width: object, height: object) -> Size | None:
    """Returns a stated size, None if nothing (or 0×0) was stated.

    Raises:
        RecordError: what was stated is no size.
    """
    if width in (None, 0) and height in (None, 0):
        return None
    wide, high = number(width), number(height)
    if min(wide, high) < 1 or wide != int(wide) or high != int(high):
        raise RecordError(f"{shown(width)}×{shown(height)} is no size of a picture.")
    return Size(int(wide), int(high))
