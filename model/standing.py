"""Where each object stands among its kind: how many are left of it, below it, larger, and so on.

"The second dog from the left", "the largest vase", "three people": what such words mean follows
from counting objects of one kind on one side of another. Proposals are unsure and doubled, so the
counts are soft: each proposal counts by its score, its doubles share one vote, and what is of
another class hardly counts. Source: ours; pairwise geometry between proposals as in Relation
Networks (Hu et al. 2018), with fixed relations in place of learned ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model import boxes
from model.vision import Sight

DIRECTIONS = 6
POWERS = (1, 2)
"""Scores are raised to each: weak proposals count a little, and hardly at all."""

NUM_STANDING = 2 * len(POWERS) * (DIRECTIONS + 1)
SOFTNESS = 0.02
"""Difference of centres, in parts of the canvas, that is clearly a side."""


def standing(sight: Sight) -> Tensor:
    """Returns counts among its kind for every proposal, float[B, Q, NUM_STANDING].

    The counts are of objects to the left, to the right, above, below, larger, smaller, and of all;
    each as c / 4 and as exp(-2 c), which tells none from one.

    Example:
        Three equal dogs in a row: the middle one has one to its left, one to its right.
    """
    chance = sight.class_logits.sigmoid()
    score = chance.amax(-1) * sight.objectness_logits.sigmoid() * sight.valid
    kind = chance / chance.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    alike = kind @ kind.transpose(1, 2)
    same = alike * boxes.pairwise_iou(sight.boxes, sight.boxes)
    # A box without area overlaps nothing, not even itself; its vote is still its own.
    itself = torch.eye(same.shape[-1], dtype=torch.bool, device=same.device)
    same = same.masked_fill(itself, 1.0)
    side = _sides(sight.boxes)
    found = []
    for power in POWERS:
        weight = score**power
        votes = weight**2 / torch.einsum("bij,bj->bi", same, weight).clamp(min=1e-12)
        other = alike * (1 - same) * votes.unsqueeze(1)
        found.append(torch.einsum("bqjd,bqj->bqd", side, other))
        found.append(other.sum(-1, keepdim=True))
    counts = torch.cat(found, -1)
    return torch.cat([counts / 4, (-2 * counts).exp()], -1)


def _sides(boxes_xyxy: Tensor) -> Tensor:
    """Returns whether j is left, right, above, below, larger, smaller than i: [B, Q, Q, 6]."""
    centre = boxes.to_cxcywh(boxes_xyxy)[..., :2]
    root = boxes.area(boxes_xyxy).clamp(min=1e-8).sqrt().unsqueeze(-1)
    value = torch.cat([centre, -root], -1)
    less = ((value.unsqueeze(2) - value.unsqueeze(1)) / SOFTNESS).sigmoid()
    x, y, larger = less.unbind(-1)
    return torch.stack([x, 1 - x, y, 1 - y, larger, 1 - larger], -1)
