"""One query, its record and its prediction: what every measure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

from model.metrics.predictions import Prediction
from model.metrics.queries import Query
from model.records import LabelledObject, Record
from model.types import Box


@dataclass(frozen=True, slots=True)
class Item:
    """A query of a record; `prediction` is None if it is missing or failed: that counts as wrong.

    Attributes:
        record: what is true.
        query: what was asked.
        prediction: what was answered.
    """

    record: Record
    query: Query
    prediction: Prediction | None

    @property
    def thing(self) -> LabelledObject:
        """The object that a region, click, segment or pose query is about."""
        return self.record.objects[self.query.index]

    @property
    def text(self) -> str:
        """The predicted words; empty if there are none."""
        return self.prediction.answer.text if self.prediction else ""

    @property
    def boxes(self) -> list[Box]:
        """All predicted boxes, best first."""
        groundings = self.prediction.answer.groundings if self.prediction else ()
        scored = [pair for g in groundings for pair in zip(g.scores, g.boxes, strict=True)]
        return [box for _, box in sorted(scored, key=lambda pair: -pair[0])]

    @property
    def best_box(self) -> Box | None:
        """The best predicted box, if there is any."""
        return next(iter(self.boxes), None)
