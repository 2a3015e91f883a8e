from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from model.metrics.queries import CAPABILITY, Task, plan
from model.records import class_names, read_records
from tests.oracle import write_records


def test_every_task_has_a_capability() -> None:
    assert set(CAPABILITY) == set(Task)


def test_keys_are_unique_and_queries_stay_with_their_record(tmp_path: Path) -> None:
    records = list(read_records(write_records(tmp_path)))
    planned = plan(records, list(Task), class_names(records))
    keys = [query.key for _, queries in planned for query in queries]
    assert len(keys) == len(set(keys))
    assert all(query.record == record.id for record, queries in planned for query in queries)


def test_records_that_are_not_exhaustive_are_not_asked_for_all_or_absent(tmp_path: Path) -> None:
    records = list(read_records(write_records(tmp_path)))
    for record in records:
        object.__setattr__(record, "exhaustive", False)
    asked = plan(records, [Task.DETECT, Task.ABSENT, Task.VQA], class_names(records))
    assert not any(queries for _, queries in asked)


@pytest.mark.shared
def test_as_many_queries_as_the_data_promise(shared: Path) -> None:
    records = list(read_records(shared / "data" / "photos" / "coco-val.jsonl.gz"))
    planned = plan(records, list(Task), class_names(records))
    counts = Counter(query.task for _, queries in planned for query in queries)
    assert counts[Task.REFER] == 1556
    assert counts[Task.REGION] == counts[Task.CLICK] == 2367
    assert counts[Task.SEGMENT] == 233
    assert counts[Task.POSE] == 582
    assert counts[Task.DETECT] == counts[Task.CAPTION] == 246
    assert counts[Task.VQA] == 200
