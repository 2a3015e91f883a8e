from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.standing import standing
from model.vision import Sight
from tests.model import tiny

DOG, BUS = 16, 5
LEFT, RIGHT, ABOVE, BELOW, LARGER, SMALLER, ALL = range(7)


def _sight(things: list[tuple[int, tuple[float, float, float, float], float]]) -> Sight:
    """Returns a sight of sure things: class, box, score."""
    seen = tiny.sight()
    count = len(things)
    classes = torch.full((1, count, 80), -20.0)
    for number, (kind, _, _) in enumerate(things):
        classes[0, number, kind] = 20.0
    scores = torch.tensor([[score for _, _, score in things]])
    return replace(
        seen,
        boxes=torch.tensor([[box for _, box, _ in things]]),
        class_logits=classes,
        objectness_logits=torch.logit(scores, 1e-6),
        valid=torch.ones(1, count, dtype=torch.bool),
    )


def _counts(sight: Sight, power: int = 1) -> torch.Tensor:
    """Returns counts float[Q, 7] as they were before they were squeezed."""
    return 4 * standing(sight)[0, :, (power - 1) * 7 : power * 7]


ROW = [
    (DOG, (0.1, 0.4, 0.3, 0.6), 1.0),
    (DOG, (0.4, 0.3, 0.6, 0.7), 1.0),
    (DOG, (0.7, 0.45, 0.9, 0.55), 1.0),
]


@pytest.mark.parametrize("power", [1, 2])
def test_the_middle_one_has_one_on_each_side(power: int) -> None:
    counts = _counts(_sight(ROW), power)
    assert counts[:, LEFT].tolist() == pytest.approx([0, 1, 2], abs=1e-2)
    assert counts[:, RIGHT].tolist() == pytest.approx([2, 1, 0], abs=1e-2)
    assert counts[:, LARGER].tolist() == pytest.approx([1, 0, 2], abs=6e-2)
    assert counts[:, ALL].tolist() == pytest.approx([2, 2, 2], abs=1e-3)


def test_what_is_of_another_kind_does_not_count() -> None:
    counts = _counts(_sight([*ROW, (BUS, (0.0, 0.0, 0.05, 0.05), 1.0)]))
    assert counts[:3, LEFT].tolist() == pytest.approx([0, 1, 2], abs=1e-2)
    assert counts[3].tolist() == pytest.approx([0] * 7, abs=1e-3)


def test_doubles_share_one_vote() -> None:
    double = (DOG, (0.1, 0.4, 0.3, 0.6), 1.0)
    counts = _counts(_sight([*ROW, double]))
    assert counts[1, LEFT].item() == pytest.approx(1, abs=1e-2)


def test_unsure_things_count_little_and_nothing_is_beyond_its_score() -> None:
    counts = _counts(_sight([ROW[1], (DOG, ROW[0][1], 0.2)]), 2)
    assert counts[0, LEFT].item() == pytest.approx(0.04, abs=1e-2)


def test_a_box_without_area_and_padding_do_no_harm() -> None:
    sight = _sight([*ROW, (DOG, (1.0, 0.2, 1.0, 0.2), 1.0), (DOG, (0, 0, 1, 1), 1.0)])
    sight.valid[0, 4] = False
    counts = _counts(sight)
    assert counts[0, RIGHT].item() == pytest.approx(3, abs=2e-2)
    assert standing(sight).isfinite().all()
    assert standing(sight).abs().max() <= 4


def test_mirrored_left_and_right_change_places() -> None:
    sight = _sight(ROW)
    there, back = _counts(sight), _counts(sight.mirrored(torch.tensor([True])))
    assert tiny.close(there[:, LEFT], back[:, RIGHT], 1e-4)
    assert tiny.close(there[:, BELOW], back[:, BELOW], 1e-4)
