"""One-to-one matching of predicted and true boxes."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from model import boxes
from model.box_decoder import PADDED

COST_SCORE, COST_L1, COST_GIOU = 2.0, 5.0, 2.0
"""Weights of the matching cost. Source: Deformable DETR (focal score 2, L1 5, GIoU 2)."""
FORBIDDEN = 1e4
"""Cost of a pair that must not be, far above any other."""


@torch.no_grad()
def match(
    logits: Tensor, predicted_xyxy: Tensor, true_xyxy: Tensor, real: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the cheapest one-to-one assignment within each group.

    A padded proposal, known by its score, is never matched.

    Args:
        logits: float[G, Q], score of each prediction.
        predicted_xyxy: float[G, Q, 4].
        true_xyxy: float[G, M, 4].
        real: bool[G, M].

    Returns:
        Three int64[N]: group, prediction and truth of each matched pair.

    Example:
        One group, truths a and b: predictions [b, c, a] give the pairs (0, 2, a), (0, 0, b).
    """
    score = -logits.sigmoid().unsqueeze(-1)
    l1 = torch.cdist(boxes.to_cxcywh(predicted_xyxy), boxes.to_cxcywh(true_xyxy), p=1)
    overlap = boxes.giou(predicted_xyxy.unsqueeze(2), true_xyxy.unsqueeze(1))
    cost = COST_SCORE * score + COST_L1 * l1 - COST_GIOU * overlap
    cost = cost.nan_to_num(FORBIDDEN).masked_fill((logits <= PADDED).unsqueeze(2), FORBIDDEN)
    counts = real.sum(1)
    # One true box takes the cheapest prediction; only several compete for them.
    alone = (counts == 1).nonzero().squeeze(1)
    first = alone.new_zeros(0, 3)
    if len(alone):
        cheapest = cost[alone, :, 0].min(1)
        first = torch.stack([alone, cheapest.indices, torch.zeros_like(alone)], 1)
        first = first[cheapest.values < FORBIDDEN]
    several = (counts > 1).nonzero().squeeze(1)
    pairs: list[tuple[int, int, int]] = []
    for group, count, costs in zip(
        several.tolist(), counts[several].tolist(), cost[several].cpu().numpy(), strict=True
    ):
        rows, columns = linear_sum_assignment(costs[:, :count])
        pairs += [
            (group, int(q), int(m))
            for q, m in zip(rows, columns, strict=True)
            if costs[q, m] < FORBIDDEN
        ]
    rest = torch.tensor(pairs, dtype=torch.long).view(-1, 3).to(first.device)
    return tuple(torch.cat([first, rest]).unbind(1))  # type: ignore[return-value]
