from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.training.importers.small_sets import VOC_XML, imported, voc


def test_official_corners_count_from_one_and_include_the_last_pixel(tmp_path: Path) -> None:
    _, records = imported(voc(tmp_path / "set"), tmp_path / "out")
    assert [thing["bbox"] for thing in records[0]["objects"]] == [[8, 6, 20, 12], [30, 20, 10, 16]]


def test_a_corner_at_zero_means_that_all_count_from_zero(tmp_path: Path) -> None:
    folder = voc(tmp_path / "set")
    text = VOC_XML.format(2).replace("<xmin>9<", "<xmin>0<")
    (folder / "Annotations/2.xml").write_text(text)
    _, records = imported(folder, tmp_path / "out")
    assert records[0]["objects"][0]["bbox"] == [9, 7, 19, 11]
    assert records[2]["objects"][0]["bbox"] == [0, 7, 28, 11]


def test_image_sets_tell_the_split(tmp_path: Path) -> None:
    folder = voc(tmp_path / "set")
    sets = folder / "ImageSets/Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("0\n1\n")
    (sets / "val.txt").write_text("2\n")
    _, records = imported(folder, tmp_path / "out")
    assert records[2]["split"] == "test"
    assert {record["split"] for record in records[:2]} == {"train", "val"}


def test_a_picture_is_found_by_the_name_of_its_xml_too(tmp_path: Path) -> None:
    folder = voc(tmp_path / "set")
    xml = VOC_XML.format(0).replace("0.png", "renamed.jpg")
    (folder / "Annotations/0.xml").write_text(xml)
    report, _ = imported(folder, tmp_path / "out")
    assert report.refused == ()


ENTITY_BOMB = (
    '<!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    "<annotation><filename>&c;</filename></annotation>"
)
OUTSIDE = (
    '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    "<annotation><filename>&a;</filename></annotation>"
)


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        (ENTITY_BOMB, "the whole file", "DTDForbidden"),
        (OUTSIDE, "the whole file", "DTDForbidden"),
        ("<annotation><object>", "the whole file", "cannot be understood"),
        (VOC_XML.format(0).replace("<xmax>28<", "<xmax>2<"), "object 1", "x0 < x1"),
        (VOC_XML.format(0).replace("<xmax>28</xmax>", ""), "object 1", "<xmax> is missing"),
        (VOC_XML.format(0).replace("<xmax>28<", "<xmax>nan<"), "object 1", "no finite number"),
        (VOC_XML.format(0).replace("<name>cat</name>", ""), "object 1", "is no text"),
        (VOC_XML.format(0).replace(">64<", ">65<"), "the whole file", "drawn on 65×48"),
    ],
)
def test_a_bad_file_or_object_is_refused(text: str, row: str, reason: str, tmp_path: Path) -> None:
    folder = voc(tmp_path / "set")
    (folder / "Annotations/0.xml").write_text(text)
    report, records = imported(folder, tmp_path / "out")
    (refused,) = report.refused
    assert (refused.file, refused.row) == ("Annotations/0.xml", row)
    assert reason in refused.reason
    assert len(records) == (3 if row == "object 1" else 2)
