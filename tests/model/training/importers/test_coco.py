from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.records import record_from_json
from model.training.importers.draft import Json
from model.turns import mask_to_rle
from model.types import Mask
from tests.model.training.importers.small_sets import (
    HEIGHT,
    WIDTH,
    coco,
    coco_value,
    imported,
    write_json,
    write_picture,
)


def _import_one(value: Json, tmp_path: Path) -> tuple[list[str], list[Json]]:
    """Returns the reasons of refused rows and the records."""
    folder = coco(tmp_path / "set")
    write_json(folder / "instances.json", value)
    report, records = imported(folder, tmp_path / "out")
    return [f"{row.row}: {row.reason}" for row in report.refused], records


def test_polygons_and_both_kinds_of_run_lengths_give_the_same_mask(tmp_path: Path) -> None:
    disc = np.fromfunction(lambda y, x: (y - 20) ** 2 + (x - 30) ** 2 < 90, (HEIGHT, WIDTH))
    packed: Json = coco_mask.encode(np.asfortranarray(disc.astype(np.uint8)))  # type: ignore[assignment]
    runs = mask_to_rle(Mask(disc))["counts"]
    square = [10, 10, 20, 10, 20, 20, 10, 20]
    value = coco_value(1)
    value["annotations"] = [
        {"image_id": 0, "category_id": 1, "bbox": [20, 10, 20, 20], "segmentation": segmentation}
        for segmentation in (
            {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()},
            {"size": [HEIGHT, WIDTH], "counts": runs},
        )
    ]
    value["annotations"].append({"image_id": 0, "category_id": 7, "segmentation": [square]})
    for number, annotation in enumerate(value["annotations"]):
        annotation["id"] = number
        annotation["category_id"] = (1, 7)[number % 2]
    refused, (line,) = _import_one(value, tmp_path)
    assert refused == []
    record = record_from_json(line, tmp_path)
    for thing in record.objects[:2]:
        assert np.array_equal(thing.mask(record.size).pixels, disc)
    # A polygon without a box gets the box around it.
    assert line["objects"][2]["bbox"] == [10, 10, 10, 10]
    assert line["objects"][2]["poly"] == [square]


def test_instances_poses_and_captions_come_together(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_picture(folder / "val2017" / "000000000007.png")
    image = {"id": 7, "file_name": "000000000007.png", "width": WIDTH, "height": HEIGHT}
    joints = [10, 10, 2] * 17
    person: Json = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [5, 5, 20, 30], "iscrowd": 0}
    names = [{"id": 1, "name": "person", "keypoints": [str(i) for i in range(17)]}]
    files: dict[str, Json] = {
        "instances_val2017": {"annotations": [person], "categories": [{"id": 1, "name": "person"}]},
        "person_keypoints_val2017": {
            "annotations": [{**person, "keypoints": joints, "num_keypoints": 17}],
            "categories": names,
        },
        "captions_val2017": {"annotations": [{"id": 5, "image_id": 7, "caption": " A man.\n"}]},
    }
    for name, value in files.items():
        write_json(folder / "annotations" / f"{name}.json", {"images": [image], **value})
    report, (record,) = imported(folder, tmp_path / "out")
    assert report.refused == ()
    assert len(record["objects"]) == 1
    assert record["objects"][0]["keypoints"] == joints
    assert record["captions"] == ["A man."]
    assert record["exhaustive"]


def test_crowds_are_boxes_only(tmp_path: Path) -> None:
    value = coco_value(1)
    value["annotations"][0] |= {
        "iscrowd": 1,
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]},
    }
    _, (line,) = _import_one(value, tmp_path)
    assert line["objects"][0]["crowd"] == 1
    assert "poly" not in line["objects"][0]


def test_boxes_that_look_like_corners_are_pointed_out(tmp_path: Path) -> None:
    value = coco_value()
    for annotation in value["annotations"]:
        annotation["bbox"] = [40, 30, 60, 46]
    folder = coco(tmp_path / "set")
    write_json(folder / "instances.json", value)
    report, _ = imported(folder, tmp_path / "out")
    assert any("corners" in note for note in report.notes)


