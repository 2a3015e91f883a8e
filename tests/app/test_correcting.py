"""Corrections end to end: edited, kept on the shelf, opened again, taken home."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image

from app import words
from app.correcting import Correcting
from app.corrections import Corrections
from app.settings import Settings
from app.takeout import Takeout
from model.errors import DeixisError, InputError, QuestionError
from tests.fakes import ANNA, BERT, last, talking

CORRECTED = {
    "question": "Describe this picture.",
    "text": "A red cup.",
    "links": [{"start": 0, "end": 9, "ids": ["1"]}],
}
BOXES = [{"id": "1", "label": "cup", "box": [0.1, 0.2, 0.5, 0.6]}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (60, 40), (90, 120, 90)).save(path)
    return path


def working(tmp_path: Path, host: str = "127.0.0.1") -> Correcting:
    talk = talking()
    settings = Settings(host=host, corrections=tmp_path / "corrections")
    return Correcting(type(talk)(talk.people, talk.host, settings), Corrections(settings))


def asked(tmp_path: Path, file: Path, host: str = "127.0.0.1") -> Correcting:
    work = working(tmp_path, host)
    work.talk.open(ANNA, file, "=cmd()<b>")
    last(work.talk.ask(ANNA, "Describe this picture.", {}))
    return work


def test_the_answer_on_display_becomes_editable(tmp_path: Path, file: Path) -> None:
    edit = asked(tmp_path, file).begin(ANNA)
    assert edit["open"]
    assert next(box["label"] for box in edit["boxes"]) == "black and white dog"
    assert "dog" in edit["labels"]


def test_without_an_answer_one_can_still_draw(tmp_path: Path, file: Path) -> None:
    work = working(tmp_path)
    assert "boxes" not in work.begin(ANNA)
    work.talk.open(ANNA, file, "t")
    assert work.begin(ANNA)["boxes"] == []
    work.save(ANNA, BOXES, CORRECTED)
    assert len(work.saved(ANNA)) == 1
    assert work.talk.people.desk(ANNA).exchanges[0].answer is not None


def test_saving_again_replaces_the_example(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    first = work.save(ANNA, BOXES, CORRECTED)
    second = work.save(ANNA, BOXES, {**CORRECTED, "text": "A red mug."})
    assert first.identity == second.identity
    (kept,) = work.saved(ANNA)
    assert kept.example.turns[0].answer.text == "A red mug."
    answer = work.talk.people.desk(ANNA).exchanges[0].answer
    assert answer is not None
    assert answer.text == "A red mug."


def test_another_question_is_another_example(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    work.save(ANNA, BOXES, CORRECTED)
    last(work.talk.ask(ANNA, "find all dogs", {}))
    work.save(ANNA, BOXES, CORRECTED)
    assert len(work.saved(ANNA)) == 2


def test_an_example_opens_again_with_its_turns(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    saved = work.save(ANNA, BOXES, CORRECTED)
    work.talk.open(ANNA, file, "something else")
    view = work.reopen(ANNA, saved.identity)
    assert view.picture is not None
    assert view.answer is not None
    assert "red" in str(view.chat)
    assert work.begin(ANNA)["text"] == "A red cup."
    work.delete(ANNA, saved.identity)
    with pytest.raises(InputError):
        work.reopen(ANNA, saved.identity)


def test_on_a_public_page_nobody_sees_anothers_examples(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file, host="0.0.0.0")
    saved = work.save(ANNA, BOXES, CORRECTED)
    assert ANNA[0] not in saved.owner
    assert work.saved(BERT) == []
    assert work.shelf_items(BERT) == []
    for refused in (work.reopen, work.delete):
        with pytest.raises(InputError):
            refused(BERT, saved.identity)
    assert len(work.shelf_items(ANNA)) == 1


def test_a_correction_that_cannot_teach_changes_nothing(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    before = work.talk.people.desk(ANNA)
    with pytest.raises(DeixisError):
        work.save(ANNA, None, CORRECTED)
    assert work.talk.people.desk(ANNA) == before
    assert work.saved(ANNA) == []


def test_the_conversation_goes_home_in_every_form(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    takeout = Takeout(work)
    coco = json.loads(takeout.content(ANNA, "talk", "coco")[0])
    assert len(coco["annotations"]) == 4
    turns = takeout.content(ANNA, "talk", "jsonl")[0].decode().splitlines()
    assert json.loads(turns[0])["turns"][0]["question"] == "Describe this picture."
    rows = list(csv.reader(StringIO(takeout.content(ANNA, "talk", "csv")[0].decode())))
    assert len(rows) == 5
    assert rows[1][0].startswith("'=cmd()")
    page = takeout.content(ANNA, "talk", "html")[0].decode()
    assert "<b>" not in page.partition("<body>")[2]
    assert takeout.content(ANNA, "talk", "png")[0].startswith(b"\x89PNG")
    assert takeout.content(ANNA, "talk", "jpeg")[0].startswith(b"\xff\xd8")


def test_saved_examples_go_home_too(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    work.save(ANNA, BOXES, CORRECTED)
    content, name = Takeout(work).content(ANNA, "saved", "coco")
    assert name == "deixis-coco.json"
    (annotation,) = json.loads(content)["annotations"]
    assert annotation["bbox"] == [6.0, 8.0, 24.0, 16.0]


def test_nothing_to_take_home_is_said(tmp_path: Path) -> None:
    takeout = Takeout(working(tmp_path))
    for form in ("coco", "png"):
        with pytest.raises(QuestionError, match=words.NOTHING_TO_EXPORT[:20]):
            takeout.content(ANNA, "talk", form)
