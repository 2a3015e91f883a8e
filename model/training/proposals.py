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
from torch.nn.utils.rnn import pad_sequence

from model import boxes
from model.training.targets import pad_boxes
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
    predicted: Tensor, objectness_logits: Tensor, true: Tensor, real: Tensor,
    centres: Tensor, strides: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Returns which cells propose which true box of their picture.

    Args:
        predicted: float[B, C, 4], xyxy.
        objectness_logits: float[B, C].
        true: float[B, M, 4], xyxy, none of the real ones empty.
        real: bool[B, M].
        centres: float[C, 2].
        strides: float[C].

    Returns:
        Three int64[N]: picture, cell and true box. A cell proposes one box at most.
    """
    low, high = true[:, None, :, :2], true[:, None, :, 2:]
    inside = ((centres[:, None] > low) & (centres[:, None] < high)).all(-1)
    middle = boxes.to_cxcywh(true)[:, None, :, :2]
    near = ((centres[:, None] - middle).abs() < RADIUS * strides[:, None, None]).all(-1)
    may = ((inside | near) & real.unsqueeze(1)).any(2, keepdim=True) & real.unsqueeze(1)
    overlap = boxes.pairwise_iou(predicted, true).masked_fill(~may, 0)
    cost = -COST_OVERLAP * overlap.clamp(min=1e-8).log()
    cost = cost + F.softplus(-objectness_logits).unsqueeze(2) + OUTSIDE * ~(inside & near)
    cost = cost.masked_fill(~may, torch.inf)
    most = min(CANDIDATES, cost.shape[1])
    count = overlap.topk(most, 1).values.sum(1).int().clamp(min=1)
    cheapest = cost.topk(most, 1, largest=False)
    chosen = torch.arange(most, device=cost.device)[:, None] < count.unsqueeze(1)
    taken = torch.full_like(cost, torch.inf)
    taken.scatter_(1, cheapest.indices, cheapest.values.masked_fill(~chosen, torch.inf))
    # Of several boxes a cell could propose, it proposes the cheapest.
    best = taken.min(2)
    picture, cell = best.values.isfinite().nonzero(as_tuple=True)
    return picture, cell, best.indices[picture, cell]


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
    device = cells.boxes.device
    true, real = (values.to(device) for values in pad_boxes(truth))
    labels = pad_sequence(list(classes), batch_first=True, padding_value=-100).to(device)
    places = (values.to(device) for values in grid(sides))
    picture, cell, box = assign(cells.boxes, cells.objectness_logits, true, real, *places)
    wanted = floor.clone()
    wanted[picture, cell] = 1.0
    objectness = F.binary_cross_entropy_with_logits(
        cells.objectness_logits,
        wanted,
        None if weights is None else weights.unsqueeze(1),
        reduction="sum",
    )
    proposed, meant = cells.boxes[picture, cell], true[picture, box]
    misfit = (1 - boxes.giou(proposed, meant)).sum()
    known = labels[picture, box] >= 0 if len(box) else box.bool()
    by_class = _class_loss(
        cells.class_logits[picture[known], cell[known]],
        labels[picture[known], box[known]],
        boxes.iou(proposed, meant)[known],
    )
    count = max(1, len(cell))
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
