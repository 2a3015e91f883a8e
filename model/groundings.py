"""From decoded boxes of one phrase to a grounding in the unit frame."""

from __future__ import annotations

from torch import Tensor

from model import boxes
from model.errors import RegionError
from model.preprocess import Letterbox
from model.types import Box, Grounding, Phrase

SAME_NAME = 0.65
"""Overlap above which two boxes of one class name are taken for the same thing."""
SAME_PHRASE = 0.4
"""The same for a phrase, which means few things: stricter, as people see doubles as mistakes."""


def to_grounding(
    phrase: Phrase,
    logits: Tensor,
    boxes_xyxy: Tensor,
    letterbox: Letterbox,
    *,
    threshold: float,
    limit: int = 100,
    overlap: float = SAME_PHRASE,
) -> Grounding:
    """Returns the boxes that score at least `threshold`, best first, each for all its doubles.

    Args:
        phrase: whose boxes these are.
        logits: float[Q].
        boxes_xyxy: float[Q, 4], canvas frame.
        letterbox: of the picture.
        threshold: lowest score kept.
        limit: most boxes kept.
        overlap: above which the weaker of two boxes is a double.
    """
    scores = logits.sigmoid()
    # Doubles below the threshold count too, so that a box stays where it is when it is moved.
    kept = boxes.suppress(boxes_xyxy, scores, overlap, limit)
    kept = kept[scores[kept] >= max(threshold, 1e-4)]
    middle = boxes.voted(boxes_xyxy, scores, kept, overlap)
    places, numbers = [], []
    for place, score in zip(letterbox.to_unit(middle).tolist(), scores[kept].tolist(), strict=True):
        try:
            places.append(Box.parse(place))
        except RegionError:  # A box that lies in the margin around the picture.
            continue
        numbers.append(score)
    return Grounding(phrase, tuple(places), tuple(numbers))
