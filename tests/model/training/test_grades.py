from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.training.config import FineTuneConfig
from model.training.exam import Result
from model.training.grades import UNGRADED, Grades


def result(ap50: float, ap: float = 0.0) -> Result:
    return Result({"AP50": {"value": ap50}, "AP": {"value": ap}}, None, [])


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def grades(tmp_path: Path, logged: list[dict[str, Any]]) -> Grades:
    config = FineTuneConfig(evaluations=4, patience=2)
    return Grades(dict(UNGRADED), config, tmp_path, logged.append)


def test_an_exam_is_due_at_the_beginning_and_at_every_share_of_the_run(grades: Grades) -> None:
    assert grades.none_yet
    assert grades.due(0.0)
    grades.enter(result(0.1), 0, 0.0, 2.5, 0.3)
    assert not grades.none_yet
    assert grades.seconds == 2.5
    assert grades.held_at(0)
    assert not grades.held_at(1)
    assert [share for share in (0.0, 0.24, 0.25, 0.6, 1.0) if grades.due(share)] == [0.25, 0.6, 1.0]


def test_between_equals_boxes_decide_and_the_latest_of_the_same_is_best(grades: Grades) -> None:
    assert grades.is_best(result(0.0))
    grades.enter(result(0.5, 0.2), 1, 0.25, 0.1, 0.3)
    assert not grades.is_best(result(0.5, 0.1))
    assert grades.is_best(result(0.5, 0.2))
    assert grades.is_best(result(0.6, 0.1))


def test_a_run_has_enough_when_patience_is_over_and_a_better_exam_renews_it(grades: Grades) -> None:
    rows = []
    for step, value in enumerate((0.5, 0.4, 0.6, 0.5, 0.5)):
        grades.enter(result(value), step, step / 4, 0.1, 0.3)
        rows.append(grades.enough)
    assert rows == [False, False, False, False, True]


def test_an_exam_is_logged_told_and_has_samples(
    grades: Grades, tmp_path: Path, logged: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    grades.enter(result(0.5), 7, 0.5, 0.1, 0.3)
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["step"], told["best"]) == ("eval", 7, True)
    assert json.loads(Path(told["samples"]).read_text())["threshold"] == 0.3
    assert Path(told["samples"]).is_relative_to(tmp_path)
    assert logged == [{k: v for k, v in told.items() if k != "samples"}]
