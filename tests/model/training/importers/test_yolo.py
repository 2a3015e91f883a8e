from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import RecordError
from model.training.importers import import_dataset
from tests.model.training.importers.small_sets import imported, write_picture, yolo


def _labels(folder: Path, text: str) -> None:
    (folder / "labels/train/0.txt").write_text(text)


def test_centres_and_sizes_become_pixels(tmp_path: Path) -> None:
    _, records = imported(yolo(tmp_path / "set"), tmp_path / "out")
    cat, dog = records[0]["objects"]
    assert (cat["label"], cat["bbox"]) == ("cat", [24, 12, 16, 24])
    assert (dog["label"], dog["bbox"]) == ("dog", [0, 0, 32, 24])


def test_outlines_give_boxes_around_them(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    _labels(folder, "0 0.25 0.25 0.5 0.25 0.5 0.5\n")
    _, records = imported(folder, tmp_path / "out")
    (thing,) = records[0]["objects"]
    assert thing["bbox"] == [16, 12, 16, 12]
    assert thing["poly"] == [[16, 12, 32, 12, 32, 24]]


@pytest.mark.parametrize("width", [2, 3])
def test_key_points_need_a_stated_shape(width: int, tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    (folder / "data.yaml").write_text(f"names: [person, dog]\nkpt_shape: [17, {width}]\n")
    joint = ["0.5", "0.25", "2"][:width]
    _labels(folder, " ".join(["0 0.5 0.5 0.5 0.5", *(joint * 17)]))
    _, records = imported(folder, tmp_path / "out")
    assert records[0]["objects"][0]["keypoints"] == [32, 12, 2] * 17


def test_other_skeletons_are_passed_over_with_a_note(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    (folder / "data.yaml").write_text("names: [hand, dog]\nkpt_shape: [2, 3]\n")
    _labels(folder, "0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.2 0.2 2")
    report, records = imported(folder, tmp_path / "out")
    assert "keypoints" not in records[0]["objects"][0]
    assert any("Key points" in note for note in report.notes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2 0.5 0.5 0.2 0.2", "class 2 is not one of the 2"),
        ("0 320 240 50 50", "320 is no share of the picture from 0 to 1; are the numbers pixels?"),
        ("0 0.5 0.5 nan 0.2", "nan is no share"),
        ("0 0.5 0.5 0 0.2", "leave no area"),
        ("0 0.5 0.5 -0.2 0.2", "-0.2 is no share"),
        ("0 0.5 0.5 0.2", "this one has 4 numbers"),
        ("0 0.5 0.5 0.2 0.2 0.9", "this one has 6 numbers"),
        ("cat 0.5 0.5 0.2 0.2", "cannot be understood"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(row: str, reason: str, tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    _labels(folder, f"0 0.5 0.5 0.25 0.5\n\n{row}\n")
    report, records = imported(folder, tmp_path / "out")
    (refused,) = report.refused
    assert (refused.file, refused.row) == ("labels/train/0.txt", "line 3")
    assert reason in refused.reason
    assert len(records[0]["objects"]) == 1
    assert not records[0]["exhaustive"]


def test_a_picture_without_labels_shows_nothing_if_its_neighbours_have_some(
    tmp_path: Path,
) -> None:
    folder = yolo(tmp_path / "set")
    write_picture(folder / "images/train/9.png", 9)
    write_picture(folder / "images/test/10.png", 10)
    (folder / "labels/train/orphan.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    report, records = imported(folder, tmp_path / "out")
    assert [len(record["objects"]) for record in records] == [2, 2, 2, 0]
    assert {(row.file, row.reason) for row in report.refused} == {
        ("images/test/10.png", "it has no label file."),
        ("labels/train/orphan.txt", "its picture is not among the files."),
    }


@pytest.mark.parametrize(
    ("about", "held_out"),
    [
        ("train: ../train/images\nval: ../valid/images\n", "valid/images/1.png"),
        ("train: a/images\nval: b/images\n", "b/images/1.png"),
        ("train: train.txt\nval: val.txt\n", "images/1.png"),
    ],
)
def test_data_yaml_tells_which_pictures_are_held_out(
    about: str, held_out: str, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    parents = {"train": Path("train/images"), "a": Path("a/images")}
    first = parents["train"] if "valid" in held_out else parents["a"]
    first = Path("images") if held_out == "images/1.png" else first
    for i, parent in enumerate((first, Path(held_out).parent, first)):
        write_picture(folder / parent / f"{i}.png", i)
        label = folder / parent.parent / "labels" / f"{i}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.5 0.5\n")
    (folder / "train.txt").write_text("./images/0.png\n./images/2.png\n")
    (folder / "val.txt").write_text("./images/1.png\n")
    (folder / "data.yaml").write_text(f"{about}names:\n  0: cat\n")
    _, records = imported(folder, tmp_path / "out")
    assert [r["source"] for r in records if r["split"] == "test"] == [held_out]


def test_names_may_come_from_a_plain_list(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("traffic_light\nbus\n")
    _, records = imported(folder, tmp_path / "out")
    assert records[0]["objects"][0]["label"] == "traffic light"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        f"{BOMB}names: [*i, dog]\n",
        "names: {0: cat\n",
        "names: 5\n",
        "names: !!python/object/apply:os.system ['true']\n",
        f"names: {'[' * 5000}\n",
    ],
)
def test_a_hostile_data_yaml_ends_in_words(text: str, tmp_path: Path) -> None:
    folder = yolo(tmp_path / "set")
    (folder / "data.yaml").write_text(text)
    with pytest.raises(RecordError):
        import_dataset(folder, tmp_path / "out")
