"""Lessons about pictures that are looked at anew at every visit: nothing is cached.

For trunks that learn, for parts whose features would fill a disk, and for views that need pixels.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from model.records import Record
from model.tokens import Vocabulary
from model.training.collage import Shown
from model.training.collate import Collator
from model.training.config import Recipe, Stage
from model.training.course import loss_of, with_own_losses
from model.training.denoising import shaken
from model.training.lessons import visit
from model.training.looking import Looker, look
from model.training.sampling import Sampler
from model.training.scenes import Scene
from model.training.views import view
from model.vlm import DeixisModel

READERS = min(8, os.cpu_count() or 1)
"""Threads that unpack pictures."""


class LiveCourse:
    """Draws pictures by the shares of their files, and shows each as the recipe's views say."""

    def __init__(
        self,
        records: Sequence[Sequence[Record]],
        recipe: Recipe,
        vocabulary: Vocabulary,
        model: DeixisModel,
    ) -> None:
        """Takes the records of the recipe's sources, in their order."""
        self._recipe = recipe
        self._scenes = [[Scene(record) for record in some] for some in records]
        self._samplers = [
            Sampler(some, source.rare) for some, source in zip(records, recipe.sources, strict=True)
        ]
        self._collate = Collator(vocabulary, model.tree)
        everything = [scene for some in self._scenes for scene in some]
        self._looker = Looker(model.vision, model.tree, everything)
        self._readers = ThreadPoolExecutor(READERS)

    def loss(
        self, model: DeixisModel, stage: Stage, chance: random.Random, count: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of pictures drawn by the shares of their files, and its parts."""
        shown = self._draw(chance, count)
        lessons = [visit(scene.record, stage.lessons, chance) for scene, _ in shown]
        learns = any(value.requires_grad for value in model.vision.parameters())
        sight, own = look(model, self._looker if learns else None, shown)
        batch, targets = self._collate(lessons, shaken(sight, self._recipe.noise, chance))
        return with_own_losses(*loss_of(model, batch, targets, self._recipe.losses), own)

    def _draw(self, chance: random.Random, count: int) -> list[Shown]:
        """Returns scenes as they look at this visit.

        Each has a generator of its own, so that the readers' order does not matter.
        """
        shares = [source.share for source in self._recipe.sources]
        files = chance.choices(range(len(self._scenes)), shares, k=count)
        seeds = [chance.getrandbits(64) for _ in files]
        return list(self._readers.map(self._show, files, seeds))

    def _show(self, file: int, seed: int) -> Shown:
        chance = random.Random(seed)

        def draw() -> Scene:
            return self._scenes[file][self._samplers[file].draw(chance)]

        return view(draw(), draw, self._recipe.views, chance)
