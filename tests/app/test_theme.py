"""Colours: legible on each other, and different to colour-blind eyes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from app import theme

# Linear RGB as a person without red, green or blue cones sees it.
# Source: Machado, Oliveira and Fernandes 2009, severity 1.0.
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


def seen(colour: str, eyes: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(BLIND[eyes]) @ linear, 0, 1) ** (1 / 2.2)


def test_contrast_is_that_of_wcag() -> None:
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("fill", theme.PALETTE)
def test_letters_on_every_colour_are_legible(fill: str) -> None:
    assert theme.contrast(fill, theme.ink(fill)) >= 4.5


@pytest.mark.parametrize("eyes", BLIND)
def test_neighbouring_colours_differ_to_colour_blind_eyes(eyes: str) -> None:
    pairs = itertools.pairwise([*theme.PALETTE, theme.PALETTE[0]])
    for one, other in pairs:
        assert np.linalg.norm(seen(one, eyes) - seen(other, eyes)) > 0.2, (one, other)


def test_colours_come_round_again() -> None:
    assert theme.colour(len(theme.PALETTE)) == theme.colour(0)


def test_the_style_sheet_asks_for_nothing_elsewhere() -> None:
    for file in (Path(theme.__file__).parent).rglob("*.css"):
        text = file.read_text("utf-8")
        assert "http" not in text
        assert "@import" not in text
        assert "url(" not in text
