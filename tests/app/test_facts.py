"""A model's card in words."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest

from app.facts import facts
from model.backends.base import Cost
from tests.fakes import FakeBackend

CARD = FakeBackend().card


def test_a_card_is_told_whole() -> None:
    card = replace(
        CARD, licence="MIT", source="owner/name", regions="as coordinates in the prompt",
        cost=Cost(0.0614, 2.34), parameters=2_130_000_000, mechanism="coordinates", scores="",
    )  # fmt: skip
    told = unescape(facts(card, ("Needs", "4 GB")))
    for text in (
        "<dt>Licence</dt><dd>MIT</dd>",
        "<dt>From</dt><dd>owner/name</dd>",
        "<dd>as coordinates in the prompt</dd>",
        "<dd>61 ms to read a picture, 2.3 s to answer</dd>",
        "<dd>2.13 B</dd>",
        "<dd>coordinates it writes</dd>",
        "<dt>Scores</dt><dd>none</dd>",
    ):
        assert text in told
    assert told.startswith('<dl class="facts"><dt>Needs</dt><dd>4 GB</dd>')


@pytest.mark.parametrize("field", ["licence", "source", "regions", "scores", "mechanism"])
def test_a_hostile_card_stays_text(field: str) -> None:
    assert "<script" not in facts(replace(CARD, **{field: "<script>alert(1)</script>"}))


def test_what_is_not_known_is_said() -> None:
    told = facts(replace(CARD, parameters=0))
    assert "not told" in told
    assert "not measured yet" in told
    assert "as they are drawn" in told
