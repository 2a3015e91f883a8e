"""What people may know of a model: size, way to localize, cost, licence, source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import words
from app.phrases import escape

if TYPE_CHECKING:
    from model.backends.base import Card, Cost


def facts(card: Card, *more: tuple[str, str]) -> str:
    """Returns a model's card as a list of names and values, hostile text made inert.

    Args:
        card: of the model.
        more: further names and values, put first.
    """
    rows = [
        *more,
        (words.FACT_SIZE, _size(card.parameters)),
        (words.FACT_MECHANISM, words.MECHANISMS.get(card.mechanism, card.mechanism)),
        (words.FACT_REGIONS, card.regions or words.REGIONS_AS_DRAWN),
        (words.FACT_SCORES, card.scores or words.SCORES_NONE),
        (words.FACT_COST, cost(card.cost)),
        (words.FACT_LICENCE, card.licence),
        (words.FACT_SOURCE, card.source),
    ]
    inside = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="facts">{inside}</dl>'


def cost(measured: Cost | None) -> str:
    """Returns what a model takes, in words."""
    if measured is None:
        return words.COST_UNKNOWN
    return words.COST.format(encode=lasting(measured.encode), ask=lasting(measured.ask))


def lasting(seconds: float) -> str:
    """Returns a time as people read it.

    Example:
        >>> lasting(0.0614), lasting(11.04)
        ('61 ms', '11.0 s')
    """
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _size(parameters: int) -> str:
    if not parameters:
        return words.SIZE_UNKNOWN
    return f"{parameters / 1e6:,.1f} M" if parameters < 1e8 else f"{parameters / 1e9:,.2f} B"