def test_lvis_has_no_file_names_and_is_not_exhaustive(tmp_path: Path) -> None:
    value = coco_value(1)
    value["images"][0] |= {"coco_url": "http://example.org/train2017/0.png", "neg_category_ids": []}
    del value["images"][0]["file_name"]
    refused, (line,) = _import_one(value, tmp_path)
    assert refused == []
    assert not line["exhaustive"]


def _set(where: str, index: int, key: str, value: object) -> Callable[[Json], None]:
    return lambda whole: whole[where][index].update({key: value})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda v: v["annotations"][0].pop("bbox"), "annotations[0]: None is not 4 numbers."),
        (lambda v: v["annotations"][0].pop("image_id"), "annotations[0]: 'image_id' is missing."),
        (_set("annotations", 0, "image_id", 99), "annotations[0]: image id 99 is not among"),
        (_set("annotations", 0, "category_id", 99), "annotations[0]: category id 99 is not"),
        (_set("annotations", 1, "id", 0), "annotations[1]: annotation id 0 is used twice."),
        (_set("annotations", 0, "bbox", [0, 0, float("nan"), 4]), "annotations[0]: nan is no fin"),
        (_set("annotations", 0, "bbox", [0, 0, float("inf"), 4]), "annotations[0]: inf is no fin"),
        (_set("annotations", 0, "bbox", [0, 0, 10**400, 4]), "annotations[0]: 1000"),
        (_set("annotations", 0, "bbox", [5, 5, -3, 4]), "annotations[0]: the box [5, 5, -3, 4]"),
        (_set("annotations", 0, "bbox", [5, 5, 0, 4]), "annotations[0]: the box [5, 5, 0, 4]"),
        (_set("annotations", 0, "bbox", "1234"), "annotations[0]: '1234' is not 4 numbers."),
        (_set("annotations", 0, "bbox", [-9, 5, 5, 5]), "annotations[0]: the box x -9"),
        (_set("annotations", 0, "segmentation", [[1, 2, 3]]), "annotations[0]: an outline is"),
        (
            _set("annotations", 0, "segmentation", {"size": [48, 64], "counts": "1"}),
            "annotations[0]: Run lengths of a 48×64 mask must add up",
        ),
        (
            _set("annotations", 0, "segmentation", {"size": [9**9, 9**9], "counts": "1"}),
            "annotations[0]: the run lengths are for a mask of",
        ),
        (_set("images", 1, "id", 0), "images[1]: image id 0 is used twice."),
        (_set("images", 0, "id", [1]), "images[0]: [1] is no id."),
        (lambda v: v["images"][0].pop("file_name"), "images[0]: 'file_name' is missing."),
        (_set("images", 0, "file_name", "9.png"), "images[0]: picture '9.png' is not among"),
        (_set("images", 0, "file_name", "../0.png"), "images[0]: picture '../0.png' is not a path"),
        (_set("images", 0, "file_name", "/etc/passwd"), "images[0]: picture '/etc/passwd' is not"),
        (_set("images", 0, "width", 640), "images[0]: the picture has 64×48 pixels, but its boxes"),
        (_set("images", 0, "width", -64), "images[0]: -64×48 is no size of a picture."),
        (_set("categories", 0, "name", ""), "categories[0]: '' is no text."),
        (_set("categories", 0, "name", None), "categories[0]: None is no text."),
        (_set("categories", 1, "id", 1), "categories[1]: category id 1 is used twice."),
        (lambda v: v["annotations"].insert(0, None), "annotations[0]: cannot be understood"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    spoil: Callable[[Json], None], reason: str, tmp_path: Path
) -> None:
    value = coco_value()
    spoil(value)
    refused, records = _import_one(value, tmp_path)
    assert refused[0].startswith(reason)
    # Picture 2 had no part in it and comes in whole, unless its class went.
    assert any(record["source"] == "images/2.png" for record in records)
