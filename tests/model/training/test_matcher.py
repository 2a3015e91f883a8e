from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model import boxes
from model.box_decoder import PADDED
from model.training.matcher import COST_GIOU, COST_L1, COST_SCORE, match

A, B, C = [0.0, 0.0, 0.2, 0.2], [0.5, 0.5, 0.9, 0.9], [0.3, 0.0, 0.6, 0.1]


def _scene(seed: int, queries: int, truths: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def places(count: int) -> Tensor:
        low = torch.rand(count, 2, generator=generator) * 0.6
        return torch.cat([low, low + 0.05 + 0.3 * torch.rand(count, 2, generator=generator)], 1)

    return torch.randn(queries, generator=generator), places(queries), places(truths)


def _cost(logit: Tensor, predicted: Tensor, true: Tensor) -> float:
    """The cost of one pair, written out from its definition."""
    l1 = (boxes.to_cxcywh(predicted) - boxes.to_cxcywh(true)).abs().sum()
    giou = boxes.giou(predicted, true)
    return float(COST_L1 * l1 - COST_GIOU * giou - COST_SCORE * logit.sigmoid())


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(0, 4))
def test_no_other_assignment_is_cheaper(seed: int, queries: int, truths: int) -> None:
    logits, predicted, true = _scene(seed, queries, truths)
    real = torch.ones(1, truths, dtype=torch.bool)
    group, query, truth = match(logits[None], predicted[None], true[None], real)
    few = min(queries, truths)
    assert len(group) == few
    assert len(set(query.tolist())) == len(set(truth.tolist())) == few

    def price(pairs: list[tuple[int, int]]) -> float:
        return sum(_cost(logits[q], predicted[q], true[m]) for q, m in pairs)

    every = [
        price(list(zip(some, order, strict=True)))
        for some in itertools.combinations(range(queries), few)
        for order in itertools.permutations(range(truths), few)
    ]
    found = price(list(zip(query.tolist(), truth.tolist(), strict=True)))
    assert found == pytest.approx(min(every), abs=1e-4)


def test_the_documented_example() -> None:
    group, query, truth = match(
        torch.zeros(1, 3), torch.tensor([[B, C, A]]), torch.tensor([[A, B]]),
        torch.ones(1, 2, dtype=torch.bool),
    )  # fmt: skip
    assert sorted(zip(group.tolist(), query.tolist(), truth.tolist(), strict=True)) == [
        (0, 0, 1), (0, 2, 0),
    ]  # fmt: skip


def test_groups_do_not_mix_and_padding_is_never_matched() -> None:
    logits = torch.tensor([[PADDED, 0.0, PADDED], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    predicted = torch.tensor([[A, B, A], [A, B, C], [C, C, B]])
    true = torch.tensor([[A, B], [B, A], [B, A]])
    real = torch.tensor([[True, True], [True, False], [False, False]])
    pairs = set(zip(*(row.tolist() for row in match(logits, predicted, true, real)), strict=True))
    assert (0, 1, 1) in pairs or (0, 1, 0) in pairs, "the one real proposal takes one truth"
    assert pairs - {(0, 1, 1), (0, 1, 0)} == {(1, 1, 0)}


def test_broken_predictions_are_left_out() -> None:
    predicted = torch.tensor([[A, [float("nan")] * 4]])
    true, real = torch.tensor([[B, A]]), torch.ones(1, 2, dtype=torch.bool)
    group, query, truth = match(torch.zeros(1, 2), predicted, true, real)
    assert (group.tolist(), query.tolist(), truth.tolist()) == ([0], [0], [1])


@pytest.mark.parametrize(("groups", "queries", "truths"), [(0, 3, 1), (2, 3, 1), (2, 0, 1)])
def test_nothing_to_match_gives_no_pairs(groups: int, queries: int, truths: int) -> None:
    pairs = match(
        torch.zeros(groups, queries), torch.zeros(groups, queries, 4),
        torch.zeros(groups, truths, 4), torch.zeros(groups, truths, dtype=torch.bool),
    )  # fmt: skip
    assert [len(row) for row in pairs] == [0, 0, 0]
