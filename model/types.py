"""What flows between the rooms: regions in, groundings out, turns, examples. No torch here.

One frame: floats in [0, 1], xyxy, of the original upright picture. Every type is checked at birth,
so whoever holds a `Box` holds a valid one.

Over 300 lines: the types are made of each other, and everybody looks for them in one place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.errors import RegionError

MAX_REGIONS = 100
"""Most regions in one turn; more is a mistake or an attack."""


class Capability(StrEnum):
    """A thing a model can do; the page offers only what the chosen model declares."""

    DETECT = "detect"
    REFER = "refer"
    GROUND = "ground"
    REGION = "region"
    CLICK = "click"
    CAPTION = "caption"
    DENSE = "dense"
    CHAT = "chat"
    SEGMENT = "segment"
    POSE = "pose"
    WORDS = "words"


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    ABSENT = "absent"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a picture in pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise RegionError(f"A picture has at least 1×1 pixels, got {self.width}×{self.height}.")


def _unit(name: str, value: float) -> float:
    """Returns `value` as a float if it lies in [0, 1]; raises RegionError otherwise."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise RegionError(
            f"{name} is {value!r:.40}; coordinates are fractions of the picture from 0 to 1."
        )
    return number


@dataclass(frozen=True, slots=True)
class Point:
    """A click: a place in the picture, pointed at (`positive`) or ruled out."""

    x: float
    y: float
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", _unit("x", self.x))
        object.__setattr__(self, "y", _unit("y", self.y))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, xyxy; `x0 < x1` and `y0 < y1` always hold."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        for name in ("x0", "y0", "x1", "y1"):
            object.__setattr__(self, name, _unit(name, getattr(self, name)))
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise RegionError(
                f"Box {self.as_tuple()} has no area; give two opposite corners as x0, y0, x1, y1 "
                "with x0 < x1 and y0 < y1."
            )

    @classmethod
    def parse(cls, values: Iterable[float]) -> Self:
        """Returns a box from four loose numbers: corners in any order, clipped to the picture.

        Raises:
            RegionError: not four finite numbers, or nothing of the box lies inside the picture.
        """
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError, OverflowError) as error:
            raise RegionError(
                f"A box is four numbers x0, y0, x1, y1; got {values!r:.80}."
            ) from error
        if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
            raise RegionError(f"A box is four finite numbers x0, y0, x1, y1; got {numbers!r:.80}.")
        x0, x1 = sorted(min(max(number, 0.0), 1.0) for number in numbers[::2])
        y0, y1 = sorted(min(max(number, 0.0), 1.0) for number in numbers[1::2])
        return cls(x0, y0, x1, y1)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Returns (x0, y0, x1, y1)."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def area(self) -> float:
        """Area as a fraction of the picture."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A set of pixels, bool[H, W]; equal masks have equal pixels."""

    pixels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels, dtype=bool)
        if pixels.ndim != 2 or pixels.size == 0:
            raise RegionError(f"A mask has two axes, height and width; got shape {pixels.shape}.")
        pixels = pixels.copy()
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.pixels.shape, self.pixels.tobytes()))


@dataclass(frozen=True, slots=True)
class Points:
    """One or more clicks that together mean one thing; at least one is positive."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(self.points))
        if not any(point.positive for point in self.points):
            raise RegionError("A point prompt needs at least one positive click.")


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke through the thing that is meant.

    Attributes:
        path: (x, y) places, at least two.
        width: stroke width as a fraction of the picture's longer side.
    """

    path: tuple[tuple[float, float], ...]
    width: float = 0.02

    def __post_init__(self) -> None:
        path = tuple((_unit("x", x), _unit("y", y)) for x, y in self.path)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "width", _unit("width", self.width))
        if len(path) < 2:
            raise RegionError("A scribble needs at least two places; use a point for a single one.")


Shape = Points | Box | Scribble | Mask
"""What a person can draw."""


@dataclass(frozen=True, slots=True)
class Region:
    """A drawn shape and its name in the conversation, such as `@1`."""

    name: str
    shape: Shape

    def __post_init__(self) -> None:
        if not re.fullmatch("@[1-9][0-9]{0,2}", self.name):
            raise RegionError(f"Region name {self.name!r:.20} is not of the form @1, @2, ...")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some characters of an answer, half-open `[start, end)`; both None for a class name."""

    text: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Places (x, y) of named joints with their visibility score, in COCO's order for a person."""

    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Grounding:
    """A phrase and where it is.

    Attributes:
        phrase: what is meant.
        boxes: where, best first.
        scores: one in [0, 1] for each box.
        masks: empty, or one for each box, at the original picture's size.
        keypoints: empty, or one for each box.
    """

    phrase: Phrase
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    masks: tuple[Mask, ...] = ()
    keypoints: tuple[Keypoints, ...] = ()

    def __post_init__(self) -> None:
        for name in ("scores", "masks", "keypoints"):
            values = getattr(self, name)
            if len(values) != len(self.boxes) and (values or name == "scores"):
                raise ValueError(f"{len(self.boxes)} boxes but {len(values)} {name}")

    def above(self, threshold: float) -> Grounding:
        """Returns this grounding with only the boxes that score at least `threshold`."""
        keep = [i for i, score in enumerate(self.scores) if score >= threshold]

        def take(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(values[i] for i in keep) if values else ()

        return Grounding(
            self.phrase, take(self.boxes), take(self.scores), take(self.masks), take(self.keypoints)
        )


@dataclass(frozen=True, slots=True)
class WordBox:
    """Where one generated word looks: its span in the answer and a box."""

    phrase: Phrase
    box: Box


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said and where it points.

    Attributes:
        text: plain words, no markup.
        groundings: phrases of `text` (or class names) with boxes; boxes below the checkpoint's
            threshold are left out unless a lower one was asked for.
        word_boxes: a box for every word, if the model has a word locator.
        finish: why the answer ended.
    """

    text: str
    groundings: tuple[Grounding, ...] = ()
    word_boxes: tuple[WordBox, ...] = ()
    finish: Finish = Finish.STOP

    @property
    def present(self) -> bool:
        """Whether anything asked for was found."""
        return self.finish is not Finish.ABSENT


@dataclass(frozen=True, slots=True)
class Delta:
    """A further piece of text while an answer streams."""

    text: str


Event = Delta | Answer
"""What a streaming answer yields: pieces of text, then one whole answer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its regions, and the answer. A chat turn is a training turn."""

    question: str
    answer: Answer
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            raise RegionError(f"Region names are used twice: {names}.")
        if len(names) > MAX_REGIONS:
            raise RegionError(
                f"{len(names)} regions in one turn; at most {MAX_REGIONS} are allowed."
            )


@dataclass(frozen=True, slots=True)
class Example:
    """A picture (a file's path or a record's id) and the turns about it."""

    picture: str
    size: Size
    turns: tuple[Turn, ...] = field(default=())
