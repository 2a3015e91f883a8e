"""Drawn shapes as tensors: what the region encoder reads. Pixels and frames end here.

Every shape becomes the same five things: a soft mask of what is meant and one of what is ruled
out (on the stride-16 grid), its box, and sixteen signed places inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from model import boxes
from model.preprocess import Letterbox
from model.types import Box, Mask, Point, Points, Scribble, Shape

NUM_PLACES = 16
KINDS = (Points, Box, Scribble, Mask)


@dataclass(frozen=True, slots=True)
class Regions:
    """R drawn shapes, in the canvas frame.

    Attributes:
        meant: float[R, N, N], soft mask of what is pointed at, row-major.
        ruled_out: float[R, N, N], soft mask of the negative clicks.
        corners: float[R, 4], xyxy; a click's box is a point.
        places: float[R, 16, 2].
        signs: float[R, 16]; +1 meant, -1 ruled out, 0 padding.
        kind: int64[R], index into `KINDS`.
        picture: int64[R], which picture of the batch.
    """

    meant: Tensor
    ruled_out: Tensor
    corners: Tensor
    places: Tensor
    signs: Tensor
    kind: Tensor
    picture: Tensor

    def __len__(self) -> int:
        return len(self.kind)

    def to(self, device: torch.device | str) -> Self:
        """Returns the regions on a device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


def draw(
    shapes: Sequence[Shape], letterboxes: Sequence[Letterbox], picture: Sequence[int], grid: int
) -> Regions:
    """Returns shapes of the unit frame as tensors.

    Args:
        shapes: R drawn shapes.
        letterboxes: one for each shape.
        picture: the batch index of each shape's picture.
        grid: N, cells along a side of the stride-16 level.
    """
    rows = [_draw(shape, box, grid) for shape, box in zip(shapes, letterboxes, strict=True)]
    if not rows:
        empty = torch.zeros(0, grid, grid)
        none = torch.zeros(0, dtype=torch.long)
        return Regions(
            empty, empty, torch.zeros(0, 4), torch.zeros(0, NUM_PLACES, 2),
            torch.zeros(0, NUM_PLACES), none, none,
        )  # fmt: skip
    meant, ruled_out, corners, places, signs = (
        torch.stack(column) for column in zip(*rows, strict=True)
    )
    kind = torch.tensor([KINDS.index(type(shape)) for shape in shapes])
    return Regions(meant, ruled_out, corners, places, signs, kind, torch.tensor(picture))


def _draw(shape: Shape, letterbox: Letterbox, grid: int) -> tuple[Tensor, ...]:
    match shape:
        case Box():
            corners = letterbox.to_canvas(torch.tensor(shape.as_tuple()))
            meant, places = box_mask(corners, grid), _places_in(corners)
            return meant, torch.zeros(grid, grid), corners, places, torch.ones(NUM_PLACES)
        case Mask(pixels):
            meant = letterbox.mask_to_canvas(pixels, grid)
            corners = letterbox.to_canvas(boxes.from_mask(torch.from_numpy(pixels.copy())))
            inside = (meant > 0.5 * meant.max()).nonzero().flip(1)
            places = (_spread(inside.float()) + 0.5) / grid
            return meant, torch.zeros(grid, grid), corners, places, torch.ones(NUM_PLACES)
        case Scribble(path):
            points = tuple(Point(x, y) for x, y in path)
        case Points(points):
            pass
    places = letterbox.to_canvas(torch.tensor([(p.x, p.y) for p in points]))
    if isinstance(shape, Scribble):
        places = _along(places)
        points = tuple(Point(0, 0) for _ in places)
    positive = torch.tensor([p.positive for p in points])
    meant = _splat(places[positive], grid)
    ruled_out = _splat(places[~positive], grid)
    low, high = places[positive].amin(0), places[positive].amax(0)
    chosen = _spread(torch.cat([places, torch.where(positive, 1.0, -1.0)[:, None]], 1))
    return meant, ruled_out, torch.cat([low, high]), chosen[:, :2], chosen[:, 2]


def box_mask(corners: Tensor, grid: int) -> Tensor:
    """Returns how much of each cell a box covers, float[N, N]."""
    edges = torch.arange(grid + 1, dtype=torch.float) / grid

    def cover(low: Tensor, high: Tensor) -> Tensor:
        inside = torch.minimum(edges[1:], high) - torch.maximum(edges[:-1], low)
        return inside.clamp(min=0) * grid

    x0, y0, x1, y1 = corners
    return cover(y0, y1)[:, None] * cover(x0, x1)[None]


def _splat(places: Tensor, grid: int) -> Tensor:
    """Returns places as a soft mask whose average equals reading them bilinearly, float[N, N]."""
    mask = torch.zeros(grid, grid)
    spot = (places * grid - 0.5).clamp(0, grid - 1)
    low = spot.floor()
    for dx in (0, 1):
        for dy in (0, 1):
            cell = low + torch.tensor([dx, dy])
            weight = (1 - (spot - cell).abs()).clamp(min=0).prod(1)
            column, row = cell.clamp(max=grid - 1).long().unbind(1)
            mask.index_put_((row, column), weight, accumulate=True)
    return mask


def _places_in(corners: Tensor) -> Tensor:
    steps = (torch.arange(4) + 0.5) / 4
    ys, xs = torch.meshgrid(steps, steps, indexing="ij")
    return corners[:2] + (corners[2:] - corners[:2]) * torch.stack([xs, ys], -1).view(-1, 2)


def _along(path: Tensor, count: int = 4 * NUM_PLACES) -> Tensor:
    """Returns `count` places spread evenly along a polyline float[N, 2]."""
    lengths = (path[1:] - path[:-1]).norm(dim=1)
    at = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    wanted = torch.linspace(0, float(at[-1]), count)
    right = torch.searchsorted(at, wanted).clamp(1, len(path) - 1)
    share = ((wanted - at[right - 1]) / lengths[right - 1].clamp(min=1e-9)).unsqueeze(1)
    return path[right - 1] + (path[right] - path[right - 1]) * share


def _spread(rows: Tensor) -> Tensor:
    """Returns 16 of the rows, evenly chosen, repeated if there are fewer."""
    return rows[torch.linspace(0, len(rows) - 1, NUM_PLACES).round().long()]
