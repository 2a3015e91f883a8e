"""How pictures that are seen anew look at a visit: windows, tints, mosaics and pasted things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random

from model.config import Section
from model.errors import ConfigError
from model.training.collage import Shown, mosaic, pasted
from model.training.scenes import Scene, show


@dataclass(frozen=True)
class ViewConfig(Section):
    """Shares of the visits to pictures that are changed in a way that words do not survive.

    Attributes:
        windows: see a part of the picture, or the picture in a wider margin.
        mosaic: see four pictures at once.
        pasted: see things of another picture, cut out by their outlines, pasted in.
    """

    windows: float = 0.5
    mosaic: float = 0.0
    pasted: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what is no share; raises ConfigError."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"views.{field.name} is {value!r:.40}; it is a share, 0 to 1.")


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
    shown = show(scene, chance, config.windows)
    if config.pasted and not kept and chance.random() < config.pasted:
        return pasted(shown, show(another(), chance, 0.0), chance)
    return shown
