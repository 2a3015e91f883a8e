from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from model import checkpoint
from model.engine import Engine
from model.records import Record, read_records
from model.training import release
from model.types import Answer, Box, Grounding, Phrase
from tests.model import tiny
from tests.oracle import write_records


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_records(tmp_path)


@pytest.fixture
def records(file: Path) -> list[Record]:
    return list(read_records(file))


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
    assert release.expression_cut(engine, records) == pytest.approx((0.6 + wrong) / 2)


def test_without_expressions_there_is_no_cut(records: list[Record]) -> None:
    engine = cast("Engine", Pointing(records, 0.1))
    assert release.expression_cut(engine, []) is None


def test_absence_is_cut_between_absent_and_present_names() -> None:
    assert release.best_threshold([0.1, 0.2], [0.6, 0.9]) == 0.4
    assert release.best_threshold([0.1, 0.7], [0.6, 0.9]) in (0.35, 0.8)


def test_calibrating_and_measuring_write_into_the_checkpoint(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "tiny"
    checkpoint.save(tiny.build(), tiny.vocabulary(), folder)
    (folder / "README.md").write_text(f"# tiny\n{release.TABLE_START}\n{release.TABLE_END}\nend\n")
    records = list(read_records(file))
    trust, threshold, shift = release.calibrate(folder, records)
    tree = checkpoint.load(folder)[0].tree
    assert (tree.trust, tree.threshold, tree.shift) == (trust, threshold, shift)
    assert trust in release.TRUSTS
    metrics = release.measure(folder, file)
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    card = (folder / "README.md").read_text()
    assert "| detect, trunk alone | AP |" in card
    assert card.endswith("end\n")
    checkpoint.verify(folder)
