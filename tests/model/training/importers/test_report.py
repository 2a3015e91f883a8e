from __future__ import annotations

from dataclasses import replace

import pytest

from model.training.importers import ImportReport
from model.training.importers.draft import Refusal
from model.training.importers.report import class_counts, contents

REPORT = ImportReport(
    name="cells",
    format="coco",
    pictures={"train": 8, "val": 2},
    counts={"boxes": 20, "poses": 0},
    classes=tuple(class_counts([({"red": 2, "white": 1}, "train"), ({"red": 1}, "val")])),
    num_classes=2,
    duplicates=3,
    left_out=1,
    refused=(Refusal("a.json", "item 3", "no box."),),
    num_refused=7,
    num_lost=2,
    notes=("Something was cut.",),
    round_trip_px=0.0042,
)


def test_people_read_counts_classes_and_every_refusal() -> None:
    text = REPORT.to_text()
    for words in (
        "pictures: 10 (8 train, 2 val)",
        "in them:  20 boxes",
        "       3  red  (in 2 pictures; 2 train, 1 val)",
        "3 pictures have the same pixels as another one",
        "within 0.004 px",
        "note: Something was cut.",
        "refused:  7 rows, and 2 objects in refused pictures",
        "  a.json: item 3: no box.",
        "  ... and 6 more",
    ):
        assert words in text
    assert "poses" not in text


def test_one_of_a_kind_is_told_as_one() -> None:
    report = replace(
        REPORT, counts={"boxes": 1, "poses": 1, "crowds": 2}, duplicates=1, num_refused=1,
        num_lost=1, classes=class_counts([({"red": 1}, "train")]),
    )  # fmt: skip
    text = report.to_text()
    assert "in them:  1 box, 1 pose, 2 crowds\n" in text
    assert "(in 1 picture; 1 train)" in text
    assert "1 picture has the same pixels as another one" in text
    assert "1 is left out because" in text
    assert "refused:  1 row, and 1 object in refused pictures\n" in text


def test_all_that_a_record_holds_can_be_told() -> None:
    counts = contents({"objects": [], "captions": [], "grounded": [], "refs": []})
    text = replace(REPORT, counts=dict.fromkeys(counts, 1)).to_text()
    assert "1 box, 1 crowd, 1 outlined object, 1 pose, 1 caption, 1 grounded phrase" in text
    assert "1 expression, 1 turn\n" in text


def test_refused_rows_need_consent() -> None:
    assert REPORT.needs_consent
    assert not replace(REPORT, num_refused=0).needs_consent


@pytest.mark.parametrize(
    ("change", "usable"),
    [({}, True), ({"pictures": {"val": 3}}, False), ({"round_trip_px": 1.01}, False)],
)
def test_without_pictures_or_with_shifted_boxes_nothing_is_trained(
    change: dict[str, object], usable: bool
) -> None:
    assert replace(REPORT, **change).usable == usable  # type: ignore[arg-type]


def test_json_and_back() -> None:
    assert ImportReport.from_json(REPORT.to_json()) == REPORT


def test_contents_count_crowds_apart() -> None:
    objects = [{"crowd": 0, "poly": [], "keypoints": []}, {"crowd": 1}]
    counts = contents({"objects": objects, "captions": ["a"], "grounded": [], "refs": [1, 2]})
    assert (counts["boxes"], counts["crowds"], counts["poses"]) == (1, 1, 1)
    assert (counts["captions"], counts["expressions"]) == (1, 2)
