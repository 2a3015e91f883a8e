"""Scores that mean the same for every name: at the threshold F1 is best on validation pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.config import ModelConfig
from model.engine import Engine
from model.records import Record
from model.training import exam
from model.training.release import TRUSTS


def calibrated(tree: ModelConfig, result: exam.Result, new_names: Sequence[str]) -> ModelConfig:
    """Returns a configuration whose threshold makes the best F1, for new and for known names."""

    def moved(shift: float, new: bool) -> float:
        of_kind = [
            picture | {
                key: [shown for shown in picture[key] if (shown["label"] in new_names) is new]
                for key in ("truth", "prediction")
            }
            for picture in result.pictures
        ]  # fmt: skip
        cut = exam.best_cut(of_kind)
        gain = 0.0 if cut is None else exam.logit(tree.threshold) - exam.logit(cut)
        return round(shift + gain, 3)

    taught = tuple(dict.fromkeys((*tree.taught, *new_names)))
    return replace(
        tree, shift=moved(tree.shift, False), new_shift=moved(tree.new_shift, True), taught=taught
    )


def choose_trust(engine: Engine, records: Sequence[Record]) -> tuple[float, exam.Result]:
    """Returns how far corrections of the trunk's own names should count, and the exam with it."""
    results: dict[float, exam.Result] = {}
    for trust in (engine.trust, *TRUSTS):
        if trust not in results:
            engine.trust = trust
            results[trust] = exam.hold_with(engine, records)
    best = max(results, key=lambda trust: results[trust].value)
    return best, results[best]
