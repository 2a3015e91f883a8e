"""Deixis: a localization-capable vision-language model, its serving engine and its training.

Axis letters in shapes: B batch, T text tokens, P image tokens, R regions, Q proposals (object
queries), L link queries, W words, D width, V vocabulary, K trunk classes, C grid cells.

Every coordinate outside `preprocess` is a float in [0, 1], xyxy, of the upright picture.

Example:
    >>> from model import load
    >>> vlm = load("checkpoints/deixis-tiny")
    >>> answer = vlm.answer(picture, "where is the dog?")
    >>> answer.text, answer.groundings[0].boxes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.engine import load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    """Imports `load` on first use, so that `model.types` never pulls in torch."""
    if name == "load":
        from model.engine import load

        return load
    raise AttributeError(f"module 'model' has no attribute {name!r}")
