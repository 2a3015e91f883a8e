"""Pictures to what the model sees of them: a pyramid, a summit grid and object proposals.

The trunk looks at the picture once for each canvas side. The first look gives the pyramid; the
cells of all looks compete for the proposals, so small things are found on the larger canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import boxes
from model.config import TrunkConfig
from model.trunk import STRIDES, Cells, Trunk

CANDIDATES = 1000
"""Best cells considered for suppression; the rest cannot reach the first hundred."""
APART = 0.5
"""Overlap up to which a proposal stands apart from another."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of B pictures; everything after this runs on it alone.

    Attributes:
        boxes: float[B, Q, 4], xyxy in the canvas frame.
        objectness_logits: float[B, Q].
        class_logits: float[B, Q, K].
        features: float[B, Q, F], the trunk's two towers at the proposal's cell.
        level: int64[B, Q], look and stride the proposal comes from.
        valid: bool[B, Q]; False for padding.
        near: float[B, D, N, N], stride 16 (the stride-8 level averaged 2x2).
        middle: float[B, D, N, N], stride 16.
        far: float[B, D, N/2, N/2], stride 32.
        summit: float[B, S, N/2, N/2], stride 32.
        colours: float[B, 3, 2N, 2N], stride 8; see `colours_of`.
    """

    boxes: Tensor
    objectness_logits: Tensor
    class_logits: Tensor
    features: Tensor
    level: Tensor
    valid: Tensor
    near: Tensor
    middle: Tensor
    far: Tensor
    summit: Tensor
    colours: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Returns a Sight with `change` applied to every tensor."""
        return type(self)(*(change(getattr(self, field.name)) for field in fields(self)))

    def __getitem__(self, index: Tensor | slice) -> Self:
        """Returns the chosen pictures."""
        return self.map(lambda tensor: tensor[index])

    def mirrored(self, which: Tensor) -> Self:
        """Returns the sight with the pictures `which` (bool[B]) flipped left to right.

        The features are flipped, not computed anew: a convolution sees a flipped picture almost,
        not exactly, as the flip of its features.
        """

        def flip_boxes(b: Tensor) -> Tensor:
            return torch.stack([1 - b[..., 2], b[..., 1], 1 - b[..., 0], b[..., 3]], -1)

        changed = {"boxes": torch.where(which[:, None, None], flip_boxes(self.boxes), self.boxes)}
        for name in ("near", "middle", "far", "summit", "colours"):
            grid = getattr(self, name)
            changed[name] = torch.where(which[:, None, None, None], grid.flip(-1), grid)
        return replace(self, **changed)


UNSEEN = Sight(*(torch.empty(0) for _ in fields(Sight)))
"""Stands in a batch until its pictures are looked at."""


