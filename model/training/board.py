"""The before/after board: two models answer the same questions about the same pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.backends import open_backend
from model.backends.registry import FOUR_BIT
from model.checkpoint import is_there
from model.evaluate import evaluate_lines
from model.metrics.queries import Task
from model.predict import predict
from model.records import Record
from model.training import exam
from model.types import Capability

if TYPE_CHECKING:
    from model.backends import Backend

Json = dict[str, Any]
Judged = dict[tuple[Task, str], Json]
Told = Callable[[int, int], None]
SHOWN = 12
ASKED = (
    (Task.DETECT, "AP", "AP"),
    (Task.DETECT, "AP50", "AP50"),
    (Task.REFER, "acc50", "Acc@0.5"),
    (Task.REGION, "top1", "naming"),
)
"""Task, measure, and what people call it."""


def compare(
    before: str | Path,
    after: str | Path,
    records: Sequence[Record],
    general: Sequence[Record],
    out: Path,
    about: Json,
    told: Told,
) -> Json:
    """Writes `board.json` into a folder and returns it; docs/training.md shows its form.

    Args:
        before: name or path of any model, as for `open_backend`.
        after: likewise.
        records: what was taught, pictures that neither learned from.
        general: pictures of earlier data; may be empty.
        out: folder for the board.
        about: further fields of the board.
        told: called with questions asked and an estimate of all.
    """
    counter = _Counter(told, 2 * (len(records) * 2 + len(general)))
    names = str(before), alike(str(before), str(after))
    sides = [_side(name, records, general, counter) for name in names]
    board = {
        "before": sides[0].name,
        "after": sides[1].name,
        **about,
        "records": len(records),
        "measures": _beside(sides[0].new, sides[1].new),
        "pictures": _pictures(
            [side.threshold for side in sides], sides[0].pictures, sides[1].pictures
        ),
    }
    if general:
        board["general"] = _beside(sides[0].old, sides[1].old)
    counter.finish()
    out.mkdir(parents=True, exist_ok=True)
    (out / "board.json").write_text(json.dumps(board, indent=1) + "\n")
    return board


def alike(before: str, after: str) -> str:
    """Returns the name that opens an adapter in as many bits as the model it is compared with."""
    adapter = not (Path(after) / "config.json").is_file() and is_there(Path(after))
    return f"{after}{FOUR_BIT}" if adapter and before.endswith(FOUR_BIT) else after


class _Counter:
    """Counts pictures as they are asked about."""

    def __init__(self, told: Told, total: int) -> None:
        self._told, self._total, self._done = told, max(1, total), 0

    def watch(self, lines: Iterator[Json]) -> Iterator[Json]:
        last = None
        for line in lines:
            if line["id"] != last:
                last = line["id"]
                self._done += 1
                self._told(min(self._done, self._total), self._total)
            yield line

    def finish(self) -> None:
        self._told(self._total, self._total)


@dataclass(frozen=True, slots=True)
class _Side:
    """What one model did.

    Attributes:
        name: of the model.
        threshold: from which its boxes are shown.
        new: measures by task and name on what was taught.
        old: likewise on earlier data; empty if there is none.
        pictures: truth and prediction.
    """

    name: str
    threshold: float
    new: Judged
    old: Judged
    pictures: list[Json]


def _side(
    which: str, records: Sequence[Record], general: Sequence[Record], counter: _Counter
) -> _Side:
    """Returns what a model does; it is let go before the other one is loaded."""
    backend = open_backend(which)
    try:
        new, pictures = _judge(backend, records, True, counter)
        old = _judge(backend, general, False, counter)[0] if general else {}
        return _Side(backend.card.name, backend.card.threshold, new, old, pictures)
    finally:
        backend.close()


def _judge(
    backend: Backend, records: Sequence[Record], naming: bool, counter: _Counter
) -> tuple[Judged, list[Json]]:
    """Returns measures by task and name, and the pictures with what was found."""
    result = exam.hold_with(backend, records, counter.watch)
    measures = {(Task.DETECT, name): value for name, value in result.measures.items()}
    tasks = [Task.REFER] if any(record.refs for record in records) else []
    tasks += [Task.REGION] if naming else []
    tasks = [task for task in tasks if Capability(str(task)) in backend.card.capabilities]
    if tasks:
        lines = counter.watch(predict(backend, records, tasks))
        for task, report in evaluate_lines(records, lines).tasks.items():
            measures |= {(Task(task), n): m.to_json() for n, m in report.measures.items()}
    return measures, result.pictures


def _beside(before: Judged, after: Judged) -> list[Json]:
    return [
        {"name": shown, "task": str(task), "before": before[task, name], "after": after[task, name]}
        for task, name, shown in ASKED
        if (task, name) in before and (task, name) in after
    ]


def _pictures(cuts: Sequence[float], before: Sequence[Json], after: Sequence[Json]) -> list[Json]:
    """Returns the pictures that got worse most, or better least, with both answers."""
    rows = []
    for pair in zip(before, after, strict=True):
        kept = [
            [shown for shown in picture["prediction"] if shown["score"] >= cut]
            for picture, cut in zip(pair, cuts, strict=True)
        ]
        truth = pair[0]["truth"]
        scores = [exam.f1(truth, found) for found in kept]
        rows.append(
            {key: pair[0][key] for key in ("id", "image", "width", "height")}
            | {
                "before_f1": round(scores[0], 4),
                "after_f1": round(scores[1], 4),
                "change": round(scores[1] - scores[0], 4),
                "truth": truth,
                "before": kept[0],
                "after": kept[1],
            }
        )
    return sorted(rows, key=lambda row: row["change"])[:SHOWN]
