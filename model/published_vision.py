"""The same sight from published parts: a DETR-like detector and, beside it, an image encoder.

The detector (RT-DETR, RT-DETRv2, D-FINE) gives the pyramid and the proposals, which need no
suppression; the encoder (SigLIP 2, DINOv3) gives the summit, from which image tokens are made.
Both are transformers' own classes and see the same canvas.
"""

from __future__ import annotations

import inspect

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForObjectDetection

from model import boxes
from model.config import Part, TrunkConfig
from model.errors import ConfigError
from model.parts import settings_of
from model.vision import Sight, Vision, colours_of

DETECTORS = ("rt_detr", "rt_detr_v2", "d_fine")
PATCH = 16
CERTAIN = 10.0
"""Objectness logit of every proposal: a DETR's class scores say already that something is there."""


class PublishedVision(nn.Module):
    """A detector, and perhaps an encoder, in the place of `Vision`."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        self.detector = build_detector(config)
        self.encoder = build_encoder(config) if config.encoder else None

    def forward(self, canvases: list[Tensor]) -> Sight:
        """Looks at B pictures.

        Args:
            canvases: one float32[B, 3, side, side], BGR, 0 to 255.
        """
        (canvas,) = canvases
        # In half the bits a place at the far edge is known to two pixels only.
        with torch.autocast(canvas.device.type, enabled=False):
            seen = self.detector(pixel_values=_prepared(canvas, self.config.detector))
        near, middle, far = seen.encoder_last_hidden_state
        logits = seen.intermediate_logits[:, -1]
        best = logits.amax(-1).topk(self.config.num_proposals, 1).indices

        def take(values: Tensor) -> Tensor:
            return values.gather(1, best.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

        first, last = seen.intermediate_hidden_states[:, 0], seen.last_hidden_state
        return Sight(
            boxes=boxes.to_xyxy(take(seen.intermediate_reference_points[:, -1])).clamp(0, 1),
            objectness_logits=torch.full_like(best, CERTAIN, dtype=logits.dtype),
            class_logits=take(logits),
            features=take(torch.cat([first, last], -1)),
            level=torch.zeros_like(best),
            valid=torch.ones_like(best, dtype=torch.bool),
            near=F.avg_pool2d(near, 2),
            middle=middle,
            far=far,
            summit=far if self.encoder is None else self._summit(canvas),
            colours=colours_of(canvas),
        )

    def _summit(self, canvas: Tensor) -> Tensor:
        """Returns the encoder's patches, two by two: float[B, 4 * E, side / 32, side / 32]."""
        assert self.encoder is not None
        pixels = _prepared(canvas, self.config.encoder)
        flexible = "interpolate_pos_encoding" in inspect.signature(self.encoder.forward).parameters
        more = {"interpolate_pos_encoding": True} if flexible else {}
        tokens = self.encoder(pixel_values=pixels, **more).last_hidden_state
        rows = canvas.shape[-1] // PATCH
        # Tokens that stand for no patch, such as DINOv3's registers, come first.
        grid = tokens[:, -(rows**2) :].transpose(1, 2).unflatten(2, (rows, rows))
        return F.pixel_unshuffle(grid, 2)


AnyVision = Vision | PublishedVision


def build_vision(config: TrunkConfig) -> AnyVision:
    """Returns what the configuration says should look at pictures, untrained."""
    return PublishedVision(config) if config.detector else Vision(config)


def build_detector(config: TrunkConfig) -> nn.Module:
    """Returns an untrained detector, its prediction layers inside its decoder.

    Raises:
        ConfigError: it is of a kind that gives no pyramid, or gives too few proposals.
    """
    kind = config.detector.config.get("model_type")
    if kind not in DETECTORS:
        raise ConfigError(f"trunk.detector is a {kind!r}; choose one of {DETECTORS}.")
    settings = settings_of(config.detector, {"num_labels": config.num_classes})
    if settings.num_queries < config.num_proposals:
        raise ConfigError(
            f"trunk.num_proposals is {config.num_proposals}, but {config.detector.name!r} has "
            f"{settings.num_queries} queries."
        )
    return AutoModelForObjectDetection.from_config(settings).model


def build_encoder(config: TrunkConfig) -> nn.Module:
    """Returns an untrained image encoder; raises ConfigError if its patches do not fit."""
    settings = settings_of(config.encoder)
    if settings.patch_size != PATCH:
        raise ConfigError(
            f"{config.encoder.name!r} has patches of {settings.patch_size} pixels; choose an "
            f"encoder with patches of {PATCH}."
        )
    return AutoModel.from_config(settings)


def _prepared(canvas: Tensor, part: Part) -> Tensor:
    """Returns a canvas as a part wants it: RGB, scaled by its mean and deviation."""
    pixels = canvas.flip(1) / 255
    return (pixels - pixels.new_tensor(part.mean).view(-1, 1, 1)) / pixels.new_tensor(
        part.std
    ).view(-1, 1, 1)
