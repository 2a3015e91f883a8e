"""Looks at pictures while training; where the trunk learns, it is told what it should propose."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from model.batch import Batch
from model.config import ModelConfig
from model.preprocess import Letterbox
from model.published_vision import AnyVision
from model.training.collage import Shown
from model.training.collate import Collator, Lesson, as_tensor
from model.training.course import in_float32
from model.training.denoising import shaken
from model.training.features import canvases_of
from model.training.proposals import kept_loss, proposal_losses
from model.training.scenes import Scene
from model.training.targets import Targets
from model.trunk import Cells, Levels
from model.vision import UNSEEN, Sight, Vision, merge
from model.vlm import DeixisModel


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pictures as they look at this visit, and lessons about them, before the model looks.

    Attributes:
        canvases: uint8[B, 3, side, side] for each canvas side.
        scenes: what is known about each picture.
        batch: without a sight.
        targets: of the batch.
        seed: of how proposals are moved.
    """

    canvases: list[Tensor]
    scenes: list[Scene]
    batch: Batch
    targets: Targets
    seed: int

    @classmethod
    def of(
        cls, shown: Sequence[Shown], lessons: Sequence[Lesson], collate: Collator, seed: int
    ) -> Drawn:
        """Returns scenes, as they look, with lessons about them."""
        scenes, pictures = zip(*shown, strict=True)
        canvases = canvases_of(collate.sides, pictures)
        return cls(canvases, list(scenes), *collate(lessons, UNSEEN), seed)


def look(
    model: DeixisModel, looker: Looker | None, drawn: Drawn, noise: float
) -> tuple[Batch, dict[str, Tensor]]:
    """Returns the batch with what the model sees of its pictures, and losses of its trunk's own.

    Args:
        model: whose trunk looks.
        looker: if the trunk learns; None looks without gradient.
        drawn: the pictures.
        noise: how far proposals are moved.
    """
    canvases = [canvas.to(model.device).float() for canvas in drawn.canvases]
    # A published detector sees to it itself that places are exact.
    exact = in_float32(model) if isinstance(model.vision, Vision) else nullcontext()
    with exact:
        if looker is not None:
            sight, own = looker.look(model.vision, canvases, drawn.scenes)
        else:
            with torch.no_grad():
                sight, own = model.vision(canvases), {}
    return replace(drawn.batch, sight=shaken(sight, noise, Random(drawn.seed))), own


BELOW = ("backbone", "pyramid")
"""Parts of the trunk that its heads look at; if they stay, they need not look twice."""
KEEP = 4.0
"""What an earlier picture counts for the trunk, in relation to a new one: it is to stay put."""


class Looker:
    """What the trunk sees of pictures, with gradient and losses of its own where it learns."""

    def __init__(self, vision: AnyVision, tree: ModelConfig, scenes: Sequence[Scene]) -> None:
        """Remembers the trunk as it is, if pictures are earlier ones or not wholly marked."""
        self._class_of = {name: number for number, name in enumerate(tree.classes)}
        self._elder: Vision | None = None
        if isinstance(vision, Vision):
            vision.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            if any(not scene.new or not scene.record.exhaustive for scene in scenes):
                self._elder = copy.deepcopy(vision).requires_grad_(False).eval()

    def look(
        self, vision: AnyVision, canvases: list[Tensor], scenes: Sequence[Scene]
    ) -> tuple[Sight, dict[str, Tensor]]:
        """Returns what a learning trunk sees, with gradient, and the losses of its proposals.

        In earlier pictures it is to propose what it proposed before, right or wrong: that keeps
        more of what it knew than learning the few of them anew.

        A published detector proposes as it did; of it and its encoder learns what a stage names,
        and only for the sake of the words.
        """
        if not isinstance(vision, Vision):
            return _fixed(vision(canvases)), {}
        trunk = vision.trunk
        levels = [trunk.see(c.contiguous(memory_format=torch.channels_last)) for c in canvases]
        looks = [trunk.tell(some) for some in levels]
        sight = vision.select(looks, canvases[0])
        cells = merge(looks, vision.config.sides)
        truth, classes = zip(*(self._truth(scene, vision.config.sides[0]) for scene in scenes),
                             strict=True)  # fmt: skip
        same = not any(v.requires_grad for m in BELOW for v in getattr(trunk, m).parameters())
        floor, places = self.before(canvases, scenes, cells, levels if same else None)
        device = cells.boxes.device
        losses = proposal_losses(
            cells, vision.config.sides, truth, classes, floor,
            torch.tensor([1.0 if scene.new else KEEP for scene in scenes], device=device),
        )  # fmt: skip
        rows = [i for i, scene in enumerate(scenes) if not scene.new]
        if rows:
            losses["cell_kept"] = KEEP * kept_loss(cells.boxes[rows], places[rows], floor[rows])
        return _fixed(sight), losses

    def _truth(self, scene: Scene, side: int) -> tuple[Tensor, Tensor]:
        """Returns a picture's boxes float[M, 4] in the canvas frame and their trunk classes [M]."""
        record = scene.record
        things = [thing for thing in record.objects if scene.new and not thing.crowd]
        places = Letterbox.fit(record.size, side).to_canvas(as_tensor([t.box for t in things]))
        labels = [self._class_of.get(thing.label, -100) for thing in things]
        return places, torch.tensor(labels, dtype=torch.long)

    @torch.no_grad()
    def before(
        self,
        canvases: list[Tensor],
        scenes: Sequence[Scene],
        cells: Cells,
        levels: list[Levels] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns objectness float[B, C] and boxes float[B, C, 4] that are to stay, else zeros.

        Where not everything is marked, what the trunk was sure of before may be a thing that nobody
        marked; in earlier pictures all of it stays.

        Args:
            canvases: of B pictures.
            scenes: what is known about them.
            cells: what the trunk says of them now.
            levels: what the heads look at, if only they may have changed.
        """
        floor, places = torch.zeros_like(cells.objectness_logits), torch.zeros_like(cells.boxes)
        rows = [i for i, scene in enumerate(scenes) if not (scene.new and scene.record.exhaustive)]
        if rows and self._elder is not None:
            elder = self._elder.to(floor.device)
            seen = levels or [elder.trunk.see(canvas) for canvas in canvases]
            looks = [elder.trunk.tell((a[rows], b[rows], c[rows])) for a, b, c in seen]
            was = merge(looks, elder.config.sides)
            floor[rows], places[rows] = was.objectness_logits.sigmoid(), was.boxes
        return floor, places


def _fixed(sight: Sight) -> Sight:
    """Returns a sight whose proposals are taken as they are.

    The decoder corrects boxes and scores from where they are; only the trunk's own losses move
    where that is. Else every new name would bend the trunk's classes until they mean nothing.
    """
    names = ("boxes", "objectness_logits", "class_logits")
    return replace(sight, **{name: getattr(sight, name).detach() for name in names})
