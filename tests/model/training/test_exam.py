from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.records import LabelledObject, PictureFile, Record
from model.training import exam
from model.types import Size
from tests.model import tiny

A, B = [0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]


def shown(label: str, box: list[float], score: float | None = None) -> dict[str, Any]:
    return {"label": label, "box": box} | ({} if score is None else {"score": score})


def test_a_thing_is_found_once_and_by_its_name() -> None:
    truth = [shown("cat", A), shown("dog", B)]
    said = [shown("cat", A, 0.9), shown("cat", A, 0.8), shown("cat", B, 0.7), shown("dog", B, 0.6)]
    assert exam.hits(truth, said) == [True, False, False, True]
    assert exam.f1(truth, said) == pytest.approx(4 / 6)
    assert exam.f1([], []) == 1
    assert exam.f1([], said) == exam.f1(truth, []) == 0


def test_the_best_cut_lies_between_right_and_wrong() -> None:
    right = [shown("cat", A, 0.9), shown("dog", B, 0.6), shown("dog", A, 0.4)]
    pictures = [{"truth": [shown("cat", A), shown("dog", B)], "prediction": right}]
    assert exam.best_cut(pictures) == pytest.approx(0.5)
    assert exam.best_cut([{"truth": [], "prediction": right}]) is None
    assert exam.best_cut([{"truth": [shown("cow", A)], "prediction": right}]) is None


def record(exhaustive: bool) -> Record:
    things = (LabelledObject("red square", tiny.LEFT), LabelledObject("dog", tiny.RIGHT))
    return Record("a", Size(96, 64), PictureFile(Path(), None, "a.png"), things,
                  label_space="mine", exhaustive=exhaustive)  # fmt: skip


def test_only_marked_names_are_asked_where_not_all_is_marked() -> None:
    assert exam.askable(record(exhaustive=True)).label_space == "mine"
    asked = exam.askable(record(exhaustive=False))
    assert asked.exhaustive
    assert asked.label_space == "marked: dog+red square"


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    tiny.picture().save(tmp_path / "a.png")
    file = PictureFile(tmp_path, None, "a.png")
    things = (LabelledObject("red square", tiny.LEFT), LabelledObject("dog", tiny.RIGHT))
    return [Record("a", Size(96, 64), file, things, label_space="mine", exhaustive=True)]


def test_an_exam_of_a_tiny_model(records: list[Record], tmp_path: Path) -> None:
    result = exam.hold(tiny.build(), tiny.vocabulary(), records)
    assert {"AP", "AP50"} <= result.measures.keys()
    assert result.value == result.measures["AP50"]["value"]
    (picture,) = result.pictures
    assert len(picture["truth"]) == 2
    assert {p["label"] for p in picture["prediction"]} <= {"red square", "dog"}
    scores = [p["score"] for p in picture["prediction"]]
    assert scores == sorted(scores, reverse=True)
    assert scores
    exam.write_samples(tmp_path / "s" / "1.json", result, 1, threshold=1.0)
    written = json.loads((tmp_path / "s" / "1.json").read_text())
    assert all(p["score"] >= written["threshold"] for p in written["pictures"][0]["prediction"])
    assert exam.hold(tiny.build(), tiny.vocabulary(), []).value == -1


def test_between_equals_the_better_fit_ranks_higher() -> None:
    def result(ap50: float, ap: float) -> exam.Result:
        return exam.Result({"AP50": {"value": ap50}, "AP": {"value": ap}}, None, [])

    nothing = exam.Result({"AP50": {"value": None}}, None, [])
    ranks = [r.rank for r in (nothing, result(0.5, 0.4), result(1.0, 0.2), result(1.0, 0.3))]
    assert ranks == sorted(ranks)


def test_an_exam_knows_which_names_were_there(records: list[Record]) -> None:
    (whole,) = records
    crowd = replace(whole.objects[1], crowd=True)
    other = replace(whole, id="b", objects=(replace(whole.objects[0], label="cat"), crowd))
    result = exam.hold(tiny.build(), tiny.vocabulary(), [whole, other])
    there = [(asked.name, asked.present) for asked in result.presence]
    assert sorted(there[:3]) == [("cat", False), ("dog", True), ("red square", True)]
    assert sorted(there[3:]) == [("cat", True), ("dog", True), ("red square", False)]
    best = {shown["label"]: shown["score"] for shown in reversed(result.pictures[0]["prediction"])}
    assert all(asked.score == best.get(asked.name, 0.0) for asked in result.presence[:3])
    hidden = [replace(record, exhaustive=False) for record in (whole, other)]
    asked = exam.hold(tiny.build(), tiny.vocabulary(), hidden).presence
    assert all(name.present for name in asked), "what is not marked may be there all the same"
