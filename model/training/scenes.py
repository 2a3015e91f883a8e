"""Pictures of a data set for training: read from disk, and changed a little at every visit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageOps

from model.errors import RecordError
from model.preprocess import PAD
from model.records import LabelledObject, Record, open_text, record_from_json
from model.training.importers.examples import stored_turns
from model.training.mirror import mirrored
from model.types import Box, Size, Turn

SMALLEST, WIDEST = 0.6, 1.6
"""Sides of the window that is shown, as shares of the picture's."""
VISIBLE = 0.4
"""Share of a thing that must be in the window for it to be shown at all."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to learn from.

    Attributes:
        record: what is known about it.
        turns: what people asked and corrected, word for word.
        new: whether it belongs to the data set that is taught, not to earlier data.
    """

    record: Record
    turns: tuple[Turn, ...] = ()
    new: bool = True


def read_scenes(path: Path, *, new: bool = True) -> list[Scene]:
    """Returns the pictures of a file of records, with the turns that are kept in it.

    Raises:
        RecordError: the file or a line is invalid.
    """
    scenes = []
    try:
        with open_text(path) as lines:
            for line in lines:
                value = json.loads(line)
                record = record_from_json(value, path.parent)
                scenes.append(Scene(record, stored_turns(value), new))
    except (OSError, EOFError, KeyError, TypeError, ValueError, IndexError) as error:
        raise RecordError(f"{path}, line {len(scenes) + 1}: {error}") from error
    return scenes


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, in its pixels; it may reach beyond it."""

    left: float
    top: float
    width: float
    height: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height


def show(
    scene: Scene, chance: Random, windows: float = 0.5, widest: float = WIDEST
) -> tuple[Scene, Image.Image]:
    """Returns a scene as it looks at this visit, and its picture.

    Half of the visits are mirrored. A share `windows` of those to a scene without turns of its own
    see a window: a part of the picture, or the picture in a wider margin; what was said about
    places would not be true of it any more, so only what follows from its boxes is taught then.
    Mirrored turns are not known either.
    """
    picture = scene.record.read_picture()
    if scene.turns and chance.random() < 0.5:
        return scene, _tinted(picture, chance)
    scene = replace(scene, turns=())
    if chance.random() < 0.5:
        scene = replace(scene, record=mirrored(scene.record))
        picture = ImageOps.mirror(picture)
    if chance.random() < windows:
        scene, picture = _through_window(scene, picture, chance, widest)
    return scene, _tinted(picture, chance)


def _through_window(
    scene: Scene, picture: Image.Image, chance: Random, widest: float
) -> tuple[Scene, Image.Image]:
    share = chance.uniform(SMALLEST, widest)
    width, height = (max(1, round(share * side)) for side in picture.size)
    left = round(chance.uniform(0, 1) * (picture.width - width))
    top = round(chance.uniform(0, 1) * (picture.height - height))
    seen = Image.new("RGB", (width, height), (PAD, PAD, PAD))
    seen.paste(picture, (-left, -top))
    window = Window(left, top, width, height)
    moved = [seen_through(window, thing, picture.size) for thing in scene.record.objects]
    record = replace(
        scene.record,
        size=Size(width, height),
        objects=tuple(thing for thing in moved if thing is not None),
        captions=(),
        grounded=(),
        refs=(),
    )
    return replace(scene, record=record), seen


def seen_through(
    window: Window, thing: LabelledObject, size_px: tuple[int, int]
) -> LabelledObject | None:
    """Returns a thing of a picture in the frame of a window; None if too little of it is seen."""
    x0, x1 = (
        (side * size_px[0] - window.left) / window.width for side in (thing.box.x0, thing.box.x1)
    )
    y0, y1 = (
        (side * size_px[1] - window.top) / window.height for side in (thing.box.y0, thing.box.y1)
    )
    inner = (max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0))
    sides = inner[2] - inner[0], inner[3] - inner[1]
    if min(sides) <= 1e-4 or sides[0] * sides[1] < VISIBLE * (x1 - x0) * (y1 - y0):
        return None
    return LabelledObject(thing.label, Box(*inner), thing.crowd)


def _tinted(picture: Image.Image, chance: Random) -> Image.Image:
    """Returns the picture a little lighter or darker, and with a little more or less contrast."""
    gain, offset = chance.uniform(0.8, 1.2), chance.uniform(-16, 16)
    table = np.clip((np.arange(256) - PAD) * gain + PAD + offset, 0, 255).astype(np.uint8)
    return picture.point(np.tile(table, 3).tolist())


def classes_of(scenes: Sequence[Scene]) -> tuple[str, ...]:
    """Returns the names of the things in some pictures, the most frequent first."""
    counts: dict[str, int] = {}
    for scene in scenes:
        for thing in scene.record.objects:
            counts[thing.label] = counts.get(thing.label, 0) + 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))
