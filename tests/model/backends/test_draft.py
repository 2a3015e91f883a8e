"""Outputs as they grow: scores from the tokens that spell coordinates."""

from __future__ import annotations

import math

import pytest

from model.backends.draft import Draft, Step


def drafted(*steps: tuple[str, float | None]) -> Draft:
    draft = Draft()
    for piece, probability in steps:
        draft.add(Step(piece, probability))
    return draft


def test_a_score_is_the_geometric_mean_over_the_tokens_of_its_numbers() -> None:
    draft = drafted(("[", 0.1), ("12", 0.5), ("", 0.1), ("3, 4", 0.4), ("]", 0.1))
    assert draft.score([(1, 4)]) == pytest.approx(math.sqrt(0.5 * 0.4))
    assert draft.score([(1, 3)]) == pytest.approx(0.5)
    assert draft.score([(1, 3), (6, 7)]) == pytest.approx(math.sqrt(0.5 * 0.4))


def test_a_token_of_two_numbers_counts_once() -> None:
    draft = drafted(("1, 2", 0.25), ("x", 1.0))
    assert draft.score([(0, 1), (3, 4)]) == pytest.approx(0.25)


def test_unknown_probabilities_do_not_lower_a_score() -> None:
    assert drafted(("12", None)).score([(0, 2)]) == 1.0
    assert drafted(("12", 0.0)).score([(0, 2)]) > 0
