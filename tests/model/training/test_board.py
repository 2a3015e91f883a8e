"""The board of before and after, of two models that only say what they are told to."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.training import board, exam
from model.training.exam import Result
from tests.model.training import park
from tests.model.training.test_exam import A, B, shown

COUNT = 14
OPEN: list[str] = []


def picture(number: int, score: float) -> dict[str, Any]:
    """Returns a picture in which everything is found from a score; a wrong box never is."""
    truth = [shown("cat", A), shown("dog", B)]
    said = [shown("cat", A, score), shown("dog", B, score), shown("cow", A, 0.2)]
    sizes = {"width": 40, "height": 30}
    return {"id": str(number), "image": "a.png", **sizes, "truth": truth, "prediction": said}


class Model:
    """What was before finds all but the last two pictures; what came after only the even ones."""

    def __init__(self, name: str) -> None:
        assert not OPEN, "the other one is let go first"
        OPEN.append(name)
        self.card = SimpleNamespace(name=name, threshold=0.5, capabilities=frozenset())

    def close(self) -> None:
        OPEN.remove(self.card.name)


def examined(model: Any, records: Any, watch: Any) -> Result:
    found = range(COUNT - 2) if model.card.name == "old" else range(0, COUNT, 2)
    measure = {"value": len(found) / COUNT, "low": 0.1, "high": 0.9, "count": COUNT}
    pictures = [picture(n, 0.9 if n in found else 0.4) for n in range(len(records))]
    lines = [{"id": item["id"]} for item in pictures]
    assert list(watch(iter(lines))) == lines
    return Result({"AP": measure, "AP50": measure}, None, pictures)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[Any]]:
    monkeypatch.setattr(board, "open_backend", Model)
    monkeypatch.setattr(exam, "hold_with", examined)
    told: list[tuple[int, int]] = []
    records = [park.record()] * COUNT
    whole = board.compare(
        "old", "new", records, records[:4], tmp_path, {"data": "x"}, lambda *n: told.append(n)
    )
    assert json.loads((tmp_path / "board.json").read_text()) == whole
    assert not OPEN
    return whole, told


def test_the_worst_regressions_come_first_and_only_a_dozen(made: Any) -> None:
    shown_pictures = made[0]["pictures"]
    assert len(shown_pictures) == board.SHOWN
    changes = [item["change"] for item in shown_pictures]
    assert changes == sorted(changes)
    assert [item["id"] for item in shown_pictures[:6]] == ["1", "3", "5", "7", "9", "11"]
    assert {item["change"] for item in shown_pictures[:6]} == {-1.0}
    assert changes[-1] == 0.0, "the one that got better is left out"


def test_only_boxes_that_the_page_would_show_are_compared(made: Any) -> None:
    first = made[0]["pictures"][0]
    assert [box["label"] for box in first["before"]] == ["cat", "dog"]
    assert first["after"] == []
    assert (first["before_f1"], first["after_f1"]) == (1.0, 0.0)


def test_what_was_taught_and_general_skill_stand_side_by_side_with_intervals(made: Any) -> None:
    whole, told = made
    assert (whole["before"], whole["after"], whole["records"]) == ("old", "new", COUNT)
    for rows in (whole["measures"], whole["general"]):
        assert [row["name"] for row in rows] == ["AP", "AP50"]
        assert rows[0]["before"]["value"] == pytest.approx(12 / 14)
        assert rows[0]["after"]["value"] == 0.5
        assert {"low", "high", "count"} < rows[0]["after"].keys()
    assert told[-1][0] == told[-1][1]
