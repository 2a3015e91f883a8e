"""The exam: how well a model finds the named things of pictures it does not learn from.

Asked is what detection on the page asks. Where not everything is marked, only names that are marked
in a picture are asked for in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from model import boxes
from model.backends.base import Backend
from model.engine import Engine
from model.evaluate import evaluate_lines
from model.metrics.queries import Task, plan
from model.predict import predict
from model.records import Record, class_names
from model.tokens import Vocabulary
from model.training.collate import as_tensor
from model.turns import box_to_json
from model.types import Box
from model.vlm import DeixisModel

Json = dict[str, Any]
Shown = dict[str, Any]
RIGHT = 0.5
"""Overlap from which a box counts as found."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A name that was asked for in a picture where everything of that name is marked.

    Attributes:
        name: what was asked for.
        present: whether it is there.
        score: of the best box; 0 if there was none.
    """

    name: str
    present: bool
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """What an exam found.

    Attributes:
        measures: by name, each with value, low, high and count.
        cut: score from which boxes make the best F1; None if there was nothing to find.
        pictures: truth and prediction of each picture, as the page draws them; all scores.
        presence: about as many names that are there as names that are not, picture by picture.
    """

    measures: dict[str, Json]
    cut: float | None
    pictures: list[Json]
    presence: tuple[Asked, ...] = ()

    @property
    def value(self) -> float:
        """The number that the best checkpoint is chosen by; -1 if nothing could be asked."""
        return self.of("AP50")

    @property
    def rank(self) -> list[float]:
        """`value`, and between equals how well the boxes fit; few pictures are often equal."""
        return [self.value, self.of("AP")]

    def of(self, name: str) -> float:
        """Returns a measure's value; -1 if nothing could be asked."""
        measure = self.measures.get(name)
        return -1.0 if measure is None or measure["value"] is None else float(measure["value"])


def hold(model: DeixisModel, vocabulary: Vocabulary, records: Sequence[Record]) -> Result:
    """Returns how well a model does on records."""
    device = str(model.device)
    engine = Engine(model, vocabulary, name="exam", version="exam", device=device)
    return hold_with(engine, records)


def hold_with(
    backend: Backend,
    records: Sequence[Record],
    watch: Callable[[Iterator[Json]], Iterator[Json]] = iter,
) -> Result:
    """Returns how well a model does on records; `watch` sees every prediction go by."""
    asked = [askable(record) for record in records]
    lines = list(watch(predict(backend, asked, [Task.DETECT])))
    report = evaluate_lines(asked, lines).tasks.get(str(Task.DETECT))
    measures = {n: m.to_json() for n, m in report.measures.items()} if report else {}
    by_id = {line["id"]: line for line in lines}
    pictures = [picture_json(record, by_id.get(record.id)) for record in records]
    return Result(measures, best_cut(pictures), pictures, tuple(_presence(asked, pictures)))


def _presence(records: Sequence[Record], pictures: Sequence[Json]) -> Iterator[Asked]:
    """Yields the names that the task `absent` asks for, with the best scores of an exam."""
    planned = plan(records, [Task.ABSENT], class_names(records))
    for (record, queries), picture in zip(planned, pictures, strict=True):
        there = {thing.label for thing in record.objects}
        scores: dict[str, float] = {}
        for shown in reversed(picture["prediction"]):  # The best comes last and stays.
            scores[shown["label"]] = shown["score"]
        for query in queries:
            yield Asked(query.value, query.value in there, scores.get(query.value, 0.0))


def askable(record: Record) -> Record:
    """Returns a record that can be asked for all the names that are known of it."""
    if record.exhaustive:
        return record
    # Its label space has the names that are marked in it, so that no others are asked for.
    space = "+".join(sorted({thing.label for thing in record.objects}))
    return replace(record, exhaustive=True, label_space=f"marked: {space}")


def picture_json(record: Record, line: Json | None) -> Json:
    """Returns what the page draws of a record and what was predicted of it."""
    groundings = line["answer"]["groundings"] if line else []
    prediction = [
        {"label": grounding["phrase"]["text"], "box": box, "score": round(score, 4)}
        for grounding in groundings
        for box, score in zip(grounding["boxes"], grounding["scores"], strict=True)
    ]
    return {
        "id": record.id,
        "image": record.file.image,
        "width": record.size.width,
        "height": record.size.height,
        "truth": [
            {"label": thing.label, "box": box_to_json(thing.box)}
            for thing in record.objects
            if not thing.crowd
        ],
        "prediction": sorted(prediction, key=lambda shown: -shown["score"]),
    }


def hits(truth: Sequence[Shown], prediction: Sequence[Shown]) -> list[bool]:
    """Returns which predictions, best first, find a thing of their name that was not found yet."""
    free = list(truth)
    right = []
    for shown in prediction:
        same = [thing for thing in free if thing["label"] == shown["label"]]
        overlaps = [_overlap(thing, shown) for thing in same]
        best = max(range(len(same)), key=overlaps.__getitem__, default=None)
        found = best is not None and overlaps[best] >= RIGHT
        if best is not None and found:
            free.remove(same[best])
        right.append(found)
    return right


def _overlap(a: Shown, b: Shown) -> float:
    return float(boxes.iou(*(as_tensor([Box(*shown["box"])])[0] for shown in (a, b))))


def f1(truth: Sequence[Shown], prediction: Sequence[Shown]) -> float:
    """Returns the harmonic mean of precision and recall; 1 if there is nothing and nothing said."""
    right = sum(hits(truth, prediction))
    return 2 * right / (len(truth) + len(prediction)) if truth or prediction else 1.0


def best_cut(pictures: Sequence[Json]) -> float | None:
    """Returns the score from which the boxes of some pictures have the highest F1.

    It lies in the middle between the last score that is kept and the next.
    """
    total = sum(len(picture["truth"]) for picture in pictures)
    judged: list[tuple[float, bool]] = []
    for picture in pictures:
        prediction = picture["prediction"]
        right = hits(picture["truth"], prediction)
        judged += [(shown["score"], r) for shown, r in zip(prediction, right, strict=True)]
    judged.sort(key=lambda item: -item[0])
    if not total or not any(right for _, right in judged):
        return None
    best, found, said, cut = 0.0, 0, 0, 0.5
    steps = [(score, [r for _, r in rows]) for score, rows in groupby(judged, lambda item: item[0])]
    for (score, rights), (following, _) in zip(steps, [*steps[1:], (0.0, [])], strict=True):
        found, said = found + sum(rights), said + len(rights)
        if 2 * found / (total + said) > best:
            best, cut = 2 * found / (total + said), (score + following) / 2
    return cut


def logit(share: float) -> float:
    """Returns the logit of a share, kept away from the ends."""
    share = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))


def write_samples(path: Path, result: Result, step: int, threshold: float, most: int = 12) -> None:
    """Writes the first pictures with the boxes that reach the best cut, as the threshold will."""
    cut = threshold if result.cut is None else result.cut
    shown = [
        picture | {"prediction": [p for p in picture["prediction"] if p["score"] >= cut]}
        for picture in result.pictures[:most]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"step": step, "threshold": cut, "pictures": shown}))
