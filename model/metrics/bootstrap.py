"""How sure a number is: the same measure over resampled pictures.

Pictures are resampled, not items: boxes of one picture are not independent. All resamples are one
matrix of counts, so a measure that is made of sums costs one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.metrics.measures import Measure

REPLICATES = 1000
SEED = 0
QUANTILES = (2.5, 97.5)

Floats = NDArray[np.float64]
Values = list[tuple[str, float]]
"""What items are worth, each with its picture's id."""


@lru_cache(maxsize=8)
def resamples(num_pictures: int, replicates: int = REPLICATES) -> NDArray[np.int64]:
    """Returns how often each picture is drawn, int64[replicates, num_pictures]; seeded."""
    shares = np.full(num_pictures, 1 / num_pictures)
    drawn = np.random.default_rng(SEED).multinomial(num_pictures, shares, size=replicates)
    drawn.setflags(write=False)
    return drawn


def measure(value: float, resampled: Floats, count: int, share: bool = True) -> Measure:
    """Returns a measure with the percentile interval of its resampled values, float64[R].

    The interval is moved by the bootstrap's own estimate of its bias, mean(resampled) - value. That
    is little for means; but a rare class, once it is drawn, is often drawn several times, so that
    average precision is higher in resamples than in the pictures themselves.
    Source: Efron & Tibshirani 1993, chapters 10 and 13.
    """
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled) or not np.isfinite(value):
        return Measure(value, float("nan"), float("nan"), count, share)
    low, high = (np.percentile(resampled, QUANTILES) - resampled.mean() + value).tolist()
    return Measure(value, max(0.0, low), min(1.0 if share else high, high), count, share)


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
    return measure(value, statistic(resamples(len(columns)) @ columns), count, share)


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
