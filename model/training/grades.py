"""What a run remembers of its exams: when the next is due, which was best, whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.training import exam
from model.training.config import FineTuneConfig
from model.training.events import tell

Json = dict[str, Any]
UNGRADED: Json = {"exams": -1, "best": None, "worse": 0, "exam_step": -1, "exam_s": 0.0}


class Grades:
    """The exams of a run that teaches a data set.

    Args:
        notes: what lies in the run's state; holds `UNGRADED` at first, and is written to.
        config: the run's settings.
        folder: of the run.
        log: adds a line to the run's log.
    """

    def __init__(
        self, notes: Json, config: FineTuneConfig, folder: Path, log: Callable[[Json], None]
    ) -> None:
        self._notes, self._config, self._folder, self._log = notes, config, folder, log

    @property
    def none_yet(self) -> bool:
        """Whether no exam was held."""
        return self._notes["exams"] < 0

    @property
    def seconds(self) -> float:
        """Seconds that the last exam took."""
        return float(self._notes["exam_s"])

    @property
    def enough(self) -> bool:
        """Whether the last exams were none better than an earlier one."""
        return self._notes["worse"] >= self._config.patience > 0

    def due(self, progress: float) -> bool:
        """Returns whether an exam is due at this share of the run."""
        return int(progress * self._config.evaluations) > self._notes["exams"]

    def held_at(self, step: int) -> bool:
        """Returns whether the last exam was held at this step."""
        return self._notes["exam_step"] == step

    def is_best(self, result: exam.Result) -> bool:
        """Returns whether no exam before was better."""
        return self._notes["best"] is None or result.rank >= self._notes["best"]

    def enter(
        self, result: exam.Result, step: int, progress: float, seconds: float, threshold: float
    ) -> None:
        """Notes an exam and reports it, with samples.

        Args:
            result: of the exam.
            step: at which it was held.
            progress: share of the run that is done.
            seconds: it took.
            threshold: of the samples' boxes, if the exam gives none.
        """
        notes, best = self._notes, self.is_best(result)
        notes["worse"] = 0 if best else notes["worse"] + 1
        notes["exams"] = int(progress * self._config.evaluations)
        notes["exam_step"], notes["exam_s"] = step, seconds
        if best:
            notes["best"] = result.rank
        samples = self._folder / "samples" / f"{step:06d}.json"
        exam.write_samples(samples, result, step, threshold)
        row = {"step": step, "measures": result.measures, "best": best}
        self._log({"event": "eval", **row})
        tell("eval", **row, samples=str(samples))
