"""Scores prediction files: `python -m model.evaluate --records R --predictions P [--out M.json]`.

P is a file of one or several tasks or a folder of such files. Every query that the records ask is
counted; what is missing, failed or broken counts as wrong and is listed. Only tasks that occur in P
are scored.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from model.errors import DeixisError
from model.metrics import average_precision, localization, presence, vqa, wording
from model.metrics.bootstrap import Values, mean
from model.metrics.items import Item
from model.metrics.measures import Counts, Measure, Metrics, TaskReport
from model.metrics.predictions import Predictions, collect, read_predictions
from model.metrics.queries import Query, Task, plan
from model.metrics.wording import Names
from model.records import Json, Record, class_names, read_records
from model.types import Finish

_TASKS_BY_WORDS = frozenset({Task.REFER, Task.GROUND, Task.ABSENT, Task.VQA})
"""Tasks whose query is compared with the file's, lest answers to other questions be scored."""


def evaluate_files(
    records: str | Path, predictions: str | Path, *, limit: int | None = None, seed: int = 0
) -> Metrics:
    """Returns all measures of prediction files against a record file.

    Args:
        records: JSONL of records, gzipped or not.
        predictions: JSONL of predictions, or a folder of such files.
        limit: evaluate only the first so many records, as predict's `--limit`.
        seed: the one that the predictions were made with.

    Raises:
        RecordError: the records are invalid or there are no prediction files.
    """
    found = read_predictions(predictions)
    return _evaluate(list(read_records(records, limit)), found, seed)


def evaluate_lines(records: Sequence[Record], lines: Iterable[Json], *, seed: int = 0) -> Metrics:
    """Returns all measures of predictions that were not written to a file; see `predict`."""
    return _evaluate(records, collect(lines), seed)


def _evaluate(records: Sequence[Record], found: Predictions, seed: int) -> Metrics:
    names = class_names(records)
    reports = {}
    for task in found.tasks:
        planned = plan(records, [task], names, seed)
        pairs = [(record, query) for record, queries in planned for query in queries]
        reports[str(task)] = _report(task, pairs, found, names)
    return Metrics(len(records), found.malformed, reports)


def _report(
    task: Task, pairs: Sequence[tuple[Record, Query]], found: Predictions, names: Names
) -> TaskReport:
    items, errors, missing = [], 0, 0
    for record, query in pairs:
        prediction = found.by_key.get(query.key)
        if prediction and task in _TASKS_BY_WORDS and prediction.query != query.value:
            prediction = None
        missing += prediction is None
        if prediction and prediction.answer.finish is Finish.ERROR:
            errors += 1
            prediction = None
        items.append(Item(record, query, prediction))
    of_task = sum(key[0] is task for key in found.by_key)
    counts = Counts(
        expected=len(items),
        missing=missing,
        errors=errors,
        duplicates=found.duplicates[task],
        strangers=of_task - (len(items) - missing),
        invalid_boxes=found.invalid_boxes[task],
    )
    measures = _MEASURES[task](items, names) if items else {}
    return TaskReport(counts, {name: m for name, m in measures.items() if m.count})


def _answers(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns the share of right answers to questions that follow from boxes, also by kind."""
    every: Values = []
    kinds: dict[str, Values] = {}
    for item in items:
        question = vqa.questions(item.record)[item.query.index]
        answer = item.prediction.answer if item.prediction else None
        right = float(answer is not None and vqa.is_right(question, answer))
        every.append((item.record.id, right))
        kinds.setdefault(question.kind.replace(" ", "_"), []).append(every[-1])
    by_kind = {f"accuracy_{kind}": mean(of_kind) for kind, of_kind in sorted(kinds.items())}
    return {"accuracy": mean(every)} | by_kind


_MEASURES: dict[Task, Callable[[Sequence[Item], Names], dict[str, Measure]]] = {
    Task.DETECT: lambda items, names: average_precision.detection(
        [(item.record, item.prediction) for item in items], names
    ),
    Task.REFER: lambda items, _: localization.expressions(items),
    Task.GROUND: lambda items, _: localization.phrases(items),
    Task.REGION: wording.names_given,
    Task.CLICK: lambda items, names: wording.names_given(items, names) | localization.clicks(items),
    Task.CAPTION: wording.captions,
    Task.ABSENT: lambda items, _: presence.absences(items),
    Task.SEGMENT: lambda items, _: localization.masks(items),
    Task.POSE: lambda items, _: average_precision.pose(
        [(item.record, item.thing, item.prediction) for item in items]
    ),
    Task.VQA: lambda items, _: _answers(items),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 if a file could not be used."""
    parser = argparse.ArgumentParser(prog="python -m model.evaluate", description=__doc__)
    parser.add_argument("--records", required=True, type=Path, help="JSONL, gzipped or not")
    parser.add_argument("--predictions", required=True, type=Path, help="JSONL or a folder")
    parser.add_argument("--out", type=Path, help="write the metrics here as JSON")
    parser.add_argument("--limit", type=int, help="only the first so many records")
    parser.add_argument("--seed", type=int, default=0, help="the one given to predict")
    args = parser.parse_args(arguments)
    try:
        metrics = evaluate_files(args.records, args.predictions, limit=args.limit, seed=args.seed)
    except DeixisError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    print(metrics.table())
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(metrics.to_json(), indent=1, ensure_ascii=False)
        args.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
