from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.config import LanguageConfig
from model.coordinates import Bins
from model.errors import ConfigError

unit = st.floats(0, 1)
FIVE = Bins(100, 5)


@given(st.integers(2, 2049), unit, unit, unit, unit)
def test_a_box_comes_back_within_half_a_bin(
    count: int, a: float, b: float, c: float, d: float
) -> None:
    bins = Bins(512, count)
    box = torch.tensor([[min(a, c), min(b, d), max(a, c), max(b, d)]])
    tokens = bins.write(box)
    assert all(512 <= token < 512 + count for token in tokens)
    back = bins.read(tokens)
    if len(back):
        assert float((back - box).abs().max()) <= 0.5 / (count - 1) + 1e-6
        assert bins.write(back) == tokens
    else:  # Only a box that is thinner than a bin has no area left.
        assert float((box[0, 2:] - box[0, :2]).min()) <= 1 / (count - 1) + 1e-6


def test_the_documented_example_and_places_outside() -> None:
    assert FIVE.write(torch.tensor([[0, 0.25, 0.5, 1]])) == [100, 101, 102, 104]
    assert FIVE.write(torch.tensor([[-3.0, 0.5, 0.5, 7.0]])) == [100, 102, 102, 104]
    assert FIVE.write(torch.zeros(0, 4)) == []


@pytest.mark.parametrize(
    ("tokens", "boxes"),
    [
        ([], []),
        ([100, 100, 104, 104, 102, 102, 104, 103], [[0, 0, 1, 1], [0.5, 0.5, 1, 0.75]]),
        ([7, 100, 100, 104], []),
        ([100, 100, 7, 104, 104], []),
        ([104, 104, 100, 100], [[0, 0, 1, 1]]),
        ([101, 101, 101, 104], []),
        ([105, 99, 100, 100, 104, 104, 100], [[0, 0, 1, 1]]),
    ],
)
def test_whatever_was_written_is_read(tokens: list[int], boxes: list[list[float]]) -> None:
    assert FIVE.read(tokens).tolist() == boxes


@given(st.lists(st.integers(90, 110)))
def test_boxes_that_are_read_are_ordered_and_inside(tokens: list[int]) -> None:
    boxes = FIVE.read(tokens)
    assert len(boxes) <= len(tokens) // 4
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert ((boxes >= 0) & (boxes <= 1)).all()


def test_bins_stand_behind_the_words_and_there_are_two_at_least() -> None:
    config = replace(LanguageConfig(), vocab_size=512, num_bins=33)
    assert Bins.of(config) == Bins(512, 33)
    with pytest.raises(ConfigError, match="num_bins is 0"):
        Bins.of(LanguageConfig())
