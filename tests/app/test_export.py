"""Export: what other programs read back, and what must never run (rows 10 and 11)."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
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
    Region,
    Size,
    Turn,
)

SIZE = Size(200, 100)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "${alert(1)}",
    "{{value}}",
    "<!--sections-->",
    "</script><script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
)


def turn(text: str = "A dog and a cat", name: str = "dog", question: str = "What?") -> Turn:
    """Returns a turn with two phrases, one of two boxes."""
    return Turn(
        question,
        Answer(
            text,
            (
                Grounding(Phrase(name, 2, 5), (Box(0.1, 0.2, 0.5, 0.6),), (0.9,)),
                Grounding(Phrase("cat"), (Box(0, 0, 1, 1), Box(0.5, 0.5, 0.75, 1)), (0.5, 0.25)),
            ),
        ),
        (Region("@1", Box(0, 0, 0.5, 0.5)),),
    )


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
    assert "<section>" not in export.offline_page([], {})


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


# --- the offline page and pictures ---------------------------------------------------------------


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def parsed(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Returns the tags of a page."""
    tags = Tags()
    tags.feed(page)
    return tags.tags


def test_the_offline_page_needs_nothing_else() -> None:
    picture = Image.new("RGB", (200, 100), "grey")
    page = export.offline_page([Entry("a.jpg", SIZE, turn())], {"a.jpg": picture})
    tags = parsed(page)
    loaded = [attrs[name] or "" for _, attrs in tags for name in ("src", "href") if name in attrs]
    assert [source[:15] for source in loaded] == ["data:image/jpeg"]
    assert not re.search(r"https?://", page)
    assert len([tag for tag, _ in tags if tag == "rect"]) == 3
    phrases = {(a["class"] or "")[3:] for tag, a in tags if tag == "span" and "tabindex" in a}
    assert phrases == {a["class"] for tag, a in tags if tag == "rect"} == {"x1 g1", "x1 g2"}


def test_hostile_texts_make_no_tag_and_no_script() -> None:
    plain = parsed(
        export.offline_page(
            [Entry("a", SIZE, turn("a dog here", "a dog", "b"))],
            {"a": Image.new("RGB", (20, 10))},
            "c",
        )
    )
    for text in HOSTILE:
        page = export.offline_page(
            [Entry(text, SIZE, turn(f"a {text}", text, text))],
            {text: Image.new("RGB", (20, 10))},
            text,
        )
        tags = parsed(page)
        assert [tag for tag, _ in tags] == [tag for tag, _ in plain]
        assert not any(name.startswith("on") for _, attrs in tags for name in attrs)
        assert page.count("<script") == page.count("</script") == 1


def test_turns_without_their_picture_are_left_out() -> None:
    page = export.offline_page([Entry("a.jpg", SIZE, turn())], {})
    assert "a.jpg" not in page


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_annotated_pictures_are_drawn(kind: str) -> None:
    picture = Image.new("RGB", (200, 100), "grey")
    content = export.annotated(picture, turn().answer, kind)
    drawn = Image.open(BytesIO(content))
    assert drawn.format == kind
    assert len(np.unique(np.asarray(drawn.convert("RGB")).reshape(-1, 3), axis=0)) > 10


@pytest.mark.browser
def test_phrases_and_boxes_light_each_other_up_offline(tmp_path: Path, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    page_file = tmp_path / "page.html"
    entries = [Entry("a", SIZE, turn()), Entry("b", SIZE, turn(*HOSTILE[:3]))]
    pictures = dict.fromkeys("ab", Image.new("RGB", (200, 100), "grey"))
    page_file.write_text(export.offline_page(entries, pictures), "utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        trouble: list[str] = []
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.goto(page_file.as_uri())
        lit = "[...document.querySelectorAll('.on')].map(e => e.tagName + e.getAttribute('class'))"
        page.locator("span.ph.g1").first.hover()
        assert page.evaluate(lit) == ["rectx1 g1 on", "SPANph x1 g1 on"]
        page.locator("rect.g2").first.focus()
        assert [name[:4] for name in page.evaluate(lit)] == ["rect", "rect", "SPAN"]
        page.locator("h1").hover()
        assert page.evaluate(lit) == []
        assert trouble == []
        browser.close()
