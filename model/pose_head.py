"""A person's key points inside a box."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.roi import SIDE, RoiFeatures, lattice
from model.vision import Sight

NUM_JOINTS = 17
MIRROR = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""COCO's joints after a left-right flip: eyes, ears, shoulders, ... change places."""


class PoseHead(nn.Module):
    """Link states and a box to the places of 17 joints and whether each is visible.

    Each joint is a distribution over the cells of the box; its place is the mean (soft-argmax, Sun
    et al. 2018, integral pose regression).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.features = RoiFeatures(config)
        self.heat = nn.Conv2d(64, NUM_JOINTS, 1)
        self.visible = nn.Linear(64, NUM_JOINTS)

    def forward(
        self, links: Tensor, rois: Tensor, picture: Tensor, sight: Sight
    ) -> tuple[Tensor, Tensor]:
        """Returns places float[S, 17, 2], canvas frame, and visibility logits float[S, 17]."""
        features = self.features(links, rois, picture, sight)
        heat = self.heat(features).flatten(2).softmax(-1)
        places = torch.einsum("sjc,scd->sjd", heat, lattice(rois, 2 * SIDE))
        return places, self.visible(features.mean((2, 3)))
