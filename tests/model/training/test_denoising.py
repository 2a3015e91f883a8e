from __future__ import annotations

from random import Random

import torch

from model import boxes
from model.training.denoising import shaken
from tests.model import tiny


def test_proposals_of_some_pictures_move_within_their_bounds() -> None:
    sight = tiny.sight(3)
    share, moved_pictures = 0.4, 0
    for seed in range(20):
        moved = shaken(sight, share, Random(seed))
        before, after = (boxes.to_cxcywh(s.boxes) for s in (sight, moved))
        inside = ((moved.boxes > 0) & (moved.boxes < 1)).all(-1)
        shift = (after - before).abs()[..., :2] / before[..., 2:].clamp(min=1e-6)
        growth = (after[..., 2:] / before[..., 2:].clamp(min=1e-6) - 1).abs()
        assert shift[inside].max() <= share / 2 + 1e-3
        assert growth[inside].max() <= share + 1e-3
        changed = (moved.boxes != sight.boxes).flatten(1).any(1)
        moved_pictures += int(changed.sum())
        assert torch.equal(moved.features, sight.features)
    assert 15 < moved_pictures < 45, "half of the pictures are left alone"


def test_without_noise_nothing_is_drawn() -> None:
    sight, chance = tiny.sight(1), Random(1)
    assert shaken(sight, 0.0, chance) is sight
    assert chance.random() == Random(1).random()


def test_the_same_chance_moves_the_same() -> None:
    sight = tiny.sight(2)
    one, two = (shaken(sight, 0.4, Random(4)).boxes for _ in range(2))
    assert torch.equal(one, two)
