from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model import boxes

GRID = 12
"""Boxes with corners on this grid are measured exactly by counting cells."""

Corners = tuple[int, int, int, int]
places = st.integers(0, GRID)
loose = st.tuples(places, places, places, places)


@st.composite
def corners(draw: st.DrawFn) -> Corners:
    x0, x1 = sorted(draw(st.lists(places, min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(places, min_size=2, max_size=2, unique=True)))
    return x0, y0, x1, y1


def tensor(*values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64) / GRID


def cells(box: Corners) -> set[tuple[int, int]]:
    return set(itertools.product(range(box[0], box[2]), range(box[1], box[3])))


def counted_iou(a: Corners, b: Corners) -> float:
    return len(cells(a) & cells(b)) / len(cells(a) | cells(b))


def counted_giou(a: Corners, b: Corners) -> float:
    hull = len(cells((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))))
    return counted_iou(a, b) - (hull - len(cells(a) | cells(b))) / hull


@given(st.lists(corners(), min_size=1, max_size=5))
def test_centre_form_and_back(several: list[Corners]) -> None:
    xyxy = tensor(*several)
    torch.testing.assert_close(boxes.to_xyxy(boxes.to_cxcywh(xyxy)), xyxy)
    x0, y0, x1, y1 = (side / GRID for side in several[0])
    torch.testing.assert_close(
        boxes.to_cxcywh(xyxy)[0],
        torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], dtype=torch.float64),
    )


@given(loose)
def test_area_counts_cells_and_inverted_boxes_are_empty(box: Corners) -> None:
    assert boxes.area(tensor(box)).item() == pytest.approx(len(cells(box)) / GRID**2)


@given(corners(), corners())
def test_iou_and_giou_against_counting(a: Corners, b: Corners) -> None:
    first, second = tensor(a)[0], tensor(b)[0]
    assert boxes.iou(first, second).item() == pytest.approx(counted_iou(a, b))
    assert boxes.giou(first, second).item() == pytest.approx(counted_giou(a, b))
    assert boxes.giou(second, first).item() == pytest.approx(counted_giou(a, b))


@given(corners())
def test_a_box_overlaps_itself_wholly(box: Corners) -> None:
    assert boxes.iou(tensor(box), tensor(box)).item() == pytest.approx(1)
    assert boxes.giou(tensor(box), tensor(box)).item() == pytest.approx(1)


@given(loose, loose)
def test_degenerate_boxes_give_finite_numbers(a: Corners, b: Corners) -> None:
    assert 0 <= boxes.iou(tensor(a), tensor(b)).item() <= 1
    assert -1 <= boxes.giou(tensor(a), tensor(b)).item() <= 1


def test_pairwise_is_every_pair_with_leading_axes() -> None:
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(2, 5, 2, generator=generator)
    several = torch.cat([low, low + torch.rand(2, 5, 2, generator=generator)], -1)
    a, b = several[:, :3], several[:, 2:]
    table = boxes.pairwise_iou(a, b)
    assert table.shape == (2, 3, 3)
    for batch, i, j in itertools.product(range(2), range(3), range(3)):
        torch.testing.assert_close(table[batch, i, j], boxes.iou(a[batch, i], b[batch, j]))


def naive_suppress(
    several: list[Corners], scores: list[float], threshold: float, limit: int
) -> list[int]:
    order = sorted(range(len(several)), key=lambda i: -scores[i])
    kept: list[int] = []
    for i in order:
        if all(counted_iou(several[i], several[j]) <= threshold for j in kept):
            kept.append(i)
    return kept[:limit]


# Thresholds no ratio of two cell counts below 145 comes near, so rounding cannot decide.
@given(
    st.lists(st.tuples(corners(), st.integers(0, 5)), max_size=14),
    st.sampled_from([0.10001, 0.30007, 0.50003, 0.70007]),
    st.integers(1, 14),
)
def test_suppress_against_a_naive_version(
    scored: list[tuple[Corners, int]], threshold: float, limit: int
) -> None:
    several, scores = [box for box, _ in scored], [score / 5 for _, score in scored]
    kept = boxes.suppress(tensor(*several).reshape(-1, 4), torch.tensor(scores), threshold, limit)
    assert kept.dtype == torch.int64
    assert kept.tolist() == naive_suppress(several, scores, threshold, limit)


def test_suppress_keeps_the_best_of_a_heap() -> None:
    heap = tensor((0, 0, 10, 10), (0, 0, 10, 11), (0, 0, 11, 10), (6, 6, 12, 12))
    assert boxes.suppress(heap, torch.tensor([0.5, 0.9, 0.7, 0.1]), 0.5, 100).tolist() == [1, 3]


def test_a_kept_box_stands_for_its_doubles() -> None:
    heap = tensor((0, 0, 10, 10), (2, 0, 12, 10), (50, 50, 60, 60))
    scores, kept = torch.tensor([0.5, 0.5, 0.9]).to(heap), torch.tensor([2, 0])
    middle = boxes.voted(heap, scores, kept, 0.5)
    torch.testing.assert_close(middle, tensor((50, 50, 60, 60), (1, 0, 11, 10)))
    torch.testing.assert_close(boxes.voted(heap, scores, kept, 0.8), heap[kept])
    surer = boxes.voted(heap, torch.tensor([1.0, 0.5, 0.9]).to(heap), kept, 0.5)
    torch.testing.assert_close(surer[1], tensor((0.4, 0, 10.4, 10))[0])
    nothing = torch.zeros(0, dtype=torch.long)
    assert boxes.voted(heap[:0], scores[:0], nothing, 0.5).shape == (0, 4)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_the_box_of_a_mask_is_tight(height: int, width: int, data: st.DataObject) -> None:
    pixels = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(pixels).reshape(height, width)
    if not mask.any():
        with pytest.raises(ValueError, match="empty mask"):
            boxes.from_mask(torch.from_numpy(mask))
        return
    rows, columns = np.nonzero(mask)
    expected = [
        columns.min() / width,
        rows.min() / height,
        (columns.max() + 1) / width,
        (rows.max() + 1) / height,
    ]
    torch.testing.assert_close(
        boxes.from_mask(torch.from_numpy(mask)), torch.tensor(expected, dtype=torch.float32)
    )
