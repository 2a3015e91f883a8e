"""What a training run has reported so far: its curves, its samples, how long it will take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_POINTS = 400
"""Points of a curve that a browser is sent."""

_READ_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """The loss at a step, and the seconds spent until then."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on validation pictures at a step.

    Attributes:
        step: after which it was measured.
        measures: name to value.
        samples: path of the redrawn pictures; empty if there are none.
        best: whether it was the best so far.
    """

    step: int
    measures: Mapping[str, float]
    samples: str
    best: bool


@dataclass(slots=True)
class Trail:
    """Everything a run has reported, one event after the other.

    Attributes:
        steps, evaluations: oldest first.
        total: steps that are planned; 0 if unknown.
        eta: seconds that are left; None if unknown.
        done, whole: pictures worked on, and all of them.
        plan: the settings as resolved, and why.
        notes: sentences for people.
        message: of the last event, after an error.
    """

    steps: list[Step] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    total: int = 0
    eta: float | None = None
    done: int = 0
    whole: int = 0
    plan: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    message: str = ""

    def follow(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Takes in further events; what cannot be read is passed over."""
        kinds = {
            "step": self._step, "eval": self._evaluation, "progress": self._progress,
            "plan": self._plan, "note": self._note, "end": self._end,
        }  # fmt: skip
        for event in events:
            try:
                kinds[event["event"]](event)
            except (KeyError, TypeError, ValueError, AttributeError):
                continue

    @property
    def share(self) -> float | None:
        """How much of the work is done, 0 to 1; None if unknown."""
        if self.steps and self.total:
            return min(1.0, self.steps[-1].step / self.total)
        return min(1.0, self.done / self.whole) if self.whole else None

    def losses(self) -> list[Step]:
        """Returns the loss curve, thinned out; the last point is always there."""
        every = math.ceil(len(self.steps) / MOST_POINTS) or 1
        return self.steps[::-1][::every][::-1]

    def _step(self, event: Mapping[str, Any]) -> None:
        step, loss = int(event["step"]), float(event["loss"])
        # A run that was killed goes on from where it had saved, which is earlier.
        while self.steps and self.steps[-1].step >= step:
            self.steps.pop()
        while self.evaluations and self.evaluations[-1].step > step:
            self.evaluations.pop()
        if math.isfinite(loss):
            self.steps.append(Step(step, loss, float(event.get("seconds") or 0.0)))
        self.total = int(event.get("steps") or 0)
        eta = event.get("eta")
        self.eta = float(eta) if eta is not None and math.isfinite(eta) else None

    def _evaluation(self, event: Mapping[str, Any]) -> None:
        measures = {name: float(item["value"]) for name, item in event["measures"].items()}
        samples, best = str(event.get("samples") or ""), bool(event.get("best"))
        self.evaluations.append(Evaluation(int(event["step"]), measures, samples, best))

    def _progress(self, event: Mapping[str, Any]) -> None:
        self.done, self.whole = int(event["done"]), int(event["total"])

    def _plan(self, event: Mapping[str, Any]) -> None:
        self.plan = event

    def _note(self, event: Mapping[str, Any]) -> None:
        self.notes.append(str(event["text"]))

    def _end(self, event: Mapping[str, Any]) -> None:
        self.message = str(event.get("message") or "")


def read_events(path: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Returns what a run reported from `offset` on, and the offset to go on from.

    Only whole lines with a JSON object count; anything else a library may have printed is passed
    over.
    """
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(_READ_BYTES)
    content = content[: content.rfind(b"\n") + 1]
    found = []
    for line in content.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found, offset + len(content)
