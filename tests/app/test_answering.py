"""Answers that grow on a desk: quick, slow and silent ones, stops, errors, people who leave."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image

from app import answering, handlers, intake, words
from app.answering import Answering
from app.conversation import Conversation
from app.marks import read_marks
from app.session import Desk, Exchange
from model.errors import PictureError
from model.types import Capability, Finish, Size
from tests.fakes import ANNA, CAPTION, FakeBackend, SilentBackend, last, talking

QUESTION = "Describe this picture."
MARKS = read_marks({"marks": [{"name": "@1", "points": [[0.5, 0.5, 1]]}]}, Size(60, 40))


def opened(backend: FakeBackend | None = None) -> Conversation:
    """Returns a conversation in which Anna has a picture on her desk."""
    talk = talking(backend)
    picture = intake.read(Image.new("RGB", (60, 40), (90, 120, 90)))
    talk.people.change(ANNA, lambda now: handlers.open_picture(now, picture, "title"))
    return talk


def asked(
    talk: Conversation, question: str = QUESTION, task: Capability | None = None
) -> tuple[Answering, Exchange]:
    """Returns Anna's turn, and the exchange she opened."""
    desk = talk.people.change(ANNA, lambda now: handlers.begin(now, question, MARKS, task))
    return talk.answering(ANNA, talk.people.begin(ANNA)), desk.exchanges[-1]


def exchange(talk: Conversation) -> Exchange:
    """Returns Anna's last exchange as it is now."""
    return talk.people.desk(ANNA).exchanges[-1]


def words_on(desk: Desk) -> str:
    return desk.exchanges[-1].text


@pytest.fixture
def every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "STREAM_INTERVAL", 1e-9)


@pytest.mark.usefixtures("every_word")
def test_an_answer_grows_on_the_desk_until_it_is_whole() -> None:
    talk = opened()
    turn, open_one = asked(talk)
    texts = [words_on(desk) for desk in turn.answer(open_one)]
    assert texts[0] == ""
    assert len(texts) > 5
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert exchange(talk).text == CAPTION
    assert exchange(talk).answer is not None


def test_an_answer_at_once_is_not_seen_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "STREAM_INTERVAL", 60)
    talk = opened()
    turn, open_one = asked(talk)
    assert [words_on(desk) for desk in turn.answer(open_one)] == [""], "the picture is read before"
    turn, open_one = asked(talk)
    assert list(turn.answer(open_one)) == []
    assert exchange(talk).answer is not None


def test_a_question_is_seen_once_while_the_model_is_silent() -> None:
    silent = SilentBackend()
    talk = opened(silent)
    turn, open_one = asked(talk)
    turn.encoded()
    looks = turn.answer(open_one)
    assert words_on(next(looks)) == ""
    threading.Timer(5 * answering.STREAM_INTERVAL, silent.gate.set).start()
    assert "" not in [words_on(desk) for desk in looks]


@pytest.mark.usefixtures("every_word")
def test_stopping_keeps_what_was_said() -> None:
    talk = opened(FakeBackend(pause=0.02))
    turn, open_one = asked(talk)
    for desk in turn.answer(open_one):
        if "black" in words_on(desk):
            talk.stop(ANNA)
    answer = exchange(talk).answer
    assert answer is not None
    assert answer.finish is Finish.CANCELLED
    assert answer.text.startswith("A black")
    assert len(answer.text) < len(CAPTION)


@pytest.mark.usefixtures("every_word")
@pytest.mark.parametrize("looks", [1, 3])
def test_a_browser_that_leaves_ends_the_answer(looks: int) -> None:
    talk = opened(FakeBackend(pause=0.02))
    turn, open_one = asked(talk)
    growing = turn.answer(open_one)
    for _ in range(looks):
        next(growing)
    growing.close()  # type: ignore[attr-defined]
    assert not exchange(talk).open
    assert exchange(talk).text != CAPTION


def test_a_browser_that_leaves_the_page_ends_the_answer() -> None:
    talk = opened(FakeBackend(pause=0.02))
    views = talk.ask(ANNA, QUESTION, {})
    next(views)
    views.close()  # type: ignore[attr-defined]
    assert not exchange(talk).open


def test_a_refusal_is_told_on_the_desk() -> None:
    talk = opened(FakeBackend(capabilities=frozenset({Capability.CAPTION})))
    turn, open_one = asked(talk, "Segment @1.", Capability.SEGMENT)
    list(turn.answer(open_one))
    assert "cannot segment" in exchange(talk).error


def test_only_whole_clicks_count_for_how_fast_one_is() -> None:
    talk = opened()
    for question, task, known in (
        (QUESTION, None, False),
        ("What is @1?", Capability.CLICK, True),
    ):
        turn, open_one = asked(talk, question, task)
        list(turn.answer(open_one))
        assert (talk.host.click_milliseconds is not None) == known
    stopped = opened()
    turn, open_one = asked(stopped, "What is @1?", Capability.CLICK)
    turn.encoded()
    turn.stop.set()
    list(turn.answer(open_one))
    assert stopped.host.click_milliseconds is None


def test_a_picture_is_encoded_once_for_a_person() -> None:
    backend = FakeBackend()
    talk = opened(backend)
    turn = talk.answering(ANNA, threading.Event())
    assert not turn.prepared
    kept = turn.encoded()
    assert turn.prepared
    assert turn.encoded() is kept
    for question in (QUESTION, "the red thing"):
        last(talk.ask(ANNA, question, {}))
    assert backend.encodings == 1


def test_a_new_version_of_the_model_encodes_anew() -> None:
    backend = FakeBackend()
    talk = opened(backend)
    turn, open_one = asked(talk)
    turn.encoded()
    backend.card = replace(backend.card, version="2")
    assert not turn.prepared
    list(turn.answer(open_one))
    assert backend.encodings == 2


def test_without_a_picture_nothing_is_encoded() -> None:
    turn = talking().answering(ANNA, threading.Event())
    with pytest.raises(PictureError, match=words.NO_PICTURE):
        turn.encoded()
