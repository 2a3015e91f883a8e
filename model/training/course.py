"""A course of lessons: what is taught at each step. This one teaches records with cached sights."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from model.batch import Batch
from model.records import Record
from model.tokens import Vocabulary
from model.training.collate import Collator
from model.training.config import Stage
from model.training.denoising import shaken
from model.training.features import FeatureStore
from model.training.lessons import visit
from model.training.losses import LossConfig, total
from model.training.mirror import mirrored
from model.training.sampling import Sampler
from model.training.targets import Targets
from model.vision import Sight
from model.vlm import DeixisModel


class Course(Protocol):
    """What the loop trains on."""

    def draw(self, stage: Stage, chance: random.Random, count: int) -> Any:  # noqa: ANN401
        """Returns lessons about `count` pictures, drawn by `chance` alone; the model is not used.

        Other processes may do this ahead of time.
        """
        ...

    def loss(self, model: DeixisModel, drawn: Any) -> tuple[Tensor, dict[str, float]]:  # noqa: ANN401
        """Returns the loss of what was drawn, and its parts."""
        ...


@dataclass(frozen=True, slots=True)
class School:
    """A record file with the cached sights of its pictures, and how they are drawn."""

    records: Sequence[Record]
    store: FeatureStore
    share: float
    sampler: Sampler


class CachedCourse:
    """Lessons about pictures that the frozen trunk has looked at once and for all."""

    def __init__(
        self,
        schools: Sequence[School],
        vocabulary: Vocabulary,
        model: DeixisModel,
        losses: LossConfig,
        noise: float = 0.0,
    ) -> None:
        self._schools, self._losses, self._noise = schools, losses, noise
        self._collate = Collator(vocabulary, model.tree)

    def draw(self, stage: Stage, chance: random.Random, count: int) -> tuple[Batch, Targets]:
        """Returns pictures drawn by the shares of their schools, half of them mirrored."""
        shares = [school.share for school in self._schools]
        chosen = chance.choices(self._schools, shares, k=count)
        drawn, sights, flips = [], [], []
        for school in sorted(chosen, key=self._schools.index):
            number = school.sampler.draw(chance)
            record, flip = school.records[number], chance.random() < 0.5
            record = mirrored(record) if flip else record
            drawn.append(visit(record, stage.lessons, chance))
            sights.append(school.store.read([number]))
            flips.append(flip)
        sight = join(sights).mirrored(torch.tensor(flips))
        return self._collate(drawn, shaken(sight, self._noise, chance))

    def loss(
        self, model: DeixisModel, drawn: tuple[Batch, Targets]
    ) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of a batch and its parts."""
        return loss_of(model, *drawn, self._losses)


def loss_of(
    model: DeixisModel, batch: Batch, targets: Targets, weights: LossConfig
) -> tuple[Tensor, dict[str, float]]:
    """Returns the loss of a batch and its parts."""
    batch, targets = batch.to(model.device), targets.to(model.device)
    outputs = model(batch)
    with in_float32(model):
        return total(model, batch, outputs, targets, weights)


def with_own_losses(
    loss: Tensor, parts: dict[str, float], own: Mapping[str, Tensor], weight: float = 1.0
) -> tuple[Tensor, dict[str, float]]:
    """Returns a loss and its parts with those that the trunk has of its own."""
    told = {name: float(value.detach()) for name, value in own.items()}
    return loss + weight * sum(own.values(), torch.zeros_like(loss)), {**parts, **told}


def in_float32(model: DeixisModel) -> torch.autocast:
    """Returns a context in which nothing is rounded to half the bits: boxes and losses."""
    return torch.autocast(model.device.type, enabled=False)


def join(sights: Sequence[Sight]) -> Sight:
    """Returns one sight of all pictures."""
    fields = Sight.__slots__
    return Sight(*(torch.cat([getattr(sight, name) for sight in sights]) for name in fields))
