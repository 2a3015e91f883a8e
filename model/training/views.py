"""How pictures that are seen anew look at a visit: windows, tints, mosaics and pasted things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random

from model.config import Section
from model.errors import ConfigError
from model.training.collage import Shown, mosaic, pasted
from model.training.scenes import WIDEST, Scene, show

MOST_MARGIN = 4
"""Sides of the largest window that may be asked for."""


@dataclass(frozen=True)
class ViewConfig(Section):
    """How pictures are changed in ways that words do not survive.

    Attributes:
        windows: share of the visits that see a part of the picture, or it in a wider margin.
        mosaic: share that see four pictures at once.
        pasted: share that see things of another picture, cut out by their outlines, pasted in.
        widest: sides of the largest window, as a share of the picture's; 0 for the usual ones.
    """

    windows: float = 0.5
    mosaic: float = 0.0
    pasted: float = 0.0
    widest: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what is out of its range; raises ConfigError."""
        for field in fields(self):
            high = MOST_MARGIN if field.name == "widest" else 1
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 <= value <= high):
                raise ConfigError(f"views.{field.name} is {value!r:.40}; choose 0 to {high}.")


def view(scene: Scene, another: Callable[[], Scene], config: ViewConfig, chance: Random) -> Shown:
    """Returns a scene as it looks at this visit, and its picture.

    Args:
        scene: which.
        another: draws a further one of the same data.
        config: how often what happens.
        chance: of all that is drawn.
    """
    # What people asked and corrected is taught as it is.
    kept = bool(scene.turns)
    if config.mosaic and not kept and chance.random() < config.mosaic:
        scenes = [scene, *(another() for _ in range(3))]
        return mosaic([show(some, chance, 0.0) for some in scenes], chance)
    shown = show(scene, chance, config.windows, config.widest or WIDEST)
    if config.pasted and not kept and chance.random() < config.pasted:
        return pasted(shown, show(another(), chance, 0.0), chance)
    return shown
