"""From decoded boxes of one phrase to a grounding in the unit frame."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from model import boxes
from model.errors import RegionError
from model.preprocess import Letterbox
from model.types import Box, Grounding, Phrase


@dataclass(frozen=True, slots=True)
class Doubles:
    """What becomes of overlapping boxes of one phrase.

    Attributes:
        dropped: overlap above which the weaker of two is taken for the same thing.
        heard: overlap above which it moves the stronger one, see `boxes.voted`.
    """

    dropped: float
    heard: float


OF_NAME = Doubles(0.65, 0.65)
"""Of a class name, whose things often stand in front of each other."""
OF_PHRASE = Doubles(0.5, 1 / 3)
"""Of a phrase, which means few things: people see doubles as mistakes. Chosen on validation."""


def to_grounding(
    phrase: Phrase,
    logits: Tensor,
    boxes_xyxy: Tensor,
    letterbox: Letterbox,
    *,
    threshold: float,
    limit: int = 100,
    doubles: Doubles = OF_PHRASE,
) -> Grounding:
    """Returns the boxes that score at least `threshold`, best first, each for all its doubles.

    Args:
        phrase: whose boxes these are.
        logits: float[Q].
        boxes_xyxy: float[Q, 4], canvas frame.
        letterbox: of the picture.
        threshold: lowest score kept.
        limit: most boxes kept.
        doubles: what becomes of overlapping boxes.
    """
    scores = logits.sigmoid()
    # Doubles below the threshold count too, so that a box stays where it is when it is moved.
    kept = boxes.suppress(boxes_xyxy, scores, doubles.dropped, limit)
    kept = kept[scores[kept] >= max(threshold, 1e-4)]
    middle = boxes.voted(boxes_xyxy, scores, kept, doubles.heard)
    places, numbers = [], []
    for place, score in zip(letterbox.to_unit(middle).tolist(), scores[kept].tolist(), strict=True):
        try:
            places.append(Box.parse(place))
        except RegionError:  # A box that lies in the margin around the picture.
            continue
        numbers.append(score)
    return Grounding(phrase, tuple(places), tuple(numbers))
