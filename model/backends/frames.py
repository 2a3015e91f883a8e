"""Where the numbers of a family lie: bins, per mille, pixels of the shown picture, grid cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from model.types import Box, Size

Loose = tuple[float, float, float, float]
"""Unit coordinates xyxy, not yet ordered or clipped."""


class Frame(Protocol):
    """A family's coordinates, both directions in one place."""

    @property
    def count(self) -> int:
        """How many numbers make one box."""
        ...

    @property
    def y_first(self) -> bool:
        """Whether y comes before x."""
        ...

    def read(self, numbers: list[float], shown: Size) -> Loose:
        """Returns the corners that `count` numbers mean."""
        ...

    def write(self, box: Box, shown: Size) -> list[int]:
        """Returns the numbers of a box, in the family's order."""
        ...

    def step(self, shown: Size) -> tuple[float, float]:
        """Returns how far apart two neighbouring places are, across and down."""
        ...


@dataclass(frozen=True, slots=True)
class Bins:
    """Each coordinate is a number from 0 to `bins`, or a pixel of the shown picture if that is 0.

    Attributes:
        bins: the number that 1.0 corresponds to.
        centre: 0.5 if a number names a bin and means its middle.
        top: largest number the family writes.
        y_first: the order is y0, x0, y1, x1.

    Example:
        >>> Bins(1000, centre=0.5, top=999).write(Box(0.1, 0.2, 0.5, 1.0), Size(1, 1))
        [100, 200, 500, 999]
    """

    bins: int = 1000
    centre: float = 0.0
    top: int = 1000
    y_first: bool = False

    @property
    def count(self) -> int:
        """Four numbers a box."""
        return 4

    def read(self, numbers: list[float], shown: Size) -> Loose:
        """Returns the corners that four numbers mean."""
        a, b, c, d = (number + self.centre for number in numbers)
        x0, y0, x1, y1 = (b, a, d, c) if self.y_first else (a, b, c, d)
        wide, high = self._ends(shown)
        return x0 / wide, y0 / high, x1 / wide, y1 / high

    def write(self, box: Box, shown: Size) -> list[int]:
        """Returns four integers, each off by at most half a bin."""
        wide, high = self._ends(shown)
        tops = (wide, high) if not self.bins else (self.top, self.top)
        x0, y0, x1, y1 = (
            min(max(round(side * end - self.centre), 0), top)
            for side, end, top in zip(box.as_tuple(), (wide, high) * 2, tops * 2, strict=True)
        )
        return [y0, x0, y1, x1] if self.y_first else [x0, y0, x1, y1]

    def step(self, shown: Size) -> tuple[float, float]:
        """Returns the width and height of a bin or pixel."""
        wide, high = self._ends(shown)
        return 1 / wide, 1 / high

    def _ends(self, shown: Size) -> tuple[int, int]:
        return (self.bins, self.bins) if self.bins else (shown.width, shown.height)


@dataclass(frozen=True, slots=True)
class Grid:
    """Two corners, each the index of a cell of a square grid, row by row.

    Source: Kosmos-2's `patch_index_to_coordinate`: a corner is the middle of its cell, except
    that a box within one row or column covers its cells whole.
    """

    side: int = 32

    @property
    def count(self) -> int:
        """Two cells a box."""
        return 2

    @property
    def y_first(self) -> bool:
        """A cell index has no order."""
        return False

    def read(self, numbers: list[float], shown: Size) -> Loose:
        """Returns the corners that two cell indices mean."""
        (y0, x0), (y1, x1) = (divmod(int(number), self.side) for number in numbers)
        low, high = (0.0, 1.0) if x0 == x1 or y0 == y1 else (0.5, 0.5)
        side = self.side
        return (x0 + low) / side, (y0 + low) / side, (x1 + high) / side, (y1 + high) / side

    def write(self, box: Box, shown: Size) -> list[int]:
        """Returns the cells of the first and last pixel, off by at most one cell."""
        x0, y0 = (min(int(place * self.side), self.side - 1) for place in box.as_tuple()[:2])
        x1, y1 = (max(-int(-place * self.side // 1) - 1, 0) for place in box.as_tuple()[2:])
        return [y0 * self.side + x0, y1 * self.side + x1]

    def step(self, shown: Size) -> tuple[float, float]:
        """Returns the width and height of a cell."""
        return 1 / self.side, 1 / self.side
