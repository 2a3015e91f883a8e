"""Teaches new pictures, seen anew at every visit, and repeats earlier ones against forgetting."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.preprocess import Letterbox
from model.tokens import Vocabulary
from model.training.collate import Collator, Lesson, as_tensor
from model.training.config import FineTuneConfig, Stage
from model.training.course import in_float32
from model.training.features import canvases_of
from model.training.lessons import visit
from model.training.losses import total
from model.training.proposals import proposal_losses
from model.training.scenes import Scene, classes_of, show
from model.types import Box
from model.vision import Sight, Vision, merge
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
        self._class_of = {name: number for number, name in enumerate(model.tree.classes)}
        self._elder: Vision | None = None
        if config.mode == "full":
            model.vision.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            if not all(scene.record.exhaustive for scene in (*scenes, *replay)):
                self._elder = copy.deepcopy(model.vision).requires_grad_(False).eval()

    def loss(
        self, model: DeixisModel, stage: Stage, chance: random.Random, count: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of scenes drawn by the replay's share, and its parts."""
        visits = [show(self._pick(chance), chance) for _ in range(count)]
        scenes = [scene for scene, _ in visits]
        # Words cost as much as all the rest, and names are learned without them.
        spoken = chance.random() < self._config.words_share
        lessons = [self._lesson(scene, stage, chance) for scene in scenes]
        if not spoken:
            lessons = [replace(lesson, turns=(), talks=()) for lesson in lessons]
        canvases = canvases_of(model.vision, [picture for _, picture in visits])
        with in_float32(model):
            sight, cell_losses = self._look(model.vision, canvases, scenes)
        batch, targets = self._collate(lessons, sight)
        batch, targets = batch.to(model.device), targets.to(model.device)
        outputs = model(batch)
        with in_float32(model):
            loss, parts = total(model, batch, outputs, targets, self._config.losses)
            for name, value in cell_losses.items():
                loss = loss + self._config.proposal * value
                parts[name] = float(value.detach())
        return loss, parts

    def _pick(self, chance: random.Random) -> Scene:
        again = self._replay and chance.random() < self._config.replay_share
        return chance.choice(self._replay if again else self._scenes)

    def _lesson(self, scene: Scene, stage: Stage, chance: random.Random) -> Lesson:
        lesson = visit(scene.record, stage.lessons, chance)
        if scene.new:
            lesson = replace(lesson, names=self._names(scene, stage.lessons.names, chance))
            return replace(lesson, turns=scene.turns, talks=()) if scene.turns else lesson
        # What is new is hardly ever in earlier pictures: without this, data in which not everything
        # is marked would only ever teach that it is there.
        strange = [name for name in self._classes if name not in self._class_of]
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

    def _look(
        self, vision: Vision, canvases: list[Tensor], scenes: Sequence[Scene]
    ) -> tuple[Sight, dict[str, Tensor]]:
        """Returns what the trunk sees; if it learns, with gradient, and the losses of its cells."""
        if self._config.mode != "full":
            with torch.no_grad():
                return vision(canvases), {}
        looks = [
            vision.trunk(canvas.contiguous(memory_format=torch.channels_last))
            for canvas in canvases
        ]
        sight = vision.select(looks)
        cells = merge(looks, vision.config.sides)
        truth, classes = zip(*(self._truth(scene, vision.config.sides[0]) for scene in scenes),
                             strict=True)  # fmt: skip
        floor = self._floor(canvases, scenes, cells.objectness_logits)
        device = cells.boxes.device
        losses = proposal_losses(
            cells, vision.config.sides, [t.to(device) for t in truth],
            [c.to(device) for c in classes], floor,
        )  # fmt: skip
        # The decoder corrects boxes and scores from where they are; only the cells' own losses move
        # where that is. Else every new name would bend the trunk's classes until they mean nothing.
        fixed = {
            name: getattr(sight, name).detach()
            for name in ("boxes", "objectness_logits", "class_logits")
        }
        return replace(sight, **fixed), losses

    def _truth(self, scene: Scene, side: int) -> tuple[Tensor, Tensor]:
        """Returns a scene's boxes float[M, 4] in the canvas frame and their trunk classes [M]."""
        things = [thing for thing in scene.record.objects if not thing.crowd]
        places = Letterbox.fit(scene.record.size, side).to_canvas(
            as_tensor([t.box for t in things])
        )
        labels = [self._class_of.get(thing.label, -100) for thing in things]
        return places, torch.tensor(labels, dtype=torch.long)

    @torch.no_grad()
    def _floor(self, canvases: list[Tensor], scenes: Sequence[Scene], logits: Tensor) -> Tensor:
        """Returns the objectness that stays where not everything is marked, float[B, C].

        What the trunk was sure of before may be a thing that nobody marked.
        """
        floor = torch.zeros_like(logits)
        rows = [i for i, scene in enumerate(scenes) if not scene.record.exhaustive]
        if rows and self._elder is not None:
            elder = self._elder.to(logits.device)
            looks = [elder.trunk(canvas[rows]) for canvas in canvases]
            floor[rows] = torch.cat([look.objectness_logits for look in looks], 1).sigmoid()
        return floor
