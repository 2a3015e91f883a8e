from __future__ import annotations

import math

import numpy as np
import pytest

from model.metrics.bootstrap import mean, measure, of_sums, ratio, resamples


def test_each_resample_draws_as_many_pictures_as_there_are() -> None:
    drawn = resamples(7, 50)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(1) == 7).all()
    assert np.array_equal(drawn, resamples(7, 50))
    assert drawn.std() > 0


def test_mean_is_over_items_and_its_interval_over_pictures() -> None:
    values = [("a", 1.0), ("a", 1.0), ("a", 1.0), ("b", 0.0)]
    found = mean(values)
    assert (found.value, found.count) == (0.75, 4)
    # Resamples are a a, a b, b a, b b: 1, 3/4, 3/4, 0, on average 1/8 below the value.
    assert (found.low, found.high) == pytest.approx((1 / 8, 1), abs=0.03)


def test_the_interval_of_many_pictures_is_the_normal_one() -> None:
    values = [(str(i), float(i % 4 == 0)) for i in range(400)]
    found = mean(values)
    deviation = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert found.value == 0.25
    assert found.low == pytest.approx(0.25 - deviation, abs=0.006)
    assert found.high == pytest.approx(0.25 + deviation, abs=0.006)


def test_dependent_items_of_one_picture_widen_the_interval() -> None:
    spread = mean([(str(i), float(i % 2)) for i in range(200)])
    bundled = mean([(str(i // 20), float(i // 20 % 2)) for i in range(200)])
    assert spread.value == bundled.value
    assert bundled.high - bundled.low > 2 * (spread.high - spread.low)


def test_nothing_gives_nothing() -> None:
    found = mean([])
    assert found.count == 0
    assert math.isnan(found.value)
    assert math.isnan(found.low)


def test_a_ratio_without_a_denominator_is_not_a_number() -> None:
    assert ratio(np.array([[1.0, 2.0], [0.0, 0.0]])) == pytest.approx([0.5, math.nan], nan_ok=True)
    found = of_sums(ratio, np.zeros((3, 2)), 3)
    assert math.isnan(found.value)
    assert math.isnan(found.high)


def test_the_bias_of_resampling_is_taken_off() -> None:
    found = measure(0.4, np.linspace(0.5, 0.7, 1001), 10)
    assert (found.low, found.high) == pytest.approx((0.305, 0.495))


def test_shares_stay_within_nought_and_one_other_numbers_above_nought() -> None:
    wide = np.linspace(-1, 3, 100)
    assert (measure(1.0, wide, 9).low, measure(1.0, wide, 9).high) == (0, 1)
    assert measure(1.0, wide, 9, share=False).high > 1
