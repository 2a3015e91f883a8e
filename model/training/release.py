"""A checkpoint that can be shipped: its measured numbers, beside it and in its card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model.engine import load
from model.evaluate import evaluate_lines
from model.metrics.queries import Task, plan
from model.predict import predict, tasks_of
from model.records import class_names, read_records
from model.training.trunk_alone import TrunkAlone
from model.vision import Vision

TABLE_START, TABLE_END = "<!-- measured -->", "<!-- /measured -->"


def measure(folder: Path, records: Path, limit: int | None = None) -> dict[str, Any]:
    """Predicts and scores every task the checkpoint can do; writes `metrics.json` beside it.

    Returns:
        The metrics, with the convolutional trunk's own detection under `trunk_alone`.
    """
    read = list(read_records(records, limit))
    engine = load(folder)
    tasks = tasks_of(engine, "all")
    total = sum(len(queries) for _, queries in plan(read, tasks, class_names(read), 0))
    lines = tqdm(predict(engine, read, tasks), total=total, unit="query", file=sys.stderr)
    metrics = evaluate_lines(read, lines)
    print(metrics.table())
    out = {"records": records.name, **metrics.to_json()}
    if isinstance(engine.model.vision, Vision):
        baseline = evaluate_lines(read, predict(TrunkAlone(engine.model), read, [Task.DETECT]))
        print(baseline.table())
        out["trunk_alone"] = baseline.to_json()["tasks"]["detect"]
    (folder / "metrics.json").write_text(json.dumps(out, indent=1) + "\n")
    card = folder / "README.md"
    if card.is_file():
        card.write_text(with_table(card.read_text(), out))
    return out


def with_table(card: str, metrics: dict[str, Any]) -> str:
    """Returns a model card with the measured numbers between its two marks."""
    before, found, rest = card.partition(TABLE_START)
    _, closed, after = rest.partition(TABLE_END)
    if not (found and closed):
        return card
    rows = ["| task | measure | value | 95 % interval | items |", "|---|---|---|---|---|"]
    tasks = dict(metrics["tasks"])
    if "trunk_alone" in metrics:
        tasks["detect, trunk alone"] = metrics["trunk_alone"]
    for task, report in tasks.items():
        for name, value in report["measures"].items():
            interval = f"{value['low']} to {value['high']}"
            rows.append(f"| {task} | {name} | {value['value']} | {interval} | {value['count']} |")
    table = "\n".join(rows)
    return f"{before}{TABLE_START}\n{table}\n{TABLE_END}{after}"