class Vision(nn.Module):
    """The trunk, looked through at several scales."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)

    def forward(self, canvases: list[Tensor]) -> Sight:
        """Looks at B pictures.

        Args:
            canvases: one float32[B, 3, side, side] for each of the configured sides.
        """
        return self.select([self.trunk(canvas) for canvas in canvases], canvases[0])

    def select(self, looks: list[Cells], canvas: Tensor) -> Sight:
        """Returns the sight of what the trunk said of each canvas, the first of which is given."""
        cells = merge(looks, self.config.sides)
        chosen, valid = self._choose(cells)

        levels = _levels(self.config.sides).to(chosen.device).expand(len(chosen), -1)
        near, middle, far = looks[0].pyramid
        return Sight(
            boxes=_at(cells.boxes, chosen).clamp(0, 1),
            objectness_logits=_at(cells.objectness_logits, chosen),
            class_logits=_at(cells.class_logits, chosen),
            features=_at(cells.features, chosen),
            level=_at(levels, chosen),
            valid=valid,
            near=F.avg_pool2d(near, 2),
            middle=middle,
            far=far,
            summit=looks[0].summit,
            colours=colours_of(canvas),
        )

    @torch.no_grad()
    def _choose(self, cells: Cells) -> tuple[Tensor, Tensor]:
        """Returns the proposals' cells int64[B, Q] and which of them are real bool[B, Q].

        Most are the cells that the trunk's classes are surest of; the last are the surest to hold
        anything at all where no other proposal is, or things that have none of the classes would
        be crowded out by doubles of those that do.
        """
        count = self.config.num_proposals - self.config.num_apart
        rows, valid = self._named(cells, count)
        more, real = _apart(cells, rows, valid, self.config.num_apart)
        return torch.cat([rows, more], 1), torch.cat([valid, real], 1)

    def _named(self, cells: Cells, count: int) -> tuple[Tensor, Tensor]:
        """Returns the cells that the trunk's classes are surest of, without doubles in a class.

        As `_choose`, int64[B, count] and bool[B, count].
        """
        classes = cells.class_logits.max(-1)
        best = _best(F.logsigmoid(classes.values) + F.logsigmoid(cells.objectness_logits))
        places, labels = _at(cells.boxes, best), _at(classes.indices, best)
        alike = labels.unsqueeze(1) == labels.unsqueeze(2)
        over = boxes.pairwise_iou(places, places) > self.config.same_class_iou
        return _first(best, boxes.unsuppressed(over & alike), count)


def _apart(cells: Cells, rows: Tensor, valid: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the cells surest to hold anything that stand apart from others and from each other.

    Args:
        cells: of B pictures.
        rows: int64[B, N], those that are chosen already.
        valid: bool[B, N], which of them are real.
        count: how many to return, as `_choose`.
    """
    if not count:
        return rows[:, :0], valid[:, :0]
    taken = rows.shape[1]
    every = torch.cat([rows, _best(cells.objectness_logits)], 1)
    among = F.pad(valid, (0, every.shape[1] - taken), value=True)
    places = _at(cells.boxes, every)
    over = boxes.pairwise_iou(places, places) > APART
    over[:, :taken] = False  # What is chosen stays.
    kept = boxes.unsuppressed(over, among)
    return _first(every[:, taken:], kept[:, taken:], count)


def _best(scores: Tensor) -> Tensor:
    """Returns the cells of the highest scores, best first, int64[B, CANDIDATES] or fewer."""
    return scores.topk(min(CANDIDATES, scores.shape[1])).indices


def _at(values: Tensor, rows: Tensor) -> Tensor:
    """Returns what cells int64[B, N] have of values [B, C, ...]: [B, N, ...]."""
    index = rows.view(*rows.shape, *(1,) * (values.dim() - 2))
    return values.gather(1, index.expand(*rows.shape, *values.shape[2:]))


def _first(rows: Tensor, kept: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the first so many kept cells int64[B, count], padded, and which are real."""
    order = (~kept).byte().argsort(dim=1, stable=True)[:, :count]
    valid = kept.gather(1, order)
    missing = (0, count - order.shape[1])
    return F.pad(rows.gather(1, order).masked_fill(~valid, 0), missing), F.pad(valid, missing)


def merge(looks: list[Cells], sides: tuple[int, ...]) -> Cells:
    """Returns the cells of all looks, boxes in the canvas frame; the pyramid is the first's."""
    return Cells(
        boxes=torch.cat([look.boxes / side for look, side in zip(looks, sides, strict=True)], 1),
        objectness_logits=torch.cat([look.objectness_logits for look in looks], 1),
        class_logits=torch.cat([look.class_logits for look in looks], 1),
        features=torch.cat([look.features for look in looks], 1),
        pyramid=looks[0].pyramid,
        summit=looks[0].summit,
    )


def colours_of(canvas: Tensor) -> Tensor:
    """Returns the mean colour of every 8 x 8 pixels, 0 to 255 as -2 to 2: float[B, 3, H/8, W/8].

    A trunk that learned to see things in any light keeps hardly anything of their colours: purple
    and red cells were alike to it.
    """
    return F.avg_pool2d(canvas / 64 - 2, STRIDES[0])


def _levels(sides: tuple[int, ...]) -> Tensor:
    """Returns the look-and-stride number of every cell, int64[C]."""
    counts = [(side // stride) ** 2 for side in sides for stride in STRIDES]
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
