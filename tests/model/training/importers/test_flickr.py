from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.training.importers.small_sets import flickr, imported


def test_phrases_are_tied_to_boxes_and_marks_are_gone(tmp_path: Path) -> None:
    _, (record, _) = imported(flickr(tmp_path / "set"), tmp_path / "out")
    assert record["captions"] == ["A young man with hair in a park .", "A man waits ."]
    assert [(g["caption"], g["phrase"], g["label"]) for g in record["grounded"]] == [
        (0, "A young man", "people"),
        (0, "hair", "bodyparts"),
        (1, "A man", "people"),
    ]
    # All of them mean the one box that was drawn; it is called by the shortest name.
    assert [(thing["label"], thing["bbox"]) for thing in record["objects"]] == [
        ("man", [8, 6, 20, 12])
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "row", "reason"),
    [
        ("Annotations/100.xml", "<xmin>8<", "<xmin>80<", "object 1", "x0 < x1"),
        ("Annotations/100.xml", "</annotation>", "", "the whole file", "cannot be"),
        ("Sentences/100.txt", "waits", "w" * 3000, "line 2", "characters"),
    ],
)
def test_a_bad_place_is_refused(
    file: str, old: str, new: str, row: str, reason: str, tmp_path: Path
) -> None:
    folder = flickr(tmp_path / "set")
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace(old, new))
    report, records = imported(folder, tmp_path / "out")
    assert (report.refused[0].row, reason in report.refused[0].reason) == (row, True)
    assert records[-1]["grounded"]


def test_sentences_without_boxes_are_refused(tmp_path: Path) -> None:
    folder = flickr(tmp_path / "set")
    (folder / "Annotations/100.xml").unlink()
    report, records = imported(folder, tmp_path / "out")
    assert "100.xml" in report.refused[0].reason
    assert len(records) == 1
