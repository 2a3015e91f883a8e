from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from model import checkpoint
from model.engine import Engine
from model.records import Record, read_records
from model.training import calibration, exam
from model.training.calibration import calibrated, choose_trust, presence_cut
from model.training.exam import Asked, Result, logit
from model.types import Answer, Box, Grounding, Phrase
from tests.model import tiny
from tests.model.training.test_exam import A, B, shown
from tests.oracle import write_records


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return list(read_records(write_records(tmp_path)))


class Pointing:
    """Gives the box that an expression means 0.6, and a wrong one less."""

    def __init__(self, records: list[Record], wrong: float) -> None:
        self.meant = {r.text: rec.objects[r.object].box for rec in records for r in rec.refs}
        self.wrong = wrong

    def encode(self, picture: object) -> object:
        return picture

    def answer(self, _: object, text: str, **options: Any) -> Answer:
        boxes = (self.meant[text], Box(0.0, 0.0, 0.01, 0.01))
        kept = tuple(b for b, s in zip(boxes, (0.6, self.wrong), strict=True))
        return Answer(text, (Grounding(Phrase(text, 0, len(text)), kept, (0.6, self.wrong)),))


@pytest.mark.parametrize("wrong", [0.1, 0.5])
def test_expressions_are_cut_between_right_and_wrong_boxes(
    records: list[Record], wrong: float
) -> None:
    engine = cast("Engine", Pointing(records, wrong))
    assert calibration.expression_cut(engine, records) == pytest.approx((0.6 + wrong) / 2)


def test_without_expressions_there_is_no_cut(records: list[Record]) -> None:
    engine = cast("Engine", Pointing(records, 0.1))
    assert calibration.expression_cut(engine, []) is None


def test_absence_is_cut_between_absent_and_present_names() -> None:
    assert presence_cut([0.1, 0.2], [0.6, 0.9]) == 0.4
    assert presence_cut([0.1, 0.7], [0.6, 0.9]) in (0.35, 0.8)
    assert presence_cut([], [0.6]) is presence_cut([0.1], []) is None


FOUND = [shown("red square", B, 0.8), shown("dog", A, 0.2), shown("dog", B, 0.1)]
PICTURES = [{"truth": [shown("dog", A), shown("red square", B)], "prediction": FOUND}]


def drawn(cut: float, count: int) -> float:
    """Returns the logit of a cut that so many boxes of new names want, drawn to the usual one."""
    usual = calibration.USUAL_BOXES
    return (count * logit(cut) + usual * logit(calibration.USUAL_CUT)) / (count + usual)


def test_few_boxes_of_new_names_hardly_move_the_usual_cut_and_many_do() -> None:
    tree, found = replace(tiny.tree(), new_shift=0.7), [shown("dog", A, 0.9), shown("dog", B, 0.7)]
    one = {"truth": [shown("dog", A)], "prediction": found}
    for count, low, high in ((1, 0.25, 0.4), (1000, 0.65, 0.67)):
        moved = calibrated(tree, Result({}, None, [one] * count), ["dog"])
        cut = logit(tree.threshold) - moved.new_shift
        assert logit(low) < cut < logit(high), "a cut of 0.8, which the earlier shift had raised"


def test_the_threshold_fits_the_boxes_of_new_and_of_known_names() -> None:
    tree = tiny.tree()
    moved = calibrated(tree, Result({}, None, PICTURES), ["red square"])
    assert moved.threshold == tree.threshold
    assert moved.shift == pytest.approx(logit(tree.threshold) - logit(0.15), abs=1e-3)
    assert moved.new_shift == pytest.approx(logit(tree.threshold) - drawn(0.4, 1), abs=1e-3)
    assert moved.taught == ("red square",)
    again = calibrated(replace(moved, shift=0.0, new_shift=0.0), Result({}, None, PICTURES), ())
    assert again == moved, "what was taught before is none of the trunk's classes either"


def test_the_threshold_lies_half_way_between_boxes_and_absence() -> None:
    tree = tiny.tree()
    asked = (Asked("dog", True, 0.2), Asked("dog", False, 0.02), Asked("red square", True, 0.8))
    moved = calibrated(tree, Result({}, None, PICTURES, asked), ["red square"])
    middle = (logit(0.15) + logit(0.11)) / 2
    assert moved.shift == pytest.approx(logit(tree.threshold) - middle, abs=1e-3)
    assert moved.new_shift == pytest.approx(logit(tree.threshold) - drawn(0.4, 1), abs=1e-3)


def test_what_was_never_found_is_not_moved() -> None:
    tree = replace(tiny.tree(), shift=0.5, new_shift=-0.5)
    lost = [{"truth": [shown("dog", A)], "prediction": [shown("dog", B, 0.9)]}]
    asked = (Asked("dog", True, 0.9), Asked("dog", False, 0.1))
    moved = calibrated(tree, Result({}, None, lost, asked), ["cow"])
    assert (moved.shift, moved.new_shift) == (0.5, -0.5)


def test_trust_is_chosen_by_what_it_is_worth(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def hold(engine: Any, *_: object) -> Result:
        tried.append(engine.trust)
        return Result({"AP50": {"value": 1 - abs(engine.trust - 0.5)}}, None, [])

    monkeypatch.setattr(exam, "hold_with", hold)
    engine = tiny.engine()
    own, engine.trust = engine.trust, 0.75
    trust, result = choose_trust(engine, records)
    assert trust == 0.5
    assert result.value == 1
    assert sorted(tried) == sorted({0.75, *calibration.TRUSTS})
    engine.trust = own


def test_what_is_chosen_is_written_into_the_checkpoint(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiny"
    checkpoint.save(tiny.build(), tiny.vocabulary(), folder)
    tree = calibration.calibrate(folder, records)
    assert checkpoint.load(folder)[0].tree == tree
    assert tree.trust in calibration.TRUSTS
    before = tree.shift
    monkeypatch.setattr(calibration, "choose_trust", lambda *_: (0.25, Result({}, None, PICTURES)))
    monkeypatch.setattr(calibration, "expression_cut", lambda *_: 0.3)
    calibration.calibrate(folder, records)
    tree = checkpoint.load(folder)[0].tree
    middle = exam.best_cut(PICTURES) or 0.0
    assert (tree.trust, tree.threshold) == (0.25, 0.3)
    assert tree.shift == pytest.approx(before + logit(0.3) - logit(middle), abs=1e-3)
    checkpoint.verify(folder)
