"""Pictures with boxes: where they lie, whose colours they have, what is left out."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.teach import sheets

BOX = [0.25, 0.25, 0.75, 0.75]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (400, 200), (255, 255, 255)).save(tmp_path / "white.png")
    return tmp_path


def item(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "image": "white.png", "width": 400, "height": 200, "split": "train",
            "canvas": [0.0, 0.0, 1.0, 0.5], "boxes": [{"label": "cup", "box": BOX}],
            **changes}  # fmt: skip


def pixels(shot: dict[str, Any]) -> np.ndarray:
    content = base64.b64decode(shot["src"].partition(",")[2])
    return np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)


def coloured(found: np.ndarray) -> np.ndarray:
    """Returns where a picture in white and grey has the colour of a box."""
    return found.max(-1) - found.min(-1) > 60


def test_the_contact_sheet_shows_the_models_square_with_boxes_in_place(folder: Path) -> None:
    many = [{"label": "cup", "box": BOX}, *({"label": "cup", "box": BOX} for _ in range(10))]
    album = sheets.contact_sheet({"pictures": [item(boxes=many)]}, folder)
    found = pixels(album["items"][0]["pictures"][0])
    assert found.shape[:2] == (sheets.SIDE, sheets.SIDE)
    assert found[sheets.SIDE - 5, 5].tolist() == pytest.approx([114] * 3, abs=6)
    assert found[5, 5].tolist() == pytest.approx([255] * 3, abs=6)
    rows, columns = np.nonzero(coloured(found))
    edges = np.array([columns.min(), rows.min(), columns.max(), rows.max()]) / sheets.SIDE
    assert edges == pytest.approx([0.25, 0.125, 0.75, 0.375], abs=0.02)


def test_a_class_has_the_same_colour_in_every_column_and_row(folder: Path) -> None:
    dog, cup = {"label": "dog", "box": BOX}, {"label": "cup", "box": BOX, "score": 0.9}
    first = item(truth=[dog], before=[], after=[cup], before_f1=0.5, after_f1=0.25)
    second = item(truth=[cup], before=[dog], after=[], before_f1=0.0, after_f1=0.0)
    album = sheets.board({"pictures": [first, second]}, folder)
    assert [entry["label"] for entry in album["legend"]] == ["dog", "cup"]
    assert len({entry["color"] for entry in album["legend"]}) == 2
    dogs = pixels(album["items"][0]["pictures"][0]), pixels(album["items"][1]["pictures"][1])
    middle = [shot[105, coloured(shot)[105]].mean(0) for shot in dogs]
    assert middle[0] == pytest.approx(middle[1], abs=12)
    assert "worse" in album["items"][0]["title"]
    assert "unchanged" in album["items"][1]["title"]
    assert [shot["caption"] for shot in album["items"][0]["pictures"]] == [
        "true", "before", "after"]  # fmt: skip


def test_predictions_below_the_threshold_are_not_drawn(folder: Path) -> None:
    low = [{"label": "cup", "box": BOX, "score": 0.2}]
    value = {"threshold": 0.3, "pictures": [item(truth=[], prediction=low)]}
    _, prediction = sheets.samples(value, folder)["items"][0]["pictures"]
    assert not coloured(pixels(prediction)).any()
    _, prediction = sheets.samples({**value, "threshold": 0.1}, folder)["items"][0]["pictures"]
    assert coloured(pixels(prediction)).any()


@pytest.mark.parametrize(
    "change",
    [
        {"image": "../../etc/passwd"},
        {"image": "missing.png"},
        {"image": 3},
        {"canvas": "x"},
        {"boxes": 7},
        {"boxes": [{"label": "cup"}]},
    ],
)
def test_what_cannot_be_read_is_left_out(folder: Path, change: dict[str, Any]) -> None:
    album = sheets.contact_sheet({"pictures": [item(**change), item()]}, folder)
    assert len(album["items"]) == 1


def test_a_box_without_area_costs_nobody_else(folder: Path) -> None:
    flat = {"label": "cup", "box": [0.5, 0.5, 0.5, 0.9]}
    album = sheets.contact_sheet({"pictures": [item(boxes=[flat, *item()["boxes"]])]}, folder)
    assert "with 1 box" in album["items"][0]["pictures"][0]["alt"]
    assert sheets.contact_sheet({}, folder) == {"items": [], "legend": []}
