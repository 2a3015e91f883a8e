from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from model.errors import ConfigError, RecordError
from model.records import read_records
from model.training.importers import FORMATS, ImportReport, import_dataset
from model.training.importers.dataset import choose_importer
from model.training.importers.source import Source
from model.vocabulary import VOC_NAMES
from tests.model.training.importers import small_sets
from tests.model.training.importers.small_sets import WRITERS, imported, write_json, write_picture

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_is_recognised_by_content_and_read_whole(name: str, tmp_path: Path) -> None:
    report, records = imported(WRITERS[name](tmp_path / "set"), tmp_path / "out")
    assert report.format == name
    assert report.refused == ()
    assert report.usable
    assert not report.needs_consent
    assert len(records) >= 2
    assert report.round_trip_px < 0.1
    for split, count in report.pictures.items():
        read = list(read_records(tmp_path / "out" / f"{split}.jsonl"))
        assert len(read) == count
        assert all(record.read_picture().size == (64, 48) for record in read)


def test_every_format_has_a_test() -> None:
    assert {*FORMATS} - {*WRITERS} == {"sharegpt-pixels", "sharegpt-1000", "sharegpt-unit"}


def test_the_folder_tells_everything_and_nothing_is_left_behind(tmp_path: Path) -> None:
    report, _ = imported(small_sets.coco(tmp_path / "set"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("train.jsonl", "val.jsonl", "pictures", "report.json", "report.txt"),
        "contact_sheet.json",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"set", "out"}
    value = json.loads((tmp_path / "out/report.json").read_text())
    assert ImportReport.from_json(value) == report
    assert value["usable"]
    assert not value["needs_consent"]
    sheet = json.loads((tmp_path / "out/contact_sheet.json").read_text())
    assert {picture["id"] for picture in sheet["pictures"]} == {
        "out-000001", "out-000002", "out-000003"
    }  # fmt: skip
    first = sheet["pictures"][0]
    assert first["boxes"][0] == {
        "label": "cat",
        "crowd": False,
        "box": pytest.approx([0.125, 0.125, 0.4375, 0.375], abs=1e-4),
    }


def test_a_zip_archive_is_the_same_as_its_folder(tmp_path: Path) -> None:
    folder = small_sets.yolo(tmp_path / "set")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "set")
    _, from_folder = imported(folder, tmp_path / "out")
    _, from_zip = imported(Path(archive), tmp_path / "unpacked" / "out")
    for value in (*from_folder, *from_zip):
        value["source"] = Path(value["source"]).name
    assert from_zip == from_folder


def test_a_refused_archive_leaves_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../outside.txt", "x")
    with pytest.raises(RecordError, match="leaves its folder"):
        import_dataset(tmp_path / "bad.zip", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"bad.zip"}


def test_one_annotation_file_may_stand_for_its_folder(tmp_path: Path) -> None:
    folder = small_sets.coco(tmp_path / "set")
    write_json(folder / "other.json", {**small_sets.coco_value(1), "annotations": []})
    report, records = imported(folder / "other.json", tmp_path / "out")
    assert [value["objects"] for value in records] == [[]]
    assert any("2 pictures have no annotations" in note for note in report.notes)


def test_a_bad_row_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = small_sets.coco(tmp_path / "set")
    value = small_sets.coco_value()
    value["annotations"][0]["bbox"] = [70, 6, 20, 12]
    (folder / "images/2.png").write_bytes(b"no picture")
    write_json(folder / "instances.json", value)
    report, records = imported(folder, tmp_path / "out")
    assert report.needs_consent
    assert report.usable
    assert (report.num_refused, report.num_lost) == (2, 1)
    box, picture = report.refused
    assert (box.file, box.row) == ("instances.json", "annotations[0]")
    assert "outside the 64×48 picture" in box.reason
    assert picture.row == "images[2]"
    assert [len(record["objects"]) for record in records] == [1, 1]
    # A picture with a refused object no longer shows every instance of every class.
    assert [record["exhaustive"] for record in records] == [False, True]
    assert "instances.json: annotations[0]: the box" in (tmp_path / "out/report.txt").read_text()


def test_nothing_usable_is_reported_not_trained(tmp_path: Path) -> None:
    folder = small_sets.coco(tmp_path / "set")
    shutil.rmtree(folder / "images")
    report, records = imported(folder, tmp_path / "out")
    assert records == []
    assert not report.usable
    assert report.num_refused == 3


