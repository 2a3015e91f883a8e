"""Lessons about pictures that are looked at anew at every visit: nothing is cached.

For trunks that learn, for parts whose features would fill a disk, and for views that need pixels.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from torch import Tensor

from model.records import Record
from model.tokens import Vocabulary
from model.training.collage import Shown
from model.training.collate import Collator
from model.training.config import Recipe, Stage
from model.training.course import loss_of, with_own_losses
from model.training.lessons import visit
from model.training.looking import Drawn, Looker, look
from model.training.sampling import Sampler
from model.training.scenes import Scene
from model.training.views import view
from model.vlm import DeixisModel


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

    def draw(self, stage: Stage, chance: random.Random, count: int) -> Drawn:
        """Returns pictures drawn by the shares of their files, as they look at this visit."""
        shares = [source.share for source in self._recipe.sources]
        files = chance.choices(range(len(self._scenes)), shares, k=count)
        shown = [self._show(file, chance) for file in files]
        lessons = [visit(scene.record, stage.lessons, chance) for scene, _ in shown]
        return Drawn.of(shown, lessons, self._collate, chance.getrandbits(62))

    def loss(self, model: DeixisModel, drawn: Drawn) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of what was drawn, and its parts."""
        learns = any(value.requires_grad for value in model.vision.parameters())
        batch, own = look(model, self._looker if learns else None, drawn, self._recipe.noise)
        return with_own_losses(*loss_of(model, batch, drawn.targets, self._recipe.losses), own)

    def _show(self, file: int, chance: random.Random) -> Shown:
        def another() -> Scene:
            return self._scenes[file][self._samplers[file].draw(chance)]

        return view(another(), another, self._recipe.views, chance)
