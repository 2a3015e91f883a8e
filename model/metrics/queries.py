"""What is asked of every record, task by task: the same list for predicting and for scoring."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from model.backends.base import INSTRUCTIONS
from model.metrics import vqa
from model.records import Json, Record
from model.types import Capability

MAX_NAMES = 4
"""Most present and most absent names asked for in one picture by the task `absent`."""


class Task(StrEnum):
    """What a prediction file measures."""

    DETECT = "detect"
    REFER = "refer"
    GROUND = "ground"
    REGION = "region"
    CLICK = "click"
    CAPTION = "caption"
    ABSENT = "absent"
    SEGMENT = "segment"
    POSE = "pose"
    VQA = "vqa"


CAPABILITY: dict[Task, Capability] = {
    Task.DETECT: Capability.DETECT,
    Task.REFER: Capability.REFER,
    Task.GROUND: Capability.GROUND,
    Task.REGION: Capability.REGION,
    Task.CLICK: Capability.CLICK,
    Task.CAPTION: Capability.CAPTION,
    Task.ABSENT: Capability.DETECT,
    Task.SEGMENT: Capability.SEGMENT,
    Task.POSE: Capability.POSE,
    Task.VQA: Capability.CHAT,
}
"""What a model must be able to do for a task."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the model.

    Attributes:
        record: the record's id.
        task: what is measured.
        index: of the ref, caption, object, name or question within the record; else 0.
        value: what is asked, as JSON; its form depends on the task.
    """

    record: str
    task: Task
    index: int
    value: Any

    @property
    def key(self) -> tuple[Task, str, int]:
        """What tells this query from all others of a file."""
        return self.task, self.record, self.index


def plan(
    records: Sequence[Record],
    tasks: Sequence[Task],
    names: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> list[tuple[Record, list[Query]]]:
    """Returns every query of every record, record by record, so that each is encoded once.

    Args:
        records: the file.
        tasks: what to ask.
        names: class names of each label space, see `records.class_names`.
        seed: draws click places and the names of `absent`; each record draws by itself, so a
            shorter file has the same queries.
    """
    drawn = vqa.draw(records) if Task.VQA in tasks else []
    questions: dict[str, list[Query]] = {}
    for q in drawn:
        value = {"question": q.text, "kind": q.kind}
        questions.setdefault(q.record, []).append(Query(q.record, Task.VQA, q.index, value))
    planned = []
    for record in records:
        queries: list[Query] = []
        for task in tasks:
            if task is Task.VQA:
                queries += questions.get(record.id, ())
            else:
                queries += _queries(record, task, names[record.label_space], seed)
        planned.append((record, queries))
    return planned


def _queries(record: Record, task: Task, names: Sequence[str], seed: int) -> Iterator[Query]:
    chance = random.Random(f"{seed}:{task}:{record.id}")
    for index, value in _ASK[task](record, names, chance):
        yield Query(record.id, task, index, value)


_Asked = Iterator[tuple[int, str | list[str] | Json]]


def _detect(record: Record, names: Sequence[str], _: random.Random) -> _Asked:
    if record.exhaustive and names:
        yield 0, list(names)


def _refer(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    yield from ((index, ref.text) for index, ref in enumerate(record.refs))


def _ground(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    for index, caption in enumerate(record.captions):
        spans = [[g.start, g.end] for g in record.grounded if g.caption == index]
        if spans:
            yield index, {"caption": caption, "spans": spans}


def _region(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    for index, thing in enumerate(record.objects):
        if not thing.crowd:
            yield index, {"box": list(thing.box.as_tuple())}


def _click(record: Record, _: Sequence[str], chance: random.Random) -> _Asked:
    for index, thing in enumerate(record.objects):
        if not thing.crowd:
            (x, y), box = thing.box.centre, thing.box
            x += (chance.random() - 0.5) / 2 * (box.x1 - box.x0)
            y += (chance.random() - 0.5) / 2 * (box.y1 - box.y0)
            yield index, {"point": [x, y]}


def _caption(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    if record.captions:
        yield 0, INSTRUCTIONS[Capability.CAPTION]


def _absent(record: Record, names: Sequence[str], chance: random.Random) -> _Asked:
    if not record.exhaustive:
        return
    labels = {thing.label for thing in record.objects}
    present = [name for name in names if name in labels]
    absent = [name for name in names if name not in labels]
    drawn = [chance.sample(some, min(MAX_NAMES, len(some))) for some in (present, absent)]
    yield from enumerate(drawn[0] + drawn[1])


def _segment(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    for index, thing in enumerate(record.objects):
        if thing.polygons:
            yield index, {"box": list(thing.box.as_tuple())}


def _pose(record: Record, _: Sequence[str], __: random.Random) -> _Asked:
    for index, thing in enumerate(record.objects):
        if thing.keypoints:
            yield index, {"box": list(thing.box.as_tuple())}


_ASK: dict[Task, Callable[[Record, Sequence[str], random.Random], _Asked]] = {
    Task.DETECT: _detect,
    Task.REFER: _refer,
    Task.GROUND: _ground,
    Task.REGION: _region,
    Task.CLICK: _click,
    Task.CAPTION: _caption,
    Task.ABSENT: _absent,
    Task.SEGMENT: _segment,
    Task.POSE: _pose,
}
