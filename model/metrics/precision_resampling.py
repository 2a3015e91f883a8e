"""How sure an average precision is: the same matches counted again over resampled pictures.

Matching a picture's boxes does not depend on other pictures, so pycocotools does it once. Only the
counting is repeated, each picture as often as it was drawn, for all resamples at once. With every
picture drawn once this gives pycocotools' value, and a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from model.metrics.bootstrap import Floats
from model.records import Json

Matches = list[tuple[int, Json]]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CELLS = 2_000_000
"""Most numbers of one resampled array at a time."""


def _by_category(evaluation: COCOeval, size: int) -> Iterator[Matches]:
    """Yields, for each category, (picture, matches) of the pictures that have any."""
    num_pictures = len(evaluation.params.imgIds)
    num_sizes = len(evaluation.params.areaRng)
    for category in range(len(evaluation.params.catIds)):
        start = (category * num_sizes + size) * num_pictures
        matches = cast("list[Json | None]", evaluation.evalImgs[start : start + num_pictures])
        yield [(i, match) for i, match in enumerate(matches) if match is not None]


def num_truths(evaluation: COCOeval, size: int) -> int:
    """Returns how many truths of an area range count."""
    return sum(
        int((match["gtIgnore"] == 0).sum())
        for matches in _by_category(evaluation, size)
        for _, match in matches
    )


def by_threshold(evaluation: COCOeval, size: int, weights: Integers) -> Floats:
    """Returns AP at each IoU threshold, mean over categories, for each resample of the pictures.

    Args:
        evaluation: after `evaluate`.
        size: index of the area range.
        weights: int64[R, P], how often each picture counts.

    Returns:
        float64[R, T]; NaN where no category has a truth.
    """
    total = np.zeros((len(weights), len(evaluation.params.iouThrs)))
    categories = np.zeros((len(weights), 1))
    for matches in _by_category(evaluation, size):
        if any((match["gtIgnore"] == 0).any() for _, match in matches):
            precision = _of_category(matches, evaluation.params.recThrs, weights)
            total += np.nan_to_num(precision)
            categories += np.isfinite(precision[:, :1])
    return np.divide(total, categories, out=np.full_like(total, np.nan), where=categories > 0)


def _of_category(matches: Matches, recalls: Floats, weights: Integers) -> Floats:
    """Returns float64[R, T], NaN for a resample without a truth of this category."""
    scores = np.concatenate([match["dtScores"] for _, match in matches])
    order = np.argsort(-scores, kind="mergesort")
    pictures = np.repeat([i for i, _ in matches], [len(m["dtScores"]) for _, m in matches])[order]
    matched = np.concatenate([m["dtMatches"] for _, m in matches], 1)[:, order] > 0
    counted = ~np.concatenate([m["dtIgnore"] for _, m in matches], 1)[:, order].astype(bool)
    truths = np.zeros(weights.shape[1])
    for i, match in matches:
        truths[i] = (match["gtIgnore"] == 0).sum()
    chunks = np.array_split(weights, max(1, len(weights) * len(order) // _CELLS))
    resampled = [
        _of_chunk(drawn[:, pictures], matched & counted, counted, drawn @ truths, recalls)
        for drawn in chunks
    ]
    return np.concatenate(resampled)


def _of_chunk(
    drawn: Integers, right: Bools, counted: Bools, num_truths: Floats, recalls: Floats
) -> Floats:
    """Returns the mean precision at the given recalls, float64[R, T].

    The precision at a recall is the best one at this or a higher recall, as in pycocotools. Recall
    grows at right detections alone, and there the precision is highest, so only these are looked
    at; each stands for the recalls that are reached with it and were not reached before it.

    Args:
        drawn: int64[R, D], how often each detection counts, best score first.
        right: bool[T, D], the detection has a match.
        counted: bool[T, D], it is right or wrong; the others are ignored.
        num_truths: float64[R].
        recalls: float64[101].
    """
    out = np.zeros((len(drawn), len(right)))
    for threshold, (hit, seen) in enumerate(zip(right, counted, strict=True)):
        if hit.any():
            hits = drawn[:, hit].cumsum(1)
            precision = hits / np.maximum((drawn * seen).cumsum(1)[:, hit], 1)
            precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
            recall = hits / np.maximum(num_truths, 1)[:, None]
            reached = np.searchsorted(recalls, recall, side="right")
            # Recall 0 asks for the first detection that counts, as any other recall does.
            newly = np.diff(np.where(hits > 0, reached, 0), axis=1, prepend=0)
            out[:, threshold] = (precision * newly).sum(1) / len(recalls)
    return np.where(num_truths[:, None] > 0, out, np.nan)
