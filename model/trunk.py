"""The vision trunk: a small convolutional detector whose pyramid feeds everything else.

Architecture of YOLOX-nano (Ge et al. 2021, arXiv:2107.08430): CSPDarknet with a path-aggregation
pyramid and a decoupled head. Batch norms are folded into the convolutions, so every layer is a
convolution with a bias. Registration order equals execution order; `model.training.trunk_weights`
relies on that to read published weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import TrunkConfig

STRIDES = (8, 16, 32)
Levels = tuple[Tensor, Tensor, Tensor]
"""Features of strides 8, 16 and 32."""


@dataclass(frozen=True, slots=True)
class Cells:
    """What the trunk says of every grid cell, strides 8, 16 and 32 concatenated (C cells).

    Attributes:
        boxes: float32[B, C, 4], xyxy in input pixels, not clipped to the picture.
        objectness_logits: float32[B, C].
        class_logits: float32[B, C, K] over the trunk's own K classes.
        features: float32[B, C, 2 * D], classification then regression tower.
        pyramid: three float32[B, D, H, W], strides 8, 16, 32.
        summit: float32[B, 16 * width, H / 32, W / 32], the widest features, for image tokens.
    """

    boxes: Tensor
    objectness_logits: Tensor
    class_logits: Tensor
    features: Tensor
    pyramid: tuple[Tensor, Tensor, Tensor]
    summit: Tensor


class Conv(nn.Sequential):
    """Convolution and SiLU; `groups=inputs` makes it depthwise."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups),
            nn.SiLU(),
        )


class SeparableConv(nn.Sequential):
    """Depthwise 3x3 convolution followed by a pointwise one."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(Conv(inputs, inputs, 3, stride, groups=inputs), Conv(inputs, outputs))


class Bottleneck(nn.Module):
    """Pointwise, then separable convolution, with an optional residual."""

    def __init__(self, width: int, *, residual: bool) -> None:
        super().__init__()
        self.reduce = Conv(width, width)
        self.expand = SeparableConv(width, width)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Returns float[B, width, H, W]."""
        y = self.expand(self.reduce(x))
        return x + y if self.residual else y


