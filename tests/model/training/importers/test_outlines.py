from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from pycocotools import mask as coco_mask

from model.errors import RecordError
from model.training.importers.outlines import outlines_of, outlines_of_rle
from model.types import Size

sides = st.integers(1, 24)


def _filled(outlines: Any, height: int, width: int) -> np.ndarray:
    if not outlines:
        return np.zeros((height, width), bool)
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(outlines, height, width))).astype(
        bool
    )


@given(st.tuples(sides, sides, sides, sides), st.booleans())
def test_filling_the_outlines_gives_the_mask_again(
    box: tuple[int, int, int, int], two: bool
) -> None:
    mask = np.zeros((60, 60), bool)
    x, y, width, height = box
    mask[y : y + height, x : x + width] = True
    if two:
        mask[50:52, 50:55] = True
    assert np.array_equal(_filled(outlines_of(mask, Size(60, 60)), 60, 60), mask)


def test_outlines_follow_another_size() -> None:
    (outline,) = outlines_of(np.ones((2, 2), bool), Size(200, 100))
    xs, ys = outline[::2], outline[1::2]
    assert (min(xs), max(xs)) == pytest.approx((100 / 6, 200 - 100 / 6))
    assert (min(ys), max(ys)) == pytest.approx((50 / 6, 100 - 50 / 6))


def test_an_empty_mask_has_no_outline() -> None:
    assert outlines_of(np.zeros((5, 5), bool), Size(5, 5)) == []


@given(hypothesis_numpy.arrays(bool, (7, 9)))
def test_packed_run_lengths_are_read_as_pycocotools_writes_them(mask: np.ndarray) -> None:
    packed: dict[str, Any] = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))  # type: ignore[assignment]
    rle = {"size": [7, 9], "counts": packed["counts"].decode()}
    assert outlines_of_rle(rle, Size(9, 7)) == outlines_of(mask, Size(9, 7))


@given(st.text(max_size=40) | st.lists(st.integers(-9, 99) | st.none(), max_size=9))
def test_damaged_run_lengths_end_in_words_or_add_up(counts: object) -> None:
    try:
        outlines_of_rle({"size": [7, 9], "counts": counts}, Size(9, 7))
    except (RecordError, TypeError):
        return
    assert counts not in ("", [])