def test_copies_of_a_picture_stay_on_one_side(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for i in range(20):
        write_picture(folder / f"{i}.png", i // 2)
        if i % 2:  # the same pixels in other bytes
            with Image.open(folder / f"{i}.png") as picture:
                picture.save(folder / f"{i}.png", compress_level=0)
    write_json(folder / "instances.json", small_sets.coco_value(20))
    report, records = imported(folder, tmp_path / "out", val_share=0.3)
    assert report.duplicates == 10
    sides = [record["split"] for record in records]
    assert sides[::2] == sides[1::2]
    assert report.pictures == {"train": 14, "val": 6}


def test_held_out_pictures_stay_held_out(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for i in range(6):
        # Picture 5 of val is a copy of picture 0 of train.
        write_picture(folder / ("val" if i > 3 else "train") / f"{i}.png", i % 5)
    value = small_sets.coco_value(6)
    for name, wanted in (("train", range(4)), ("val", range(4, 6))):
        part = {key: [*value[key]] for key in value}
        part["images"] = [image for image in value["images"] if image["id"] in wanted]
        part["annotations"] = [a for a in value["annotations"] if a["image_id"] in wanted]
        write_json(folder / f"{name}.json", part)
    report, records = imported(folder, tmp_path / "out", val_share=0.34)
    assert report.pictures == {"train": 2, "val": 1, "test": 2}
    assert (report.duplicates, report.left_out) == (1, 1)
    assert "train/0.png" not in {record["source"] for record in records}
    assert len([*(tmp_path / "out/pictures").iterdir()]) == 5


def test_an_imported_set_imports_to_itself(tmp_path: Path) -> None:
    _, first = imported(small_sets.coco(tmp_path / "set"), tmp_path / "out", val_share=0.34)
    _, again = imported(tmp_path / "out", tmp_path / "elsewhere" / "out", val_share=0.34)
    for value in (*first, *again):
        del value["source"], value["image"], value["id"], value["split"]

    def text(values: Sequence[small_sets.Json]) -> list[str]:
        return sorted(json.dumps(value) for value in values)

    assert text(first) == text(again)


def test_known_classes_get_their_known_label_space(tmp_path: Path) -> None:
    value = small_sets.coco_value(1)
    value["categories"] = [{"id": i, "name": name} for i, name in enumerate(VOC_NAMES)]
    value["annotations"] = [
        {"image_id": 0, "category_id": i, "bbox": [i, i, 5, 5]} for i in range(len(VOC_NAMES))
    ]
    write_picture(tmp_path / "set" / "0.png")
    write_json(tmp_path / "set" / "instances.json", value)
    _, (known,) = imported(tmp_path / "set", tmp_path / "out")
    assert known["label_space"] == "voc20"
    # A stranger's classes never pass for known ones, whatever their folder is called.
    _, strange = imported(small_sets.coco(tmp_path / "cats"), tmp_path / "coco80")
    assert {record["label_space"] for record in strange} == {"coco80-imported"}


def test_the_same_seed_gives_the_same_folder(tmp_path: Path) -> None:
    folder = small_sets.coco(tmp_path / "set")
    for name in ("one", "two"):
        import_dataset(folder, tmp_path / name / "out", seed=3)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.json*")]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    import_dataset(
        small_sets.coco(tmp_path / "set"),
        tmp_path / "out",
        progress=lambda done, whole: told.append((done, whole)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_cannot_be_is_said_at_once(tmp_path: Path) -> None:
    folder = small_sets.coco(tmp_path / "set")
    with pytest.raises(ConfigError, match="exists already"):
        import_dataset(folder, folder)
    with pytest.raises(ConfigError, match="val_share is 2"):
        import_dataset(folder, tmp_path / "out", val_share=2)
    with pytest.raises(ConfigError, match="format is 'tsv'"):
        import_dataset(folder, tmp_path / "out", format="tsv")
    with pytest.raises(RecordError, match="does not exist"):
        import_dataset(tmp_path / "none", tmp_path / "out")
    write_picture(tmp_path / "pictures" / "1.png")
    with pytest.raises(RecordError, match="No known format"):
        import_dataset(tmp_path / "pictures", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_format_may_be_named(tmp_path: Path) -> None:
    source = Source(small_sets.refcoco(tmp_path / "set"))
    assert choose_importer(source, "auto").name == "refcoco"
    assert choose_importer(source, "coco").name == "coco"


@pytest.mark.shared
def test_blood_cells_come_in_whole(tmp_path: Path) -> None:
    if not SHARED.exists():
        pytest.skip(f"the data sets in {SHARED} are not here")
    report, _ = imported(SHARED / "bccd", tmp_path / "cells")
    assert report.pictures == {"train": 241, "val": 60, "test": 36}
    assert report.counts["boxes"] == 4531
    assert report.num_refused == 0
    assert [item.name for item in report.classes] == [
        "red blood cell", "white blood cell", "platelet"
    ]  # fmt: skip
    assert report.round_trip_px < 0.05
