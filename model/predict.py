"""Batch prediction: `python -m model.predict --checkpoint C --records R --task T --out OUT.jsonl`.

`--model NAME` instead of `--checkpoint` asks any model that the page could serve.

Writes one JSON line for each query: id, task, index, query, present, answer (text, groundings,
finish). A query that fails is written with finish "error" and counted; the others go on. The file
appears whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model.backends.base import INSTRUCTIONS, Backend, EncodedPicture
from model.errors import DeixisError
from model.metrics.queries import CAPABILITY, Query, Task, plan
from model.records import Json, Record, class_names, read_records
from model.turns import answer_to_json
from model.types import (
    Answer,
    Box,
    Capability,
    Finish,
    Grounding,
    Phrase,
    Point,
    Points,
    Region,
)

LOWEST_SCORE = 0.01
MAX_BOXES = 100
"""Detection writes boxes down to this score, and at most so many a picture, as COCO scores them."""
SHOWN_ERRORS = 5
TINY = 1e-5
"""Coordinates are written with five digits; a thinner box would have no area on reading."""


def predict(
    backend: Backend, records: Sequence[Record], tasks: Sequence[Task], seed: int = 0
) -> Iterator[Json]:
    """Yields one prediction for each query, record by record; each picture is encoded once.

    Raises:
        CapabilityError: the model cannot do one of the tasks.
    """
    for task in tasks:
        backend.require(CAPABILITY[task])
    for record, queries in plan(records, tasks, class_names(records), seed):
        yield from _predict_record(backend, record, queries)


def _predict_record(backend: Backend, record: Record, queries: Sequence[Query]) -> Iterator[Json]:
    if not queries:
        return
    try:
        picture = backend.encode(record.read_picture())
    except Exception as error:  # a broken picture costs its own queries, not the whole run
        yield from (_failure(query, error) for query in queries)
        return
    for query in queries:
        try:
            yield _line(query, _ASK[query.task](backend, picture, query.value))
        except Exception as error:  # likewise a single query
            yield _failure(query, error)


def _line(query: Query, answer: Answer) -> Json:
    answer = replace(answer, groundings=tuple(map(_writable, answer.groundings)))
    return {
        "id": query.record,
        "task": str(query.task),
        "index": query.index,
        "query": query.value,
        "present": answer.present,
        "answer": answer_to_json(answer),
    }


def _failure(query: Query, error: Exception) -> Json:
    failed = _line(query, Answer("", finish=Finish.ERROR))
    return failed | {"present": False, "error": f"{type(error).__name__}: {error}"[:500]}


def _writable(grounding: Grounding) -> Grounding:
    """Returns the grounding without boxes that would lose their area when rounded."""
    sides = [(box.x1 - box.x0, box.y1 - box.y0) for box in grounding.boxes]
    return _take(grounding, [i for i, side in enumerate(sides) if min(side) > 2 * TINY])


def _take(grounding: Grounding, kept: Sequence[int]) -> Grounding:
    def some(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[i] for i in kept) if values else ()

    return Grounding(
        grounding.phrase,
        some(grounding.boxes),
        some(grounding.scores),
        some(grounding.masks),
        some(grounding.keypoints),
    )


def _above_or_best(grounding: Grounding, threshold: float) -> Grounding:
    """Returns the boxes, best first, that reach the threshold, or else the best one alone."""
    order = sorted(range(len(grounding.boxes)), key=lambda i: -grounding.scores[i])
    return _take(grounding, [i for i in order if grounding.scores[i] >= threshold] or order[:1])


def _detect(backend: Backend, picture: EncodedPicture, names: list[str]) -> Answer:
    return backend.detect(picture, names, threshold=LOWEST_SCORE, limit=MAX_BOXES)


def _refer(backend: Backend, picture: EncodedPicture, text: str) -> Answer:
    answer = backend.answer(picture, text, task=Capability.REFER, threshold=0.0)
    every = [(g, i) for g in answer.groundings for i in range(len(g.boxes))]
    if not every:
        return replace(answer, groundings=(), finish=Finish.ABSENT)
    pooled = Grounding(
        max(every, key=lambda place: place[0].scores[place[1]])[0].phrase,
        tuple(g.boxes[i] for g, i in every),
        tuple(g.scores[i] for g, i in every),
    )
    kept = _above_or_best(pooled, backend.card.threshold)
    found = kept.scores[0] >= backend.card.threshold
    finish = Finish.STOP if found else Finish.ABSENT
    return replace(answer, groundings=(kept,), finish=finish)


def _ground(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    caption, spans = asked["caption"], [(start, end) for start, end in asked["spans"]]
    answer = backend.ground(picture, caption, spans, threshold=0.0)
    found = {(g.phrase.start, g.phrase.end): g for g in answer.groundings}
    return replace(
        answer,
        groundings=tuple(
            _above_or_best(
                found.get(span, Grounding(Phrase(caption[slice(*span)], *span), (), ())),
                backend.card.threshold,
            )
            for span in spans
        ),
    )


def _region(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    return replace(backend.describe_region(picture, Box(*asked["box"])), groundings=())


def _click(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    clicked = Region("@1", Points((Point(*asked["point"]),)))
    task = Capability.CLICK
    answer = backend.answer(
        picture, INSTRUCTIONS[task], regions=(clicked,), task=task, threshold=0.0
    )
    # One thing was clicked: its best box, however sure.
    best = tuple(_above_or_best(grounding, math.inf) for grounding in answer.groundings)
    return replace(answer, groundings=best)


def _caption(backend: Backend, picture: EncodedPicture, _: str) -> Answer:
    return backend.caption(picture)


def _absent(backend: Backend, picture: EncodedPicture, name: str) -> Answer:
    return backend.is_present(picture, name)


def _segment(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    return backend.segment(picture, Box(*asked["box"]))


def _pose(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    return backend.pose(picture, Box(*asked["box"]))


def _vqa(backend: Backend, picture: EncodedPicture, asked: Json) -> Answer:
    return backend.answer(picture, asked["question"], task=Capability.CHAT)


_ASK: dict[Task, Callable[[Backend, EncodedPicture, Any], Answer]] = {
    Task.DETECT: _detect,
    Task.REFER: _refer,
    Task.GROUND: _ground,
    Task.REGION: _region,
    Task.CLICK: _click,
    Task.CAPTION: _caption,
    Task.ABSENT: _absent,
    Task.SEGMENT: _segment,
    Task.POSE: _pose,
    Task.VQA: _vqa,
}


def write_predictions(lines: Iterable[Json], out: str | Path) -> tuple[int, int]:
    """Writes predictions, replacing `out` at the end only; returns how many and how many failed."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    written = failed = 0
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for line in lines:
                written += 1
                if error := line.get("error"):
                    failed += 1
                    if failed <= SHOWN_ERRORS:
                        tqdm.write(
                            f"{line['id']} {line['task']} {line['index']}: {error}", sys.stderr
                        )
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        # mkstemp makes the file private; a prediction file is readable like any other.
        Path(name).chmod(0o644)
        Path(name).replace(out)
    finally:
        Path(name).unlink(missing_ok=True)
    return written, failed


