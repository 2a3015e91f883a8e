"""Proposals moved while training, so that the box decoder learns to put them right.

Source: DN-DETR (Li et al. 2022). Where we differ: queries are proposals already, so the proposals
themselves are moved instead of true boxes added to them.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import torch

from model import boxes
from model.vision import Sight

PICTURES = 0.5
"""Share of the pictures whose proposals are moved; the others look as they will be served."""


def shaken(sight: Sight, noise: float, chance: Random) -> Sight:
    """Returns the sight with the proposals of some pictures moved and scaled.

    Args:
        sight: of B pictures.
        noise: a centre moves by up to half of this share of the box's size, and a side grows or
            shrinks by up to this share; 0 changes nothing and draws nothing.
        chance: of all that is drawn.
    """
    if not noise:
        return sight
    generator = torch.Generator().manual_seed(chance.getrandbits(62))
    drawn = torch.rand(sight.boxes.shape, generator=generator).to(sight.boxes) * 2 - 1
    which = torch.rand(len(drawn), 1, 1, generator=generator).to(sight.boxes) < PICTURES
    place = boxes.to_cxcywh(sight.boxes)
    centre = place[..., :2] + drawn[..., :2] * noise / 2 * place[..., 2:]
    size = place[..., 2:] * (1 + drawn[..., 2:] * noise)
    moved = boxes.to_xyxy(torch.cat([centre, size], -1)).clamp(0, 1)
    return replace(sight, boxes=torch.where(which, moved, sight.boxes))