class CrossStage(nn.Module):
    """Cross-stage partial layer: half of the channels skip the bottlenecks."""

    def __init__(self, inputs: int, outputs: int, depth: int, *, residual: bool = True) -> None:
        super().__init__()
        hidden = outputs // 2
        self.main = Conv(inputs, hidden)
        self.skip = Conv(inputs, hidden)
        self.blocks = nn.Sequential(*(Bottleneck(hidden, residual=residual) for _ in range(depth)))
        self.merge = Conv(2 * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Returns float[B, outputs, H, W]."""
        return self.merge(torch.cat([self.blocks(self.main(x)), self.skip(x)], 1))


class SpatialPyramidPooling(nn.Module):
    """Max pools of several sizes, concatenated."""

    def __init__(self, width: int, kernels: tuple[int, ...] = (5, 9, 13)) -> None:
        super().__init__()
        self.reduce = Conv(width, width // 2)
        self.pools = nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in kernels)
        self.merge = Conv(width // 2 * (len(kernels) + 1), width)

    def forward(self, x: Tensor) -> Tensor:
        """Returns float[B, width, H, W]."""
        x = self.reduce(x)
        return self.merge(torch.cat([x, *(pool(x) for pool in self.pools)], 1))


class Backbone(nn.Module):
    """CSPDarknet: picture to features of strides 8, 16 and 32."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.stem = Conv(12, width, 3)
        self.stride4 = nn.Sequential(
            SeparableConv(width, 2 * width, 2), CrossStage(2 * width, 2 * width, depth)
        )
        self.stride8 = nn.Sequential(
            SeparableConv(2 * width, 4 * width, 2), CrossStage(4 * width, 4 * width, 3 * depth)
        )
        self.stride16 = nn.Sequential(
            SeparableConv(4 * width, 8 * width, 2), CrossStage(8 * width, 8 * width, 3 * depth)
        )
        self.stride32 = nn.Sequential(
            SeparableConv(8 * width, 16 * width, 2),
            SpatialPyramidPooling(16 * width),
            CrossStage(16 * width, 16 * width, depth, residual=False),
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the features of strides 8, 16 and 32 of pixels float[B, 3, H, W]."""
        # Space to depth: the four pixels of each 2x2 block become channels.
        corners = (
            pixels[..., ::2, ::2],
            pixels[..., 1::2, ::2],
            pixels[..., ::2, 1::2],
            pixels[..., 1::2, 1::2],
        )
        p3 = self.stride8(self.stride4(self.stem(torch.cat(corners, 1))))
        p4 = self.stride16(p3)
        return p3, p4, self.stride32(p4)


class PathAggregation(nn.Module):
    """Top-down, then bottom-up fusion of the three levels."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        w3, w4, w5 = 4 * width, 8 * width, 16 * width
        self.lateral5 = Conv(w5, w4)
        self.top_down4 = CrossStage(2 * w4, w4, depth, residual=False)
        self.lateral4 = Conv(w4, w3)
        self.top_down3 = CrossStage(2 * w3, w3, depth, residual=False)
        self.down3 = SeparableConv(w3, w3, 2)
        self.bottom_up4 = CrossStage(2 * w3, w4, depth, residual=False)
        self.down4 = SeparableConv(w4, w4, 2)
        self.bottom_up5 = CrossStage(2 * w4, w5, depth, residual=False)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, levels: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the three levels, finest first, each fused with the others."""
        c3, c4, c5 = levels
        t5 = self.lateral5(c5)
        t4 = self.lateral4(self.top_down4(torch.cat([self.upsample(t5), c4], 1)))
        p3 = self.top_down3(torch.cat([self.upsample(t4), c3], 1))
        p4 = self.bottom_up4(torch.cat([self.down3(p3), t4], 1))
        return p3, p4, self.bottom_up5(torch.cat([self.down4(p4), t5], 1))


class LevelHead(nn.Module):
    """Decoupled head of one level: classes in one tower, box and objectness in the other."""

    def __init__(self, inputs: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.stem = Conv(inputs, width)
        self.class_tower = nn.Sequential(SeparableConv(width, width), SeparableConv(width, width))
        self.classes = nn.Conv2d(width, num_classes, 1)
        self.box_tower = nn.Sequential(SeparableConv(width, width), SeparableConv(width, width))
        self.box = nn.Conv2d(width, 4, 1)
        self.objectness = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the level's stem and a row for each cell.

        Args:
            x: float[B, inputs, H, W].

        Returns:
            float[B, width, H, W] and float[B, H * W, 4 + 1 + K + 2 * width]: box, objectness,
            classes, features of both towers.
        """
        stem = self.stem(x)
        by_class, by_box = self.class_tower(stem), self.box_tower(stem)
        rows = [self.box(by_box), self.objectness(by_box), self.classes(by_class), by_class, by_box]
        return stem, torch.cat(rows, 1).flatten(2).transpose(1, 2)


class Trunk(nn.Module):
    """Picture to pyramid and per-cell boxes, objectness, class logits and features."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        width, depth = config.width, config.depth
        self.backbone = Backbone(width, depth)
        self.pyramid = PathAggregation(width, depth)
        self.heads = nn.ModuleList(
            LevelHead(width * factor, config.head_width, config.num_classes)
            for factor in (4, 8, 16)
        )

    def forward(self, pixels: Tensor) -> Cells:
        """Runs the trunk.

        Args:
            pixels: float32[B, 3, H, W], BGR, 0 to 255, H and W multiples of 32.
        """
        return self.tell(self.see(pixels))

    def see(self, pixels: Tensor) -> Levels:
        """Returns the levels of the pyramid, which the heads look at."""
        return self.pyramid(self.backbone(pixels))

    def tell(self, levels: Levels) -> Cells:
        """Returns what the heads say of the levels of the pyramid."""
        stems, rows = zip(
            *(head(x) for head, x in zip(self.heads, levels, strict=True)), strict=True
        )
        row = torch.cat(rows, 1)
        raw, objectness, classes, features = row.split(
            [4, 1, self.config.num_classes, 2 * self.config.head_width], -1
        )
        boxes = _decode(raw, [tuple(stem.shape[-2:]) for stem in stems])
        return Cells(boxes, objectness.squeeze(-1), classes, features, stems, levels[-1])


def _decode(raw: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
    """Returns xyxy input pixels of grid offsets and log sizes in stride units.

    Source: YOLOX, section 2.1.
    """
    corners, strides = [], []
    for (height, width), stride in zip(shapes, STRIDES, strict=True):
        ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        corners.append(torch.stack([xs, ys], -1).reshape(-1, 2))
        strides.append(torch.full((height * width, 1), stride))
    corner = torch.cat(corners).to(raw)
    stride = torch.cat(strides).to(raw)
    centre = (raw[..., :2] + corner) * stride
    half = raw[..., 2:].clamp(max=8).exp() * stride / 2
    return torch.cat([centre - half, centre + half], -1)