def tasks_of(backend: Backend, name: str) -> list[Task]:
    """Returns the tasks that `--task` means; "all" is everything the model can do.

    Raises:
        CapabilityError: the model cannot do the task.
    """
    if name == "all":
        return [task for task in Task if CAPABILITY[task] in backend.card.capabilities]
    backend.require(CAPABILITY[Task(name)])
    return [Task(name)]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model.predict", description=__doc__)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--checkpoint", help="folder or name of a checkpoint")
    asked.add_argument(
        "--model", help="instead: any model, such as qwen3-vl-2b or openai:http://..."
    )
    parser.add_argument("--records", required=True, type=Path, help="JSONL, gzipped or not")
    parser.add_argument("--task", required=True, choices=[*map(str, Task), "all"])
    parser.add_argument("--out", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--seed", type=int, default=0, help="draws click places and absent names")
    parser.add_argument("--limit", type=int, help="only the first so many records")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, 1 if every query failed, 2 if it could not begin."""
    args = _arguments(arguments)
    # Imported late: a wrong argument is told at once, without waiting for torch.
    from model.backends import open_backend
    from model.engine import load

    try:
        records = list(read_records(args.records, args.limit))
        backend = (
            open_backend(args.model, args.device)
            if args.model
            else load(args.checkpoint, device=args.device)
        )
        tasks = tasks_of(backend, args.task)
        total = sum(len(q) for _, q in plan(records, tasks, class_names(records), args.seed))
        lines = predict(backend, records, tasks, args.seed)
        progress = tqdm(lines, total=total, unit="query", mininterval=1.0, file=sys.stderr)
        written, failed = write_predictions(progress, args.out)
    except DeixisError as error:
        print(f"predict: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {written} predictions, {failed} failed", file=sys.stderr)
    return 1 if written and failed == written else 0


if __name__ == "__main__":
    sys.exit(main())
