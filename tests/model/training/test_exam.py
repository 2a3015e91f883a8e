from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.records import LabelledObject, PictureFile, Record
from model.training import exam
from model.training.calibration import calibrated, choose_trust
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


def test_the_threshold_is_moved_to_the_best_cut_for_new_and_for_known_names() -> None:
    found = [shown("dog", A, 0.2), shown("red square", B, 0.8), shown("dog", B, 0.1)]
    pictures = [{"truth": [shown("dog", A), shown("red square", B)], "prediction": found}]
    tree = tiny.tree()
    moved = calibrated(tree, exam.Result({}, None, pictures), ["red square"])
    cut = {"dog": exam.best_cut([{"truth": [shown("dog", A)],
                                  "prediction": [found[0], found[2]]}])}  # fmt: skip
    assert cut["dog"] == pytest.approx(0.15)
    assert moved.shift == pytest.approx(exam.logit(tree.threshold) - exam.logit(0.15), abs=1e-3)
    assert moved.new_shift == pytest.approx(exam.logit(tree.threshold) - exam.logit(0.4), abs=1e-3)
    assert moved.taught == ("red square",)


def test_trust_is_chosen_by_what_it_is_worth(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(engine: Any, _: object) -> exam.Result:
        return exam.Result({"AP50": {"value": 1 - abs(engine.trust - 0.5)}}, None, [])

    monkeypatch.setattr(exam, "hold_with", hold)
    trust, result = choose_trust(tiny.engine(), records)
    assert trust == 0.5
    assert result.value == 1
    tiny.engine().trust = tiny.tree().trust
