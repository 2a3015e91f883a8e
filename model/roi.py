"""Features of one box for the heads that draw inside it: masks and key points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.objects import sample
from model.vision import Sight

SIDE = 14
"""Places along a side of the box at which the pyramid is read."""
MARGIN = 0.15
"""Share of the box added on each side, so that a box drawn too tight still holds the thing."""


def widened(boxes_xyxy: Tensor) -> Tensor:
    """Returns boxes with the margin added."""
    size = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    return torch.cat([boxes_xyxy[..., :2] - MARGIN * size, boxes_xyxy[..., 2:] + MARGIN * size], -1)


def lattice(boxes_xyxy: Tensor, side: int) -> Tensor:
    """Returns the centres of a side x side division of each box: [S, 4] to [S, side * side, 2]."""
    steps = (torch.arange(side, device=boxes_xyxy.device) + 0.5) / side
    ys, xs = torch.meshgrid(steps, steps, indexing="ij")
    inside = torch.stack([xs, ys], -1).view(-1, 2)
    low, high = boxes_xyxy[:, None, :2], boxes_xyxy[:, None, 2:]
    return low + (high - low) * inside


class RoiFeatures(nn.Module):
    """The pyramid inside a box, conditioned on what the phrase means; convolved, then doubled.

    Source: the heads of Mask R-CNN (He et al. 2017), much narrower, with the mean of the phrase's
    link states added as in VisionLLM v2.
    """

    def __init__(self, config: ModelConfig, width: int = 64) -> None:
        super().__init__()
        language = config.language.width
        self.meaning = nn.Sequential(
            nn.Linear(language, language), nn.GELU(), nn.Linear(language, width)
        )
        self.read = nn.Linear(3 * config.trunk.head_width, width)
        self.place = nn.Parameter(torch.randn(width, SIDE, SIDE) * 0.02)
        self.convolutions = nn.Sequential(
            *_convolution(width),
            *_convolution(width),
            *_convolution(width),
            nn.ConvTranspose2d(width, width, 2, 2),
            nn.GELU(),
        )

    def forward(self, links: Tensor, rois: Tensor, picture: Tensor, sight: Sight) -> Tensor:
        """Returns float[S, width, 28, 28].

        Args:
            links: float[S, L, D], link states of the phrases.
            rois: float[S, 4], widened boxes, canvas frame.
            picture: int64[S].
            sight: what was seen of the batch's pictures.
        """
        places = lattice(rois, SIDE)
        grids = (sight.near, sight.middle, sight.far)
        around = torch.cat([sample(grid[picture], places) for grid in grids], -1)
        x = self.read(around / 2) + self.meaning(links.mean(1)).unsqueeze(1)
        return self.convolutions(x.transpose(1, 2).unflatten(2, (SIDE, SIDE)) + self.place)


def _convolution(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.GELU()]
