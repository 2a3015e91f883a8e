"""Objects: a vector for each proposal, from what the trunk saw in and around it, and its traits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import boxes
from model.config import ModelConfig
from model.standing import NUM_STANDING, standing
from model.trunk import STRIDES
from model.vision import Sight

NUM_GEOMETRY = 9
ROI_SIDE = 3
NUM_COLOURS = 3 * ROI_SIDE**2
NUM_TRAITS = NUM_GEOMETRY + NUM_STANDING + NUM_COLOURS


@dataclass(frozen=True, slots=True)
class Objects:
    """The Q proposals of B pictures, as the heads know them.

    Attributes:
        queries: float[B, Q, D].
        traits: float[B, Q, NUM_TRAITS]; see `traits_of`.
    """

    queries: Tensor
    traits: Tensor


def geometry(boxes_xyxy: Tensor) -> Tensor:
    """Returns corners, centre, size and the square root of the area, each in [-1, 1]: [..., 9]."""
    size = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    root = boxes.area(boxes_xyxy).clamp(min=1e-8).sqrt().unsqueeze(-1)
    centre = boxes.to_cxcywh(boxes_xyxy)[..., :2]
    return torch.cat([boxes_xyxy, centre, size, root], -1) * 2 - 1


def sample(grid: Tensor, places: Tensor) -> Tensor:
    """Returns features read at places by bilinear interpolation.

    Args:
        grid: float[B, D, H, W].
        places: float[B, N, 2], canvas frame.

    Returns:
        float[B, N, D].
    """
    read = F.grid_sample(grid, places.unsqueeze(2) * 2 - 1, align_corners=False)
    return read.squeeze(-1).transpose(1, 2)


def roi_places(boxes_xyxy: Tensor) -> Tensor:
    """Returns the centres of a 3x3 division of each box: [B, Q, 4] to [B, Q * 9, 2]."""
    steps = (torch.arange(ROI_SIDE, device=boxes_xyxy.device) + 0.5) / ROI_SIDE
    ys, xs = torch.meshgrid(steps, steps, indexing="ij")
    steps_xy = torch.stack([xs, ys], -1).view(-1, 2)
    low, high = boxes_xyxy[..., None, :2], boxes_xyxy[..., None, 2:]
    return (low + (high - low) * steps_xy).flatten(1, 2)


def look_around(boxes_xyxy: Tensor, sight: Sight) -> Tensor:
    """Returns a 3x3 look at each level of the pyramid: boxes [B, Q, 4] to [B, Q, 9 * 3 * D]."""
    places = roi_places(boxes_xyxy)
    around = torch.cat([sample(g, places) for g in (sight.near, sight.middle, sight.far)], -1)
    return around.unflatten(1, (-1, ROI_SIDE**2)).flatten(2)


def colours_inside(boxes_xyxy: Tensor, sight: Sight) -> Tensor:
    """Returns the colours of a 3x3 division of each box: [B, Q, 4] to [B, Q, 9 * 3]."""
    return sample(sight.colours, roi_places(boxes_xyxy)).unflatten(1, (-1, ROI_SIDE**2)).flatten(2)


def traits_of(sight: Sight) -> Tensor:
    """Returns what words may ask of each proposal by itself, float[B, Q, NUM_TRAITS].

    These are its geometry, its standing among its kind and the colours inside it.
    """
    colours = colours_inside(sight.boxes, sight)
    return torch.cat([geometry(sight.boxes), standing(sight), colours], -1)


class ObjectEncoder(nn.Module):
    """Proposal geometry, scores, tower features, pyramid and colours inside it, as one vector."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        trunk, width = config.trunk, config.decoder.width
        scalars = NUM_GEOMETRY + 1 + trunk.num_classes + 2 * trunk.head_width
        self.scalars = nn.Linear(scalars, width)
        self.likely = nn.Linear(trunk.num_classes, width, bias=False)
        self.stands = nn.Linear(NUM_GEOMETRY + NUM_STANDING, width, bias=False)
        self.roi = nn.Linear(3 * trunk.head_width * ROI_SIDE**2, width)
        self.colours = nn.Linear(NUM_COLOURS, width, bias=False)
        self.level = nn.Embedding(len(trunk.sides) * len(STRIDES), width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        nn.init.zeros_(self.likely.weight)
        nn.init.zeros_(self.stands.weight)
        nn.init.zeros_(self.colours.weight)

    def forward(self, sight: Sight) -> Objects:
        """Returns the objects of B pictures."""
        around, traits = look_around(sight.boxes, sight), traits_of(sight)
        place, stands, colours = traits.split([NUM_GEOMETRY, NUM_STANDING, NUM_COLOURS], -1)
        scalars = [
            place,
            sight.objectness_logits.unsqueeze(-1) / 4,
            sight.class_logits / 4,
            sight.features / 2,
        ]
        x = self.scalars(torch.cat(scalars, -1)) + self.roi(around / 2) + self.level(sight.level)
        x = x + self.likely(sight.class_logits.sigmoid())
        x = x + self.stands(torch.cat([2 * place, stands], -1))
        x = x + self.colours(colours)
        return Objects(x + self.mix(x), traits)


class ObjectContext(nn.Module):
    """Object queries that know the rest of the picture.

    The best objects are image tokens too, and the language model reads all of them in the light
    of each other: which is leftmost, which is held by whom. What it made of each is added to its
    query.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_objects = min(config.projector.num_objects, config.trunk.num_proposals)
        self.read = nn.Linear(config.language.width, config.decoder.width)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, objects: Objects, image_states: Tensor) -> Objects:
        """Returns the objects, their queries in the light of the picture.

        Args:
            objects: as they were encoded.
            image_states: float[B, P, language width], last states of the image tokens; those of
                the objects come last.
        """
        read = self.read(image_states[:, -self.num_objects :])
        missing = objects.queries.shape[1] - self.num_objects
        return replace(objects, queries=objects.queries + F.pad(read, (0, 0, 0, missing)))
