"""A box for every word, from the state that writes it. Source: PixelLLM (Xu et al. 2024), 3.3.

Two points a token, squashed to [0, 1]; the box of a phrase spans the points of its tokens. Where
we differ: the MLP is as wide as the small language model, not 512.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import ModelConfig

NUM_LAYERS = 4


class WordLocator(nn.Module):
    """LayerNorm and a four-layer MLP to two points."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.language.width
        layers: list[nn.Module] = [nn.LayerNorm(width)]
        for _ in range(NUM_LAYERS - 1):
            layers += [nn.Linear(width, width), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 4))

    def forward(self, states: Tensor) -> Tensor:
        """Returns boxes float[..., 4], xyxy in the canvas frame, of states float[..., D].

        The second point is written as the first plus a share of what is left, so that corners
        never cross.
        """
        raw = self.layers(states).sigmoid()
        low, share = raw[..., :2], raw[..., 2:]
        return torch.cat([low, low + (1 - low) * share], -1)
