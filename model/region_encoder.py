"""Region tokens: what a person pointed at, in the language model's width.

One module for clicks, boxes, scribbles and masks: the masked average of the pyramid (VisionLLM v2,
section 3.2) plus Fourier features of the box (SAM's prompt encoder, as PixelLLM uses it). Beyond
both, the region looks at its box as objects look at theirs (RoIAlign, 3x3), and reads the object
queries, weighted by how well each proposal fits the shape.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import boxes
from model.config import ModelConfig
from model.objects import ROI_SIDE, look_around
from model.regions import KINDS, Regions
from model.vision import Sight

NUM_FIT = 6


class Fourier(nn.Module):
    """Random Fourier features of coordinates. Source: Tancik et al. 2020, as in SAM."""

    def __init__(self, num_frequencies: int) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.randn(2, num_frequencies))

    def forward(self, places: Tensor) -> Tensor:
        """Returns float[..., 2 * num_frequencies] of places float[..., 2]."""
        angle = 2 * math.pi * (2 * places - 1) @ self.frequencies
        return torch.cat([angle.sin(), angle.cos()], -1)


class RegionEncoder(nn.Module):
    """Regions to tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        decoder, features = config.decoder, 3 * config.trunk.head_width
        width = config.language.width
        self.num_tokens = decoder.num_region_tokens
        self.fourier = Fourier(decoder.num_fourier)
        self.kind = nn.Embedding(len(KINDS), width)
        self.corners = nn.Linear(4 * decoder.num_fourier, width)
        self.meant = nn.Linear(features, width)
        self.ruled_out = nn.Linear(features, width, bias=False)
        self.around = nn.Linear(features * ROI_SIDE**2, width, bias=False)
        nn.init.zeros_(self.around.weight)
        self.fit = nn.Sequential(nn.Linear(NUM_FIT, 32), nn.GELU(), nn.Linear(32, 1))
        self.objects = nn.Linear(decoder.width, width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, self.num_tokens * width),
        )

    def forward(self, regions: Regions, sight: Sight, queries: Tensor) -> Tensor:
        """Returns region tokens.

        Args:
            regions: R shapes.
            sight: what was seen of the batch's pictures.
            queries: float[B, Q, D], of the objects.

        Returns:
            float[R, tokens, width].
        """
        corners = self.fourier(regions.corners.unflatten(-1, (2, 2))).flatten(1)
        x = self.kind(regions.kind) + self.corners(corners)
        x = x + self.meant(_pool(regions.meant, regions.picture, sight))
        x = x + self.ruled_out(_pool(regions.ruled_out, regions.picture, sight))
        x = x + self.around(_around(regions, sight) / 2)
        weight = self.fit(_fit(regions, sight)).squeeze(-1)
        weight = weight.masked_fill(~sight.valid[regions.picture], -1e4).softmax(-1)
        read = torch.einsum("rq,rqd->rd", weight, queries[regions.picture])
        x = x + self.objects(read)
        out = self.mix(x).unflatten(-1, (self.num_tokens, -1))
        return out + x.unsqueeze(1)


def _pool(mask: Tensor, picture: Tensor, sight: Sight) -> Tensor:
    """Returns the masked averages of the three levels, float[R, 3 * D]; zero for an empty mask."""
    parts = []
    for grid in (sight.near, sight.middle, sight.far):
        weight = F.adaptive_avg_pool2d(mask.unsqueeze(1), (grid.shape[-2], grid.shape[-1])).squeeze(
            1
        )
        total = weight.sum((1, 2)).clamp(min=1e-6)
        parts.append(torch.einsum("rdhw,rhw->rd", grid[picture], weight) / total.unsqueeze(1))
    return torch.cat(parts, -1)


def _around(regions: Regions, sight: Sight) -> Tensor:
    """Returns a 3x3 look at the box of each region, float[R, 9 * 3 * D]."""
    levels = {name: getattr(sight, name)[regions.picture] for name in ("near", "middle", "far")}
    return look_around(regions.corners.unsqueeze(1), replace(sight, **levels)).squeeze(1)


def _fit(regions: Regions, sight: Sight) -> Tensor:
    """Returns how well each proposal fits each region, float[R, Q, 6].

    Columns: IoU of the boxes; share of the meant places inside; share of the ruled-out places
    inside; log area of the proposal; its distance in log area to the region; its best score.
    """
    candidates = sight.boxes[regions.picture]
    places, signs = regions.places.unsqueeze(2), regions.signs.unsqueeze(2)
    low, high = candidates[:, None, :, :2], candidates[:, None, :, 2:]
    inside = ((places >= low) & (places <= high)).all(-1).to(signs)

    def share(sign: float) -> Tensor:
        of_sign = (signs == sign).to(signs)
        return (inside * of_sign).sum(1) / of_sign.sum(1).clamp(min=1)

    log_area = boxes.area(candidates).clamp(min=1e-6).log()
    own = boxes.area(regions.corners).clamp(min=1e-6).log().unsqueeze(1)
    best = F.logsigmoid(sight.class_logits.amax(-1)) + F.logsigmoid(sight.objectness_logits)
    columns = [
        boxes.iou(regions.corners.unsqueeze(1), candidates) * 4,
        share(1.0) * 2,
        share(-1.0) * 2,
        log_area / 4,
        (log_area - own).abs() / 4,
        best[regions.picture] / 4,
    ]
    return torch.stack(columns, -1)
