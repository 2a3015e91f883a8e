"""Teaches new pictures, seen anew at every visit, and repeats earlier ones against forgetting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from model.tokens import Vocabulary
from model.training.collage import Shown
from model.training.collate import Collator, Lesson
from model.training.config import FineTuneConfig, Stage
from model.training.course import loss_of, with_own_losses
from model.training.lessons import visit
from model.training.looking import Drawn, Looker, look
from model.training.sampling import Sampler
from model.training.scenes import Scene, classes_of
from model.training.views import view
from model.types import Box
from model.vlm import DeixisModel


class NewCourse:
    """Lessons about scenes; with `full` the trunk learns to propose their things too."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        replay: Sequence[Scene],
        vocabulary: Vocabulary,
        model: DeixisModel,
        config: FineTuneConfig,
    ) -> None:
        self._scenes, self._replay, self._config = scenes, replay, config
        self._collate = Collator(vocabulary, model.tree)
        self._classes = classes_of(scenes)
        self._sampler = Sampler([scene.record for scene in scenes], config.rare)
        self._known = frozenset(model.tree.classes)
        self._looker: Looker | None = None
        if config.mode == "full":
            self._looker = Looker(model.vision, model.tree, (*scenes, *replay))

    def draw(self, stage: Stage, chance: random.Random, count: int) -> Drawn:
        """Returns scenes drawn by the replay's share, as they look at this visit."""
        # Words cost as much as all the rest, and names are learned without them.
        spoken = chance.random() < self._config.words_share
        shown = [self._show(chance, spoken) for _ in range(count)]
        lessons = [self._lesson(scene, stage, chance) for scene, _ in shown]
        if not spoken:
            lessons = [replace(lesson, turns=(), talks=()) for lesson in lessons]
        return Drawn.of(shown, lessons, self._collate, chance.getrandbits(62))

    def loss(self, model: DeixisModel, drawn: Drawn) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of what was drawn, and its parts."""
        batch, own = look(model, self._looker, drawn, self._config.noise)
        loss, parts = loss_of(model, batch, drawn.targets, self._config.losses)
        return with_own_losses(loss, parts, own, self._config.proposal)

    def _show(self, chance: random.Random, spoken: bool) -> Shown:
        again = bool(self._replay) and chance.random() < self._config.replay_share

        def pick() -> Scene:
            scene = self._pick(chance, again=again)
            # What people said is true of the picture as it is; where it is not taught, the picture
            # may be changed as any other.
            return scene if spoken else replace(scene, turns=())

        return view(pick(), pick, self._config.views, chance)

    def _pick(self, chance: random.Random, *, again: bool) -> Scene:
        return chance.choice(self._replay) if again else self._scenes[self._sampler.draw(chance)]

    def _lesson(self, scene: Scene, stage: Stage, chance: random.Random) -> Lesson:
        lesson = visit(scene.record, stage.lessons, chance)
        if scene.new:
            lesson = replace(lesson, names=self._names(scene, stage.lessons.names, chance))
            return replace(lesson, turns=scene.turns, talks=()) if scene.turns else lesson
        # What is new is hardly ever in earlier pictures: without this, data in which not everything
        # is marked would only ever teach that it is there.
        strange = [name for name in self._classes if name not in self._known]
        absent = [(chance.choice(strange), [])] if strange else []
        return replace(lesson, names=[*lesson.names, *absent])

    def _names(self, scene: Scene, most: int, chance: random.Random) -> list[tuple[str, list[Box]]]:
        """Returns names of the new data with their boxes; absent ones where all is marked."""
        record = scene.record
        crowded = {thing.label for thing in record.objects if thing.crowd}
        boxes: dict[str, list[Box]] = {}
        for thing in record.objects:
            if thing.label not in crowded:
                boxes.setdefault(thing.label, []).append(thing.box)
        absent = [n for n in self._classes if n not in boxes and n not in crowded]
        absent = chance.sample(absent, len(absent)) if record.exhaustive else []
        present = chance.sample(list(boxes), len(boxes))
        kept = present[: max(most - len(absent), (most + 1) // 2)]
        return [(n, boxes[n]) for n in kept] + [(n, []) for n in absent[: most - len(kept)]]
