"""What an evaluation returns: measures with their intervals, and counts of what went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from model.errors import RecordError
from model.records import Json


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its bootstrap 95 % interval.

    Attributes:
        value: a share in [0, 1], or a plain number such as CIDEr or boxes per expression.
        low: 2.5 % quantile over resampled pictures; NaN if there was nothing to resample.
        high: 97.5 % quantile.
        count: how many items it is the measure of.
        share: whether it is printed as a percentage.
    """

    value: float
    low: float
    high: float
    count: int
    share: bool = True

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.share else (1, 2)
        value, low, high = (f"{number * scale:.{digits}f}" for number in self._numbers())
        return f"{value} [{low}, {high}]"

    def _numbers(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high

    def to_json(self) -> Json:
        """Returns the measure as JSON; what is not a number becomes null."""
        value, low, high = (round(x, 5) if math.isfinite(x) else None for x in self._numbers())
        return {"value": value, "low": low, "high": high, "count": self.count}


@dataclass(frozen=True, slots=True)
class Counts:
    """How the queries of one task fared; missing and failed ones count as wrong in every share.

    Attributes:
        expected: queries that the records ask.
        missing: of these, without a prediction.
        errors: of these, with finish "error".
        duplicates: further predictions for a query that already had one; the first counts.
        strangers: predictions for queries that the records do not ask.
        invalid_boxes: boxes, masks or poses that could not be read and were dropped.
    """

    expected: int
    missing: int = 0
    errors: int = 0
    duplicates: int = 0
    strangers: int = 0
    invalid_boxes: int = 0


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The measures of one task by name, the main one first."""

    counts: Counts
    measures: Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The whole evaluation.

    Attributes:
        pictures: how many records were evaluated.
        malformed: lines of the prediction files that are no prediction at all.
        tasks: a report for each task that was predicted.
    """

    pictures: int
    malformed: int
    tasks: Mapping[str, TaskReport] = field(default_factory=dict)

    def value(self, task: str, measure: str) -> float:
        """Returns one number; raises RecordError if it was not measured."""
        try:
            return self.tasks[task].measures[measure].value
        except KeyError as error:
            raise RecordError(f"{task} {measure} was not measured.") from error

    def to_json(self) -> Json:
        """Returns everything as JSON, with the definitions that the numbers rest on."""
        return {
            "pictures": self.pictures,
            "malformed": self.malformed,
            "tasks": {
                task: {
                    "counts": asdict(report.counts),
                    "measures": {name: m.to_json() for name, m in report.measures.items()},
                }
                for task, report in self.tasks.items()
            },
            "definitions": DEFINITIONS,
        }

    def table(self) -> str:
        """Returns a plain-text table of all measures and of everything that went wrong."""
        lines = [f"{self.pictures} pictures, {self.malformed} malformed lines"]
        for task, report in self.tasks.items():
            wrong = {k: v for k, v in asdict(report.counts).items() if v and k != "expected"}
            faults = "".join(f", {count} {kind}" for kind, count in wrong.items())
            lines.append(f"\n{task}: {report.counts.expected} queries{faults}")
            for name, measure in report.measures.items():
                lines.append(f"  {name:<28}{measure!s:>24}  n={measure.count}")
        return "\n".join(lines)


DEFINITIONS: dict[str, str] = {
    "interval": "95 %, percentiles over resampled pictures, seeded",
    "detect": "COCO protocol by pycocotools: 100 boxes a picture, IoU 0.50 to 0.95, crowds "
    "ignored; areas are box areas in pixels of the packed picture",
    "refer": "acc50: the best box overlaps the object's by IoU 0.5 or more",
    "ground": "recall1: the phrase's best box overlaps any of its objects by IoU 0.5 or more; "
    "word_iou: boxes of the words inside a phrase against its nearest object",
    "region": "top1: the head noun of the text names the class, see model/naming.py; "
    "top1_large: boxes of at least 32² pixels",
    "click": "as region; box_iou, box_acc50: the answer's best box against the object's",
    "caption": "CIDEr-D times 100 against all captions of a picture, document frequencies from the "
    "evaluated references, tokens as in model/metrics/cider.py; phrase_precision: share of "
    "phrases naming a known class whose best box overlaps such an object by IoU 0.5 or more",
    "absent": "the positive class is 'absent'; errors and missing answers count as wrong",
    "segment": "mean IoU of the first mask with the polygons; mean_iou_of_box: of the asked box",
    "pose": "OKS-AP by pycocotools over the persons asked for; area: polygons, else 0.51 × box",
    "vqa": "200 questions that follow from boxes, see model/metrics/vqa.py",
}
"""What the numbers mean, kept beside them."""
