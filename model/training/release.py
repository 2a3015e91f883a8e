"""From trained weights to a checkpoint that can be shipped: threshold, measured numbers, card."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model import checkpoint
from model.engine import Engine, load
from model.evaluate import evaluate_lines
from model.metrics.queries import Task, plan
from model.predict import predict, tasks_of
from model.records import Record, class_names, read_records
from model.training import exam
from model.training.trunk_alone import TrunkAlone
from model.turns import box_to_json
from model.types import Capability

LOWEST_SCORE = 0.01
TRUSTS = (0.0, 0.25, 0.5, 1.0)
TABLE_START, TABLE_END = "<!-- measured -->", "<!-- /measured -->"


def calibrate(folder: Path, records: Sequence[Record]) -> tuple[float, float, float]:
    """Chooses trust, threshold and shift of a checkpoint and writes them into it.

    The trust in the decoder's correction of names is the one with the highest detection AP. From
    the threshold on, the boxes of referring expressions have the highest F1. The shift moves the
    scores of names so that this threshold lies half way, in logits, between where "not present"
    has its highest F1 (low: one weak box is enough) and where the boxes have theirs (high).

    Returns:
        The trust, the threshold and the shift.
    """
    engine = load(folder)
    precision: dict[float, float] = {}
    for trust in TRUSTS:
        engine.trust = trust
        lines = predict(engine, records, [Task.DETECT])
        shown = tqdm(lines, total=len(records), desc=f"trust {trust}", file=sys.stderr)
        precision[trust] = evaluate_lines(records, shown).value("detect", "AP")
    engine.trust = max(TRUSTS, key=lambda trust: precision[trust])
    tree = engine.model.tree
    threshold = round(expression_cut(engine, records) or tree.threshold, 3)
    presence = exam.logit(best_threshold(*_absent_and_present(engine, records)))
    cut = exam.hold_with(engine, records).cut
    middle = presence if cut is None else (presence + exam.logit(cut)) / 2
    shift = round(tree.shift + exam.logit(threshold) - middle, 3)
    model, vocabulary, _ = checkpoint.load(folder)
    tree = replace(tree, trust=engine.trust, threshold=threshold, shift=shift)
    model.config.sections = tree.to_json()
    checkpoint.save(model, vocabulary, folder, half=True)
    print(f"AP by trust: {precision}", file=sys.stderr)
    return engine.trust, threshold, shift


def expression_cut(engine: Engine, records: Sequence[Record]) -> float | None:
    """Returns the score from which boxes of referring expressions have the highest F1.

    Each expression means one thing. None if no record has any.
    """
    asked: list[dict[str, Any]] = []
    for record in tqdm(records, desc="threshold", unit="picture", file=sys.stderr):
        encoded = engine.encode(record.read_picture())
        for ref in record.refs:
            answer = engine.answer(encoded, ref.text, task=Capability.REFER, threshold=LOWEST_SCORE)
            found = [
                pair for g in answer.groundings for pair in zip(g.boxes, g.scores, strict=True)
            ]
            prediction = [{"label": "", "box": box_to_json(b), "score": s} for b, s in found]
            truth = [{"label": "", "box": box_to_json(record.objects[ref.object].box)}]
            asked.append({"truth": truth, "prediction": prediction})
    return exam.best_cut(asked)


def _absent_and_present(
    engine: Engine, records: Sequence[Record]
) -> tuple[list[float], list[float]]:
    """Returns the best scores of names that are not in their picture, and of those that are."""
    absent: list[float] = []
    present: list[float] = []
    planned = plan(records, [Task.ABSENT], class_names(records))
    for record, queries in tqdm(planned, desc="presence", unit="picture", file=sys.stderr):
        names = [query.value for query in queries]
        if names:
            shown = {thing.label for thing in record.objects}
            best = _best_scores(engine, record, names)
            for name in names:
                (present if name in shown else absent).append(best.get(name, 0.0))
    return absent, present


def best_threshold(absent: Sequence[float], present: Sequence[float]) -> float:
    """Returns the score below which "not present" has the highest F1.

    Example:
        >>> best_threshold(absent=[0.1, 0.2], present=[0.6, 0.9])
        0.4
    """
    scores = sorted({0.0, 1.0, *absent, *present})
    cuts = [(a + b) / 2 for a, b in pairwise(scores)]

    def f1(cut: float) -> float:
        right = sum(score < cut for score in absent)
        wrong = sum(score < cut for score in present)
        return 2 * right / max(1, right + wrong + len(absent))

    return round(max(cuts, key=f1), 4)


def _best_scores(engine: Engine, record: Record, names: Sequence[str]) -> dict[str, float]:
    answer = engine.detect(record.read_picture(), names, threshold=LOWEST_SCORE)
    return {g.phrase.text: max(g.scores) for g in answer.groundings}


def measure(folder: Path, records: Path, limit: int | None = None) -> dict[str, Any]:
    """Predicts and scores every task the checkpoint can do; writes `metrics.json` beside it.

    Returns:
        The metrics, with the trunk's own detection under `trunk_alone`.
    """
    read = list(read_records(records, limit))
    engine = load(folder)
    tasks = tasks_of(engine, "all")
    total = sum(len(queries) for _, queries in plan(read, tasks, class_names(read), 0))
    lines = tqdm(predict(engine, read, tasks), total=total, unit="query", file=sys.stderr)
    metrics = evaluate_lines(read, lines)
    print(metrics.table())
    baseline = evaluate_lines(read, predict(TrunkAlone(engine.model), read, [Task.DETECT]))
    print(baseline.table())
    out = {
        "records": records.name,
        **metrics.to_json(),
        "trunk_alone": baseline.to_json()["tasks"]["detect"],
    }
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
    tasks = {**metrics["tasks"], "detect, trunk alone": metrics["trunk_alone"]}
    for task, report in tasks.items():
        for name, value in report["measures"].items():
            interval = f"{value['low']} to {value['high']}"
            rows.append(f"| {task} | {name} | {value['value']} | {interval} | {value['count']} |")
    table = "\n".join(rows)
    return f"{before}{TABLE_START}\n{table}\n{TABLE_END}{after}"
