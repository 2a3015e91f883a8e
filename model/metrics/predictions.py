"""Prediction files, read leniently: whatever is broken is dropped and counted, never raised."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.errors import RecordError, RegionError
from model.metrics.queries import Task
from model.records import Json, open_text
from model.types import Answer, Box, Finish, Grounding, Phrase, WordBox

Key = tuple[Task, str, int]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of a file.

    Attributes:
        key: task, record and index.
        query: as written in the file.
        present: whether the model said that the thing is there.
        answer: without masks and key points.
        masks: run lengths, as written; unpacked only when scored, as they are large.
        poses: 17 × (x, y, v) in [0, 1], each with its score.
    """

    key: Key
    query: Any
    present: bool
    answer: Answer
    masks: tuple[Json, ...] = ()
    poses: tuple[tuple[float, tuple[tuple[float, float, float], ...]], ...] = ()


@dataclass(slots=True)
class Predictions:
    """All answers of one or several files, and what was wrong with the files."""

    by_key: dict[Key, Prediction] = field(default_factory=dict)
    malformed: int = 0
    duplicates: Counter[Task] = field(default_factory=Counter)
    invalid_boxes: Counter[Task] = field(default_factory=Counter)

    @property
    def tasks(self) -> list[Task]:
        """The tasks that occur, in their usual order."""
        seen = {task for task, _, _ in self.by_key}
        return [task for task in Task if task in seen]


def read_predictions(path: str | Path) -> Predictions:
    """Returns what a JSONL file, or every JSONL file of a folder, holds.

    Raises:
        RecordError: there is no such file, or a folder has none.
    """
    path = Path(path)
    files = sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]
    if not files:
        raise RecordError(f"{path} has no .jsonl file; give a prediction file or a folder of some.")
    return collect(line for file in files for line in _lines(file))


def _lines(path: Path) -> Iterator[str]:
    try:
        with open_text(path, errors="replace") as lines:
            yield from lines
    except (OSError, EOFError) as error:
        raise RecordError(f"{path} could not be read: {error}") from error


def collect(lines: Iterable[str | Json]) -> Predictions:
    """Returns the predictions of JSON lines, or of the objects that they hold."""
    found = Predictions()
    for line in lines:
        if isinstance(line, str) and not line.strip():
            continue
        try:
            value = json.loads(line) if isinstance(line, str) else line
            _add(value, found)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            found.malformed += 1
    return found


def _add(value: Json, found: Predictions) -> None:
    task, index = Task(value["task"]), value["index"]
    if not isinstance(index, int) or not isinstance(value["id"], str):
        raise TypeError("id is a text, index a whole number")
    key = (task, value["id"], index)
    prediction, invalid = _prediction(key, value)
    if key in found.by_key:
        found.duplicates[task] += 1
        return
    found.by_key[key] = prediction
    found.invalid_boxes[task] += invalid


def _prediction(key: Key, value: Json) -> tuple[Prediction, int]:
    answer = value["answer"]
    raw = list(answer["groundings"])
    read = [_grounding(grounding) for grounding in raw]
    words, bad_words = _words(answer.get("words", ()))
    masks, poses, bad = _masks_and_poses(raw)
    whole = Answer(str(answer["text"]), tuple(g for g, _ in read), words, Finish(answer["finish"]))
    prediction = Prediction(key, value["query"], bool(value["present"]), whole, masks, poses)
    return prediction, sum(n for _, n in read) + bad_words + bad


def _grounding(value: Json) -> tuple[Grounding, int]:
    """Returns a grounding, best first, and how many of its boxes were dropped."""
    phrase = Phrase(
        str(value["phrase"]["text"]), value["phrase"].get("start"), value["phrase"].get("end")
    )
    boxes, scores = list(value["boxes"]), list(value["scores"])
    kept: list[tuple[float, Box]] = []
    for box, score in zip(boxes, scores, strict=False):
        try:
            if math.isfinite(float(score)):
                kept.append((float(score), Box.parse(box)))
        except (RegionError, TypeError, ValueError):
            continue
    kept.sort(key=lambda pair: -pair[0])
    grounding = Grounding(phrase, tuple(box for _, box in kept), tuple(score for score, _ in kept))
    return grounding, max(len(boxes), len(scores)) - len(kept)


def _words(values: Iterable[Json]) -> tuple[tuple[WordBox, ...], int]:
    kept, bad = [], 0
    for value in values:
        try:
            phrase = Phrase(str(value["text"]), int(value["start"]), int(value["end"]))
            kept.append(WordBox(phrase, Box.parse(value["box"])))
        except (RegionError, KeyError, TypeError, ValueError):
            bad += 1
    return tuple(kept), bad


def _masks_and_poses(groundings: Iterable[Json]) -> tuple[tuple[Json, ...], Any, int]:
    masks, poses, bad = [], [], 0
    for grounding in groundings:
        masks += [mask for mask in grounding.get("masks", ()) if isinstance(mask, dict)]
        for pose, score in zip(grounding.get("keypoints", ()), grounding["scores"], strict=False):
            try:
                joints = tuple((float(x), float(y), float(v)) for x, y, v in pose)
                numbers = [float(score), *(number for joint in joints for number in joint)]
                if len(joints) != 17 or not all(map(math.isfinite, numbers)):
                    raise ValueError("17 finite joints")
                poses.append((float(score), joints))
            except (TypeError, ValueError):
                bad += 1
    return tuple(masks), tuple(poses), bad
