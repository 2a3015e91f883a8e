"""What the losses compare with: boxes, classes and word boxes of a batch, in the canvas frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Targets:
    """The truth of a `Batch`.

    Attributes:
        boxes: float[G, M, 4], xyxy, canvas frame; the turns' groups, then the names asked.
        real: bool[G, M], False for padding; a group without any is "not present".
        trunk_class: int64[G], the trunk class a phrase means, -100 if unknown.
        expression: bool[G], groups that mean things in the picture and compete over proposals.
        word_boxes: float[W, 4]; NaN where unknown.
        masks: float[S1, 28, 28], covered share of each cell of the widened boxes.
        joints: float[S2, 17, 3], places in the canvas frame and visibility 0, 1 or 2.
        person_size: float[S2, 2], width and height of the person's box.
    """

    boxes: Tensor
    real: Tensor
    trunk_class: Tensor
    expression: Tensor
    word_boxes: Tensor
    masks: Tensor
    joints: Tensor
    person_size: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Returns the targets on a device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


def pad_boxes(groups: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Returns boxes float[G, M, 4] and which are real bool[G, M] from a list of float[*, 4]."""
    most = max(1, *(len(group) for group in groups)) if groups else 1
    boxes = torch.zeros(len(groups), most, 4)
    real = torch.zeros(len(groups), most, dtype=torch.bool)
    for row, group in enumerate(groups):
        boxes[row, : len(group)] = group
        real[row, : len(group)] = True
    return boxes, real
