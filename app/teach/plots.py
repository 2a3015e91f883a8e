"""The curves of a run as tables that `gr.LinePlot` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from app import words

if TYPE_CHECKING:
    from app.jobs import Trail

MOST_MEASURES = 3
_FIRST = ("AP50", "AP")
"""Measures that are shown before all others."""


def losses(trail: Trail) -> pd.DataFrame | None:
    """Returns the loss by step; None as long as there is none, which leaves the plot alone."""
    if not trail.steps:
        return None
    points = trail.losses()
    return pd.DataFrame(
        {
            words.STEP_AXIS: [point.step for point in points],
            words.LOSS_AXIS: [point.loss for point in points],
        }
    )


def measures(trail: Trail) -> pd.DataFrame | None:
    """Returns the most telling measures by step; None as long as there are none."""
    if not trail.evaluations:
        return None
    names = [name for name, value in trail.evaluations[-1].measures.items() if 0 <= value <= 1]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    rows = [
        (evaluation.step, evaluation.measures[name], name)
        for evaluation in trail.evaluations
        for name in names[:MOST_MEASURES]
        if name in evaluation.measures
    ]
    return pd.DataFrame(rows, columns=[words.STEP_AXIS, words.VAL_AXIS, words.MEASURE])
