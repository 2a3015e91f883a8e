from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import RecordError
from model.records import class_names, read_records
from model.vocabulary import COCO_NAMES
from tests.oracle import HEIGHT, WIDTH, plain_records, write_records


def _write(folder: Path, *lines: str | dict[str, Any]) -> Path:
    path = folder / "set.jsonl"
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def _minimal(**fields: object) -> dict[str, Any]:
    return {"id": "a", "width": 100, "height": 50, "image": "a.png", **fields}


def test_boxes_polygons_and_key_points_become_fractions(tmp_path: Path) -> None:
    joints = [50, 25, 2] + [0, 0, 0] * 16
    thing = {
        "label": "person",
        "bbox": [10, 10, 50, 20],
        "crowd": 1,
        "poly": [[10, 10, 60, 10, 60, 30]],
        "keypoints": joints,
        "attrs": {"top_color": "red"},
    }
    (record,) = read_records(_write(tmp_path, _minimal(objects=[thing])))
    (read,) = record.objects
    assert read.box.as_tuple() == pytest.approx((0.1, 0.2, 0.6, 0.6))
    assert read.polygons[0] == pytest.approx((0.1, 0.2, 0.6, 0.2, 0.6, 0.6))
    assert read.keypoints is not None
    assert read.keypoints.points[0] == (0.5, 0.5, 2)
    assert read.crowd
    assert read.top_color == "red"


def test_a_box_that_leaves_the_picture_by_rounding_is_clipped(tmp_path: Path) -> None:
    thing = {"label": "cat", "bbox": [90, 40, 10.04, 10.04]}
    (record,) = read_records(_write(tmp_path, _minimal(objects=[thing])))
    assert record.objects[0].box.as_tuple() == pytest.approx((0.9, 0.8, 1, 1))


def test_pictures_come_from_the_shard_and_only_listed_ones_exist(tmp_path: Path) -> None:
    records = list(read_records(write_records(tmp_path)))
    assert [record.id for record in records] == ["dogs", "street", "portrait", "field"]
    picture = records[2].read_picture()
    assert picture.size == (WIDTH, HEIGHT)
    assert picture.mode == "RGB"
    assert picture.getpixel((0, 0)) == (20, 0, 0)


def test_limit_stops_before_a_broken_line(tmp_path: Path) -> None:
    path = _write(tmp_path, _minimal(), "{broken")
    assert [record.id for record in read_records(path, limit=1)] == ["a"]


def test_a_mask_is_the_filled_polygon(tmp_path: Path) -> None:
    dogs = next(read_records(write_records(tmp_path)))
    pixels = dogs.objects[0].mask(dogs.size).pixels
    assert pixels.shape == (HEIGHT, WIDTH)
    # A right triangle of 20 × 32 pixels, up to its slanted edge.
    assert pixels.sum() == pytest.approx(20 * 32 / 2, rel=0.07)
    assert pixels[10, 20]
    assert not pixels[38, 6]
    assert not np.any(pixels[:, 25:])


def test_an_object_without_polygons_has_no_mask(tmp_path: Path) -> None:
    dogs = next(read_records(write_records(tmp_path)))
    with pytest.raises(RecordError, match=r"dog .* has no polygons"):
        dogs.objects[1].mask(dogs.size)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"objects": [{"label": "x", "bbox": [1, 2, 0, 4]}]}, r"object 0: box .* has no area"),
        ({"objects": [{"label": "x", "bbox": [1, 2, 3]}]}, "object 0"),
        ({"objects": [{"label": "x", "bbox": [200, 2, 3, 4]}]}, "object 0"),
        ({"objects": [{"label": "x", "bbox": [float("nan"), 2, 3, 4]}]}, "object 0"),
        ({"objects": [{"bbox": [1, 2, 3, 4]}]}, "'label' is missing"),
        ({"objects": [{"label": "x", "bbox": [1, 2, 3, 4], "poly": [[1, 2, 3]]}]}, "polygon"),
        ({"objects": [{"label": "x", "bbox": [1, 2, 3, 4], "keypoints": [1, 2]}]}, "key points"),
        ({"refs": [{"text": "x", "object": 0, "kind": "unique"}]}, "index 0"),
        ({"captions": ["abc"], "grounded": [_minimal(caption=0, start=1, end=9)]}, "span 1:9"),
        ({"captions": ["abc"], "grounded": [_minimal(caption=1, start=0, end=1)]}, "index 1"),
        ({"width": 0}, "at least"),
        ({"width": "wide"}, "wide"),
        ({"image": "../../secret.png"}, "not a path inside"),
        ({"image": "/etc/secret.png"}, "not a path inside"),
        ({"shard": "../other.tar"}, "not a path inside"),
    ],
)
def test_an_invalid_line_is_named_with_file_line_and_reason(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    path = _write(tmp_path, _minimal(id="first"), _minimal(**fields))
    with pytest.raises(RecordError, match=reason) as caught:
        list(read_records(path))
    assert "set.jsonl:2: " in str(caught.value)


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", '"text"', "{}", "null"])
def test_a_line_that_is_no_record_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(RecordError, match=r"set\.jsonl:1: "):
        list(read_records(_write(tmp_path, line)))


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"jsonl:2: id 'a' was used in line 1"):
        list(read_records(_write(tmp_path, _minimal(), _minimal())))


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="could not be read"):
        list(read_records(tmp_path / "none.jsonl"))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(_minimal()).encode() * 50)[:-20])
    with pytest.raises(RecordError, match="could not be read"):
        list(read_records(cut))


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    records = plain_records()
    records[0]["width"] = 2 * WIDTH
    record = next(read_records(write_records(tmp_path, records)))
    with pytest.raises(RecordError, match=r"dogs\.png .* is 64×48 as stored, 128×48 in its record"):
        record.read_picture()


def test_a_missing_or_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    broken, missing = read_records(_write(tmp_path, _minimal(), _minimal(id="b", image="none.png")))
    with pytest.raises(RecordError, match=r"/a\.png of record a cannot be read .*broken.*Put the"):
        broken.read_picture()
    with pytest.raises(RecordError, match=r"/none\.png of record b cannot be read .*No such file"):
        missing.read_picture()


def test_class_names_are_official_or_the_labels_seen(tmp_path: Path) -> None:
    cells = [{"label": label, "bbox": [1, 2, 3, 4]} for label in ("WBC", "RBC", "WBC")]
    path = _write(
        tmp_path,
        _minimal(label_space="coco80"),
        _minimal(id="b", label_space="blood", objects=cells),
    )
    assert class_names(list(read_records(path))) == {
        "coco80": COCO_NAMES,
        "blood": ("RBC", "WBC"),
    }


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "pictures", "boxes"), [("coco-val", 246, 2367), ("flickr8k-val", 66, 0)]
)
def test_the_data_beside_the_repository_is_read(
    shared: Path, name: str, pictures: int, boxes: int
) -> None:
    records = list(read_records(shared / "data" / "photos" / f"{name}.jsonl.gz"))
    assert len(records) == pictures
    assert sum(not thing.crowd for record in records for thing in record.objects) == boxes
    assert records[-1].read_picture().size == (records[-1].size.width, records[-1].size.height)
