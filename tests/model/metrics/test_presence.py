from __future__ import annotations

from pathlib import Path

import pytest

from model.metrics.items import Item
from model.metrics.predictions import Prediction
from model.metrics.presence import absences
from model.metrics.queries import Query, Task
from model.records import LabelledObject, PictureFile, Record
from model.types import Answer, Box, Size


def _items(*answers: tuple[str, bool | None]) -> list[Item]:
    dog = LabelledObject("dog", Box(0, 0, 1, 1))
    record = Record("a", Size(9, 9), PictureFile(Path(), None, "a.png"), (dog,))
    items = []
    for index, (name, present) in enumerate(answers):
        query = Query("a", Task.ABSENT, index, name)
        prediction = Prediction(query.key, name, bool(present), Answer(""))
        items.append(Item(record, query, None if present is None else prediction))
    return items


def test_absent_is_the_positive_class() -> None:
    # Two rightly called absent, one wrongly (the dog), one absent thing missed.
    found = absences(_items(("cat", False), ("cow", False), ("dog", False), ("bus", True)))
    assert found["precision"].value == pytest.approx(2 / 3)
    assert found["recall"].value == pytest.approx(2 / 3)
    assert found["f1"].value == pytest.approx(2 / 3)
    assert found["accuracy"].value == pytest.approx(2 / 4)


@pytest.mark.parametrize("name", ["dog", "cat"])
def test_a_missing_answer_is_the_wrong_one(name: str) -> None:
    assert absences(_items((name, None)))["accuracy"].value == 0
