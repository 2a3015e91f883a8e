"""Looks at pictures while training; where the trunk learns, it is told what it should propose."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.config import ModelConfig
from model.preprocess import Letterbox
from model.published_vision import AnyVision
from model.records import Record
from model.training.collate import as_tensor
from model.training.proposals import proposal_losses
from model.vision import Sight, Vision, merge


class Looker:
    """What the trunk sees of pictures, with gradient and losses of its own where it learns."""

    def __init__(self, vision: AnyVision, tree: ModelConfig, records: Sequence[Record]) -> None:
        """Remembers the trunk as it is, if there are pictures in which not all is marked."""
        self._class_of = {name: number for number, name in enumerate(tree.classes)}
        self._elder: Vision | None = None
        if isinstance(vision, Vision):
            vision.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            if not all(record.exhaustive for record in records):
                self._elder = copy.deepcopy(vision).requires_grad_(False).eval()

    def look(
        self, vision: AnyVision, canvases: list[Tensor], records: Sequence[Record]
    ) -> tuple[Sight, dict[str, Tensor]]:
        """Returns what a learning trunk sees, with gradient, and the losses of its proposals.

        A published detector proposes as it did; of it and its encoder learns what a stage names,
        and only for the sake of the words.
        """
        if not isinstance(vision, Vision):
            return _fixed(vision(canvases)), {}
        looks = [
            vision.trunk(canvas.contiguous(memory_format=torch.channels_last))
            for canvas in canvases
        ]
        sight = vision.select(looks)
        cells = merge(looks, vision.config.sides)
        truth, classes = zip(*(self._truth(r, vision.config.sides[0]) for r in records),
                             strict=True)  # fmt: skip
        floor = self.floor(canvases, records, cells.objectness_logits)
        device = cells.boxes.device
        losses = proposal_losses(
            cells, vision.config.sides, [t.to(device) for t in truth],
            [c.to(device) for c in classes], floor,
        )  # fmt: skip
        return _fixed(sight), losses

    def _truth(self, record: Record, side: int) -> tuple[Tensor, Tensor]:
        """Returns a picture's boxes float[M, 4] in the canvas frame and their trunk classes [M]."""
        things = [thing for thing in record.objects if not thing.crowd]
        places = Letterbox.fit(record.size, side).to_canvas(as_tensor([t.box for t in things]))
        labels = [self._class_of.get(thing.label, -100) for thing in things]
        return places, torch.tensor(labels, dtype=torch.long)

    @torch.no_grad()
    def floor(self, canvases: list[Tensor], records: Sequence[Record], logits: Tensor) -> Tensor:
        """Returns the objectness that stays where not everything is marked, float[B, C].

        What the trunk was sure of before may be a thing that nobody marked.
        """
        floor = torch.zeros_like(logits)
        rows = [i for i, record in enumerate(records) if not record.exhaustive]
        if rows and self._elder is not None:
            elder = self._elder.to(logits.device)
            looks = [elder.trunk(canvas[rows]) for canvas in canvases]
            floor[rows] = torch.cat([look.objectness_logits for look in looks], 1).sigmoid()
        return floor


def _fixed(sight: Sight) -> Sight:
    """Returns a sight whose proposals are taken as they are.

    The decoder corrects boxes and scores from where they are; only the trunk's own losses move
    where that is. Else every new name would bend the trunk's classes until they mean nothing.
    """
    names = ("boxes", "objectness_logits", "class_logits")
    return replace(sight, **{name: getattr(sight, name).detach() for name in names})
