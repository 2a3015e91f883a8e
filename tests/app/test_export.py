"""Export: what other programs read back, and what must never run (rows 10 and 11)."""

from __future__ import annotations

import csv
import json
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from app import export
from app.export import Entry
from model.turns import example_from_json
from model.types import (
    Answer,
    Box,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Size,
    Turn,
)
from tests.app.taken import SIZE, turn


def posed() -> Turn:
    """Returns a turn with a mask and a pose."""
    pixels = np.zeros((100, 200), dtype=bool)
    pixels[20:60, 20:100] = True
    joints = tuple((0.5, 0.5, 0.9 if place % 2 else 0.1) for place in range(17))
    grounding = Grounding(
        Phrase("Person"), (Box(0.1, 0.2, 0.5, 0.6),), (0.8,), (Mask(pixels),), (Keypoints(joints),)
    )
    return Turn("Segment @1.", Answer("", (grounding,)))


def read_coco(document: object) -> Any:
    """Returns pycocotools' view of a document."""
    reader = COCO()
    reader.dataset = json.loads(json.dumps(document, allow_nan=False))
    reader.createIndex()
    return reader


def test_coco_is_read_back_by_pycocotools() -> None:
    entries = [Entry("a.jpg", SIZE, turn()), Entry("b.jpg", Size(50, 50), turn(name="Dog"))]
    reader = read_coco(export.coco(entries))
    assert [image["file_name"] for image in reader.dataset["images"]] == ["a.jpg", "b.jpg"]
    assert {c["name"] for c in reader.loadCats(reader.getCatIds())} == {"dog", "cat"}
    assert len(reader.getAnnIds()) == 6
    (dog,) = reader.loadAnns(reader.getAnnIds(imgIds=[1], catIds=reader.getCatIds(["dog"])))
    assert dog["bbox"] == [20, 20, 80, 40]
    assert (dog["area"], dog["score"], dog["iscrowd"]) == (3200, 0.9, 0)


def test_coco_keeps_masks_and_poses() -> None:
    reader = read_coco(export.coco([Entry("a.jpg", SIZE, posed())]))
    (person,) = reader.loadAnns(reader.getAnnIds())
    assert reader.annToMask(person).sum() == person["area"] == 40 * 80
    assert person["num_keypoints"] == 8
    assert person["keypoints"][:6] == [0, 0, 0, 100, 50, 2]
    assert len(reader.loadCats([1])[0]["keypoints"]) == 17


def test_the_same_find_of_two_turns_is_kept_once() -> None:
    entries = [Entry("a.jpg", SIZE, turn()), Entry("a.jpg", SIZE, turn(name=" DOG "))]
    assert len(export.coco(entries)["annotations"]) == 3


def test_an_empty_conversation_exports_to_empty_files() -> None:
    assert read_coco(export.coco([])).getAnnIds() == []
    assert export.jsonl([]) == ""
    assert len(export.table([]).splitlines()) == 1


def test_jsonl_is_what_training_reads() -> None:
    entries = [
        Entry("a.jpg", SIZE, turn()),
        Entry("b.jpg", SIZE, posed()),
        Entry("a.jpg", SIZE, turn(question="And now?")),
    ]
    read = [example_from_json(json.loads(line)) for line in export.jsonl(entries).splitlines()]
    assert read == export.examples(entries)
    assert [len(example.turns) for example in read] == [2, 1]


# --- tables --------------------------------------------------------------------------------------


def rows(entries: list[Entry]) -> list[list[str]]:
    """Returns the cells of a table, header left out."""
    return list(csv.reader(StringIO(export.table(entries), newline="")))[1:]


def test_a_table_has_a_row_for_each_box() -> None:
    first, *others = rows([Entry("a.jpg", SIZE, turn())])
    assert first == [
        "a.jpg", "1", "What?", "A dog and a cat", "dog", "20.0", "20.0", "80.0", "40.0", "0.9",
    ]  # fmt: skip
    assert len(others) == 2


def test_an_answer_without_boxes_keeps_its_row() -> None:
    absent = Turn("a cow?", Answer("There is no cow.", (), (), Finish.ABSENT))
    (row,) = rows([Entry("a.jpg", SIZE, absent)])
    assert row[3:] == ["There is no cow.", "", "", "", "", "", ""]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "\n=1",
        "\u200b=1",
        "\ufeff=1",
        "\uff1d1",
        "|calc",
        "%0",
    ],
)
def test_formulas_are_neutralised_in_every_cell(text: str) -> None:
    hostile = Turn(text, Answer(text, (Grounding(Phrase(text), (Box(0, 0, 1, 1),), (1.0,)),)))
    (row,) = rows([Entry(text, SIZE, hostile)])
    assert [row[place] for place in (0, 2, 3, 4)] == [f"'{text}"] * 4


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40))
def test_tables_give_texts_back(text: str) -> None:
    asked = Turn(text, Answer(text))
    (row,) = rows([Entry("a.jpg", SIZE, asked)])
    assert row[2] in {text, f"'{text}"}
    assert not row[2].lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_annotated_pictures_are_drawn(kind: str) -> None:
    picture = Image.new("RGB", (200, 100), "grey")
    content = export.annotated(picture, turn().answer, kind)
    drawn = Image.open(BytesIO(content))
    assert drawn.format == kind
    assert len(np.unique(np.asarray(drawn.convert("RGB")).reshape(-1, 3), axis=0)) > 10
