"""Corrections end to end: edited, kept on the shelf, opened again, taken home."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from app import words
from app.correcting import Correcting
from app.corrections import Corrections, Saved
from app.session import COOKIE
from app.settings import Settings
from app.takeout import Takeout
from model.errors import DeixisError, InputError, PictureError, QuestionError
from tests.fakes import ANNA, BERT, in_loop, last, talking

CORRECTED: dict[str, Any] = {
    "question": "Describe this picture.",
    "text": "A red cup.",
    "links": [{"start": 0, "end": 9, "ids": ["1"]}],
    "boxes": [{"id": "1", "label": "cup", "box": [0.1, 0.2, 0.5, 0.6]}],
}


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


def correct(work: Correcting, **changes: object) -> Saved:
    """Saves a correction of the picture on Anna's desk."""
    picture = work.talk.people.desk(ANNA).picture
    sent = {"picture": picture and picture.key, "exchange": None, **CORRECTED, **changes}
    return work.save(ANNA, sent)


def test_without_an_answer_one_can_still_draw(tmp_path: Path, file: Path) -> None:
    work = working(tmp_path)
    with pytest.raises(PictureError):
        correct(work)
    work.talk.open(ANNA, file, "t")
    correct(work)
    assert len(work.saved(ANNA)) == 1
    assert work.talk.people.desk(ANNA).exchanges[0].answer is not None


def test_a_correction_of_another_picture_is_refused(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    with pytest.raises(PictureError, match=words.OTHER_PICTURE[:20]):
        correct(work, picture="another")
    assert work.saved(ANNA) == []


def test_the_answer_that_was_corrected_is_the_one_it_names(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    last(work.talk.ask(ANNA, "find all dogs", {}))
    correct(work, exchange=1)
    first, second = work.talk.people.desk(ANNA).exchanges
    assert first.answer is not None
    assert first.answer.text == "A red cup."
    assert second.question == "find all dogs"
    correct(work, exchange=[7], text="A red mug.")  # nonsense means the one on display
    assert work.talk.people.desk(ANNA).exchanges[0].text == "A red mug."


def test_saving_again_replaces_the_example(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    first = correct(work)
    second = correct(work, text="A red mug.")
    assert first.identity == second.identity
    (kept,) = work.saved(ANNA)
    assert kept.example.turns[0].answer.text == "A red mug."
    answer = work.talk.people.desk(ANNA).exchanges[0].answer
    assert answer is not None
    assert answer.text == "A red mug."


def test_another_question_is_another_example(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    correct(work)
    last(work.talk.ask(ANNA, "find all dogs", {}))
    correct(work)
    assert len(work.saved(ANNA)) == 2


def test_an_example_opens_again_with_its_turns(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file)
    saved = correct(work)
    work.talk.open(ANNA, file, "something else")
    view = work.reopen(ANNA, saved.identity)
    assert view.picture is not None
    assert view.answer is not None
    assert "red" in str(view.chat)
    assert view.answer["edit"]["text"] == "A red cup."
    work.delete(ANNA, saved.identity)
    with pytest.raises(InputError):
        work.reopen(ANNA, saved.identity)


def test_on_a_public_page_nobody_sees_anothers_examples(tmp_path: Path, file: Path) -> None:
    work = asked(tmp_path, file, host="0.0.0.0")
    saved = correct(work)
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
        correct(work, boxes=None)
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
    correct(work)
    content, name = Takeout(work).content(ANNA, "saved", "coco")
    assert name == "deixis-coco.json"
    (annotation,) = json.loads(content)["annotations"]
    assert annotation["bbox"] == [6.0, 8.0, 24.0, 16.0]


def test_making_a_file_is_said_before_it_is_made(tmp_path: Path, file: Path) -> None:
    takeout = Takeout(asked(tmp_path, file))
    in_loop(lambda: _built(takeout))
    request = SimpleNamespace(cookies={COOKIE: ANNA[0]}, session_hash=ANNA[1])
    begun, made = takeout.on_make("talk", "coco", request)  # type: ignore[arg-type]
    assert words.MAKING_FILE[:10] in begun[takeout.said]["value"]
    assert Path(made[takeout.file]["value"]).suffix == ".json"
    assert not made[takeout.said]["visible"]


def _built(takeout: Takeout) -> None:
    with gr.Blocks(analytics_enabled=False):
        takeout.build()


def test_nothing_to_take_home_is_said(tmp_path: Path) -> None:
    takeout = Takeout(working(tmp_path))
    for form in ("coco", "png"):
        with pytest.raises(QuestionError, match=words.NOTHING_TO_EXPORT[:20]):
            takeout.content(ANNA, "talk", form)
