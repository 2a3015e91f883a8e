"""Teaches the trunk to propose: objectness and boxes of its cells, classes only where it has them.

A trunk that never saw blood cells proposes none, and a decoder cannot find what was not proposed.
Cells are assigned to true boxes by SimOTA (YOLOX, Ge et al. 2021, section 2.3, after OTA): each box
takes the few cells that fit it cheapest, as many as their overlaps add up to. Where we differ:
objects need no class, so the cost is overlap and objectness; names are the box decoder's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from model import boxes
from model.trunk import STRIDES, Cells

RADIUS = 2.5
"""Half the side of the square around a box's centre whose cells may propose it, in strides."""
COST_OVERLAP, OUTSIDE = 3.0, 1e3
CANDIDATES = 10
"""Best overlaps that are added up to the number of cells of a box."""
CERTAIN = 0.2
"""Objectness from which a cell proposed something."""
BOX, OBJECTNESS, CLASS = 5.0, 1.0, 1.0
"""Weights of the losses. Source: YOLOX."""


def grid(sides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Returns centre float[C, 2] and stride float[C] of every cell of all looks, canvas frame."""
    centres, strides = [], []
    for side in sides:
        for stride in STRIDES:
            steps = (torch.arange(side // stride) + 0.5) * stride / side
            ys, xs = torch.meshgrid(steps, steps, indexing="ij")
            centres.append(torch.stack([xs, ys], -1).view(-1, 2))
            strides.append(torch.full((len(centres[-1]),), stride / side))
    return torch.cat(centres), torch.cat(strides)


@torch.no_grad()
def assign(
    predicted: Tensor, objectness_logits: Tensor, true: Tensor, centres: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns which cells of a picture propose which true box.

    Args:
        predicted: float[C, 4], xyxy.
        objectness_logits: float[C].
        true: float[M, 4], xyxy, none of them empty.
        centres: float[C, 2].
        strides: float[C].

    Returns:
        Two int64[N]: cell and true box. A cell proposes one box at most.
    """
    inside = ((centres[:, None] > true[:, :2]) & (centres[:, None] < true[:, 2:])).all(-1)
    middle = boxes.to_cxcywh(true)[:, :2]
    near = ((centres[:, None] - middle).abs() < RADIUS * strides[:, None, None]).all(-1)
    cells = (inside | near).any(1).nonzero().flatten()
    overlap = boxes.pairwise_iou(predicted[cells], true)
    cost = -COST_OVERLAP * overlap.clamp(min=1e-8).log()
    cost = cost + F.softplus(-objectness_logits[cells]).unsqueeze(1)
    cost = cost + OUTSIDE * ~(inside & near)[cells]
    count = overlap.topk(min(CANDIDATES, len(cells)), 0).values.sum(0).int().clamp(min=1)
    chosen = cost.argsort(0).argsort(0) < count
    # Of several boxes a cell could propose, it proposes the cheapest.
    best = torch.where(chosen, cost, torch.inf).min(1)
    taken = best.values.isfinite()
    return cells[taken], best.indices[taken]


def proposal_losses(
    cells: Cells, sides: Sequence[int], truth: Sequence[Tensor], classes: Sequence[Tensor],
    floor: Tensor, weights: Tensor | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """Returns the losses of a batch, each divided by the number of assigned cells.

    Args:
        cells: boxes in the canvas frame.
        sides: of the canvases.
        truth: for each picture float[M, 4], xyxy, canvas frame.
        classes: for each picture int64[M], the trunk's class of each box, -100 if it has none.
        floor: float[B, C], objectness below which a cell need not fall: what was certain before
            in pictures whose things are not all marked, else 0.
        weights: float[B], how much each picture's objectness counts; 1 if left out.
    """
    centres, strides = (values.to(cells.boxes.device) for values in grid(sides))
    wanted = floor.clone()
    found: list[tuple[Tensor, Tensor]] = []
    by_class = cells.class_logits.sum() * 0
    for number, (true, labels) in enumerate(zip(truth, classes, strict=True)):
        if not len(true):
            continue
        logits = cells.objectness_logits[number]
        cell, box = assign(cells.boxes[number], logits, true, centres, strides)
        wanted[number, cell] = 1.0
        found.append((cells.boxes[number, cell], true[box]))
        known = labels[box] >= 0
        by_class = by_class + _class_loss(
            cells.class_logits[number, cell[known]],
            labels[box[known]],
            boxes.iou(found[-1][0], found[-1][1])[known],
        )
    count = max(1, sum(len(proposed) for proposed, _ in found))
    objectness = F.binary_cross_entropy_with_logits(
        cells.objectness_logits,
        wanted,
        None if weights is None else weights.unsqueeze(1),
        reduction="sum",
    )
    misfit = cells.boxes.sum() * 0
    if found:
        proposed, true = (torch.cat(values) for values in zip(*found, strict=True))
        misfit = (1 - boxes.giou(proposed, true)).sum()
    return {
        "cell_objectness": OBJECTNESS * objectness / count,
        "cell_box": BOX * misfit / count,
        "cell_class": CLASS * by_class / count,
    }


def kept_loss(predicted: Tensor, before: Tensor, certain: Tensor) -> Tensor:
    """Returns how far boxes have moved from where they were, in cells that proposed something.

    Args:
        predicted: float[B, C, 4], xyxy.
        before: the same cells' boxes before anything was taught.
        certain: float[B, C], their objectness at that time.
    """
    cells = certain > CERTAIN
    weight = certain[cells]
    if not len(weight):
        return predicted.sum() * 0
    moved = 1 - boxes.giou(predicted[cells], before[cells])
    return BOX * (weight * moved).sum() / weight.sum()


def _class_loss(logits: Tensor, labels: Tensor, overlap: Tensor) -> Tensor:
    """Returns the summed cross-entropy; the right class learns the overlap, as in YOLOX."""
    wanted = torch.zeros_like(logits)
    wanted[torch.arange(len(labels)), labels] = overlap.detach().clamp(0, 1)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
