from __future__ import annotations

import pytest
import torch

from model.groundings import Doubles, to_grounding
from model.preprocess import Letterbox
from model.types import Phrase, Size

WIDE = Letterbox.fit(Size(64, 32), 64)
PLACES = torch.tensor(
    [
        [0.0, 0.25, 0.5, 0.75],
        [0.0, 0.25, 0.5, 0.70],  # the same thing again
        [0.5, 0.50, 1.0, 0.75],
        [0.1, 0.00, 0.4, 0.20],  # in the margin above the picture
    ]
)
SCORES = torch.logit(torch.tensor([0.6, 0.9, 0.5, 0.95]))


def test_boxes_are_in_the_picture_best_first_and_each_thing_once() -> None:
    found = to_grounding(Phrase("dog"), SCORES, PLACES, WIDE, threshold=0.4)
    assert found.scores == pytest.approx((0.9, 0.5))
    share = 0.6**2 / (0.6**2 + 0.9**2)
    assert found.boxes[0].as_tuple() == pytest.approx((0, 0, 0.5, 0.9 + 0.1 * share))
    assert found.boxes[1].as_tuple() == pytest.approx((0.5, 0.5, 1, 1))


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 2), (0.7, 1), (0.94, 0), (1.0, 0)])
def test_the_threshold_decides(threshold: float, count: int) -> None:
    found = to_grounding(Phrase("dog"), SCORES, PLACES, WIDE, threshold=threshold)
    assert len(found.boxes) == count


def test_a_box_stays_where_it_is_when_the_threshold_moves() -> None:
    low, high = (
        to_grounding(Phrase("dog"), SCORES, PLACES, WIDE, threshold=threshold).boxes[0]
        for threshold in (0.0, 0.7)
    )
    assert low == high


def test_doubles_are_kept_where_the_overlap_allows_and_the_limit_holds() -> None:
    loose = to_grounding(
        Phrase("dog"), SCORES, PLACES, WIDE, threshold=0.4, doubles=Doubles(0.95, 0.95)
    )
    assert loose.scores == pytest.approx((0.9, 0.6, 0.5))
    few = to_grounding(Phrase("dog"), SCORES[:3], PLACES[:3], WIDE, threshold=0.0, limit=1)
    assert few.scores == pytest.approx((0.9,))


def test_padding_is_never_found() -> None:
    found = to_grounding(Phrase("x"), torch.full((4,), -1e4), PLACES, WIDE, threshold=0.0)
    assert found.boxes == ()
