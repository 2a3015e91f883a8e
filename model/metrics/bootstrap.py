"""How sure a number is: the same measure over resampled pictures.

Pictures are resampled, not items: boxes of one picture are not independent. All resamples are one
matrix of counts, so a measure that is made of sums costs one matrix product.
Source: Efron & Tibshirani 1993, percentile interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model.metrics.measures import Measure

REPLICATES = 1000
SEED = 0
QUANTILES = (2.5, 97.5)

Floats = NDArray[np.float64]
Values = list[tuple[str, float]]
"""What items are worth, each with its picture's id."""


def resamples(num_pictures: int, replicates: int = REPLICATES) -> NDArray[np.int64]:
    """Returns how often each picture is drawn, int64[replicates, num_pictures]; seeded."""
    shares = np.full(num_pictures, 1 / num_pictures)
    return np.random.default_rng(SEED).multinomial(num_pictures, shares, size=replicates)


def interval(values: Floats) -> tuple[float, float]:
    """Returns the percentile interval of float[replicates]; those that are NaN are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, QUANTILES)
    return float(low), float(high)


def of_sums(
    statistic: Callable[[Floats], Floats], columns: Floats, count: int, share: bool = True
) -> Measure:
    """Returns a measure that is made of sums over pictures.

    Args:
        statistic: sums float[R, C] to values float[R].
        columns: float[P, C], what each picture adds to the sums.
        count: how many items the pictures hold.
        share: see `Measure`.
    """
    if not len(columns):
        return Measure(float("nan"), float("nan"), float("nan"), 0, share)
    value = float(statistic(columns.sum(0, keepdims=True))[0])
    low, high = interval(statistic(resamples(len(columns)) @ columns))
    return Measure(value, low, high, count, share)


def ratio(sums: Floats) -> Floats:
    """Returns the first column over the second, NaN where that is 0."""
    top, bottom = sums[:, 0], sums[:, 1]
    return np.divide(top, bottom, out=np.full(len(sums), np.nan), where=bottom > 0)


def mean(values: Values, share: bool = True) -> Measure:
    """Returns the mean over items."""
    sums: dict[str, list[float]] = {}
    for picture, value in values:
        of_picture = sums.setdefault(picture, [0.0, 0.0])
        of_picture[0] += value
        of_picture[1] += 1
    columns = np.array(list(sums.values()), dtype=float).reshape(-1, 2)
    return of_sums(ratio, columns, len(values), share)
