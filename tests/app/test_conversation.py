"""A whole conversation without a browser: pictures, answers, errors, two people."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from app import answering, handlers, phrases, render, words
from app.conversation import Conversation
from app.samples import Sample
from app.views import View
from model.types import Capability, Finish
from tests.fakes import ANNA, BERT, CAPTION, FakeBackend, SilentBackend, last, talking


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (60, 40), (90, 120, 90)).save(path)
    return path


def mark(talk: Conversation, key: tuple[str, str] = ANNA) -> dict[str, object]:
    picture = talk.people.desk(key).picture
    return {
        "picture": picture.key if picture else "",
        "marks": [{"name": "@1", "points": [[0.5, 0.5, 1]]}],
        "selected": "@1",
    }


def test_a_picture_comes_with_starters_and_an_empty_chat(file: Path) -> None:
    view = talking().open(ANNA, file, "title")
    assert view.picture is not None
    assert (view.picture["width"], view.picture["height"]) == (60, 40)
    assert view.picture["src"].startswith("data:image/jpeg")
    assert view.chat == []
    assert view.questions == words.STARTERS


def test_a_broken_file_leaves_the_old_picture(file: Path, tmp_path: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "good")
    bad = tmp_path / "bad.png"
    bad.write_bytes(file.read_bytes()[:40])
    view = talk.open(ANNA, bad, "bad")
    assert view.notice
    assert view.picture is None
    assert talk.people.desk(ANNA).title == "good"
    assert talk.open(ANNA, None, "lost").notice == words.UPLOAD_LOST


def test_of_two_pictures_opened_at_once_only_the_last_is_shown(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, views = talking(), []
    other = tmp_path / "other.png"
    Image.new("RGB", (30, 40)).save(other)

    def slow(image: Image.Image) -> str:
        monkeypatch.undo()
        views.append(talk.open(ANNA, other, "other"))
        return "data:,"

    monkeypatch.setattr(render, "data_url", slow)
    assert talk.open(ANNA, file, "first") == View()
    assert views[0].picture is not None
    assert talk.people.desk(ANNA).title == "other"


def test_an_answer_streams_and_ends_with_boxes(file: Path) -> None:
    talk = talking(FakeBackend(pause=0.02))
    talk.open(ANNA, file, "")
    views = list(talk.ask(ANNA, "Describe this picture.", {}, typed=True))
    assert views[0].taken
    assert views[0].running
    assert (views[0].chat or [])[0]["content"].startswith("Describe")
    assert [view.taken for view in views[1:]] == [False] * len(views[1:])
    end = views[-1]
    assert end.running is False
    assert end.chat is not None
    assert "ph x1 g1" in end.chat[-1]["content"]
    assert end.answer is not None
    assert end.answer["src"].startswith("data:image/jpeg")
    assert [group["label"] for group in end.answer["groups"]][1] == "a red frisbee"
    assert next(box["label"] for box in end.answer["edit"]["boxes"]) == "black and white dog"
    assert end.answer["picture"] == talk.people.desk(ANNA).picture.key  # type: ignore[union-attr]
    assert talk.people.desk(ANNA).exchanges[0].text == CAPTION


def test_a_quick_answer_comes_in_one_message(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "STREAM_INTERVAL", 60)
    talk = talking()
    talk.open(ANNA, file, "")
    first, end = talk.ask(ANNA, "Describe this picture.", {}, typed=True)
    assert first.running, "the picture has to be read before"
    assert not end.taken
    (only,) = talk.ask(ANNA, "Describe this picture.", {}, typed=True)
    assert only.taken
    assert only.trouble == ""
    assert only.running is False
    assert only.answer is not None


def test_a_slow_answer_is_seen_to_begin(file: Path) -> None:
    silent = SilentBackend()
    talk = talking(silent)
    talk.open(ANNA, file, "")
    last(talk.encode(ANNA))
    views = talk.ask(ANNA, "Describe this picture.", {}, typed=True)
    first = next(views)
    assert first.taken
    assert first.status == (words.STATUS_THINKING, True)
    silent.gate.set()
    end = last(views)
    assert not end.taken
    assert end.answer is not None


def test_a_click_pins_its_task_and_brings_its_region(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    data = {**mark(talk), "question": "What is @1?", "task": "click"}
    assert last(talk.click(ANNA, data)).answer is not None
    (exchange,) = talk.people.desk(ANNA).exchanges
    assert exchange.task is Capability.CLICK
    assert exchange.regions[0].name == "@1"
    last(talk.click(ANNA, {**data, "task": "rm -rf"}))
    assert talk.people.desk(ANNA).exchanges[1].task is None


def test_the_status_says_how_fast_a_click_is_answered(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    first = last(talk.encode(ANNA)).status
    assert first is not None
    assert first[0].startswith(words.STATUS_ENCODED.partition("{")[0])
    payload = {"marks": [{"name": "@1", "points": [[0.4, 0.5, 1]]}], "selected": "@1"}
    end = last(talk.click(ANNA, {"question": "What is @1?", "task": "click", **payload}))
    spent = talk.people.desk(ANNA).exchanges[-1].milliseconds
    assert end.status == (words.STATUS_CLICKED.format(time=f"{spent} ms"), False)
    assert last(talk.encode(ANNA)).status == (words.STATUS_READY.format(time=f"{spent} ms"), False)
    other = last(talk.ask(ANNA, "Describe this picture.", {}))
    assert other.status is not None
    assert other.status[0].startswith(words.STATUS_ANSWERED.partition("{")[0])


def test_what_was_changed_about_a_picture_stays_said(tmp_path: Path) -> None:
    talk, path = talking(), tmp_path / "clear.png"
    Image.new("RGBA", (60, 40), (90, 120, 90, 0)).save(path)
    talk.open(ANNA, path, "")
    status = last(talk.encode(ANNA)).status
    assert status is not None
    assert status[0].startswith(words.STATUS_ENCODED.partition("{")[0])
    assert status[0].endswith(words.PICTURE_ON_WHITE)


def test_troubles_are_told_where_they_arose(file: Path) -> None:
    talk = talking()
    assert last(talk.ask(ANNA, "hello", {})).notice == words.NO_PICTURE
    talk.open(ANNA, file, "")
    assert last(talk.ask(ANNA, "", {})).trouble == words.NO_TEXT
    assert "@9" in (last(talk.ask(ANNA, "what is @9?", {})).trouble or "")
    assert last(talk.again(ANNA, handlers.retry)).trouble == words.NO_TEXT
    assert talk.people.desk(ANNA).exchanges == ()


def test_what_the_model_cannot_do_is_said_in_the_chat(file: Path) -> None:
    talk = talking(FakeBackend(capabilities=frozenset({Capability.CAPTION})))
    talk.open(ANNA, file, "")
    end = last(talk.ask(ANNA, "Segment @1.", mark(talk), Capability.SEGMENT))
    assert end.chat is not None
    assert "cannot segment" in end.chat[-1]["content"]
    assert end.running is False


def test_an_error_that_nobody_foresaw_is_told_and_the_page_goes_on(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    backend = FakeBackend()
    talk = talking(backend)
    talk.open(ANNA, file, "")
    with monkeypatch.context() as patch:
        patch.setattr(backend, "encode", broken)
        assert last(talk.encode(ANNA)) == View(notice=words.BROKEN, status=("", False))
    with monkeypatch.context() as patch:
        patch.setattr(backend, "stream", broken)
        end = last(talk.ask(ANNA, "Describe this picture.", {}))
    assert end.chat is not None
    assert phrases.escape(words.BROKEN) in end.chat[-1]["content"]
    assert (end.running, end.status) == (False, ("", False))
    assert caplog.text.count("ZeroDivisionError: secret detail") == 2
    assert last(talk.ask(ANNA, "Describe this picture.", {})).answer is not None


def test_a_second_question_takes_over(file: Path) -> None:
    talk = talking(FakeBackend(pause=0.02))
    talk.open(ANNA, file, "")
    first = talk.ask(ANNA, "Describe this picture.", {})
    next(first)
    end = last(talk.ask(ANNA, "find all dogs", {}))
    assert end.running is False
    assert last(first).answer is None
    one, two = talk.people.desk(ANNA).exchanges
    assert one.answer is not None
    assert one.answer.finish is Finish.CANCELLED
    assert two.answer is not None


def test_the_slider_filters_without_asking_the_model(file: Path) -> None:
    backend = FakeBackend()
    talk = talking(backend)
    talk.open(ANNA, file, "")
    end = last(talk.ask(ANNA, "find all dogs", {}))
    assert "×2" in (end.chat or [])[-1]["content"]
    asked = backend.questions
    low = talk.sift(ANNA, {"threshold": 0.05})
    assert "×3" in (low.chat or [])[-1]["content"]
    high = talk.sift(ANNA, {"threshold": 0.99})
    assert words.ABSENT in (high.chat or [])[-1]["content"]
    assert backend.questions == asked


def test_an_earlier_answer_comes_back(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    last(talk.ask(ANNA, "Describe this picture.", {}))
    last(talk.ask(ANNA, "find all dogs", {}))
    view = talk.recall(ANNA, {"exchange": 1})
    assert view.answer is not None
    assert view.answer["exchange"] == 1
    unknown, none = talk.recall(ANNA, {"exchange": 77}).answer, talk.recall(ANNA, {}).answer
    assert unknown is not None
    assert none is not None
    assert unknown["exchange"] is none["exchange"] is None
    assert unknown["serial"] < none["serial"]


def test_another_style_changes_the_picture(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    before = (last(talk.ask(ANNA, "Describe this picture.", {})).answer or {})["src"]
    assert (talk.restyle(ANNA, "corner", False).answer or {})["src"] != before


def test_retry_and_edit_ask_again_in_the_same_place(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    last(talk.ask(ANNA, "What is @1?", mark(talk), Capability.CLICK))
    last(talk.ask(ANNA, "Describe this picture.", {}))
    last(talk.again(ANNA, handlers.retry))
    assert len(talk.people.desk(ANNA).exchanges) == 2
    last(talk.again(ANNA, lambda desk: handlers.rewind(desk, 0), "is @1 a dog?"))
    (exchange,) = talk.people.desk(ANNA).exchanges
    assert exchange.question == "is @1 a dog?"
    assert exchange.regions[0].name == "@1"
    assert exchange.task is None


def test_clearing_keeps_the_picture(file: Path) -> None:
    talk = talking()
    talk.open(ANNA, file, "")
    last(talk.ask(ANNA, "Describe this picture.", {}))
    view = talk.clear(ANNA)
    assert view.chat == []
    assert (view.answer or {})["cleared"]
    assert view.questions == words.STARTERS
    assert talk.people.desk(ANNA).picture is not None


def test_a_starter_points_at_the_samples_main_thing(file: Path) -> None:
    talk = talking()
    sample = Sample(file, "Sample", "alt", ("What is this?",), (0.4, 0.6))
    assert talk.open(ANNA, file, "Sample", sample).questions == ("What is this?",)
    views = list(talk.starter(ANNA, "What is this?", {"marks": []}))
    assert views[0].adopt is not None
    assert views[0].adopt["mark"]["points"] == [[0.4, 0.6, 1]]
    (exchange,) = talk.people.desk(ANNA).exchanges
    assert (exchange.question, exchange.task) == ("What is @1?", Capability.CLICK)


def test_two_people_never_see_each_other(file: Path, tmp_path: Path) -> None:
    talk = talking()
    other = tmp_path / "other.png"
    Image.new("RGB", (40, 60)).save(other)
    talk.open(ANNA, file, "anna's")
    talk.open(BERT, other, "bert's")
    last(talk.ask(ANNA, "Describe this picture.", {}))
    assert talk.people.desk(BERT).exchanges == ()
    end = last(talk.ask(BERT, "What is @1?", mark(talk, BERT)))
    assert len(end.chat or []) == 2
    wrong = last(talk.ask(BERT, "What is @1?", mark(talk, ANNA)))
    assert wrong.notice == words.OTHER_PICTURE
