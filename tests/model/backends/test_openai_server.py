"""Served models: what is sent, what comes back, and every way a server can fail."""

from __future__ import annotations

import base64
import io
import logging
import socket
from collections.abc import Iterator

import pytest
from PIL import Image

from model.backends.channel import Address, Breaker, Limits
from model.backends.openai_server import KEY, OpenAIServerBackend
from model.errors import BackendError
from model.types import (
    Answer,
    Box,
    Capability,
    Delta,
    Finish,
    Phrase,
    Point,
    Points,
    Region,
    Turn,
)
from tests.model.backends.fake_server import FakeServer, serving
from tests.model.backends.tiny import picture

QUICK = Limits(connect=2, read=2, whole=10, backoff=0.01, patience=0.02, body=512 * 1024)
SECRET = "sk-very-secret"


def backend(
    server: FakeServer, limits: Limits = QUICK, model: str = "Qwen/Qwen3-VL-2B", key: str = ""
) -> OpenAIServerBackend:
    return OpenAIServerBackend(Address(server.url, model), key, limits)


def ask(server: FakeServer, limits: Limits = QUICK) -> Answer:
    return backend(server, limits).answer(picture(), "What is it?")


def test_an_answer_streams_with_boxes_and_scores() -> None:
    with serving("well") as server:
        served = backend(server)
        assert served.card.scores == ""
        *deltas, answer = served.stream(picture(), "What is it?")
    assert deltas[0] == Delta("It is")
    assert isinstance(answer, Answer)
    assert answer.text == "It is a cat."
    assert answer.finish is Finish.STOP
    (found,) = answer.groundings
    assert found.phrase == Phrase("cat", 8, 11)
    assert found.boxes == (Box(0.1, 0.2, 0.3, 0.4),)
    assert found.scores[0] == pytest.approx(0.6065, abs=1e-3)
    assert served.card.scores == "token probability"


def test_the_conversation_is_sent_with_the_picture_first() -> None:
    square = Region("@1", Box(0, 0, 0.5, 0.5))
    history = [Turn("What is @1?", Answer("a square"), (square,))]
    with serving("well") as server:
        backend(server).answer(picture(), "Is @1 red?", history=history)
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert "authorization" not in {name.lower() for name in headers}
    assert (body["model"], body["stream"], body["temperature"]) == ("Qwen/Qwen3-VL-2B", True, 0)
    assert [message["role"] for message in body["messages"]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    image, text = body["messages"][1]["content"]
    kind, data = image["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (168, 112)
    assert text["text"] == "What is the thing in the box [0, 0, 500, 500]?"
    assert body["messages"][3]["content"] == "Is the thing in the box [0, 0, 500, 500] red?"


def test_qwen25_is_spoken_to_in_pixels_of_what_was_sent() -> None:
    with serving("well") as server:
        server.words = ['[{"bbox_2d": [0, 0, 84, 112], "label": "cat"}]']
        served = backend(server, model="Qwen2.5-VL-7B")
        answer = served.answer(picture(), "the cat", task=Capability.REFER)
    assert answer.groundings[0].boxes == (Box(0, 0, 0.5, 1),)


def test_a_model_that_reads_no_places_is_shown_a_cut_out() -> None:
    square = Region("@1", Box(20 / 160, 20 / 120, 71 / 160, 71 / 120))
    whole = picture()
    with serving("well") as server:
        server.words = ["A red square."]
        served = backend(server, model="llava-hf/llava-1.5-7b-hf")
        assert "cut-out" in served.card.regions
        assert served.card.mechanism == "none"
        assert Capability.DETECT not in served.card.capabilities
        encoded = served.encode(whole)
        answer = served.describe_region(encoded, square.shape)
        served.answer(encoded, "Is @1 red?", regions=[square])
        served.answer(encoded, "Is anything red?")
    assert answer == Answer("A red square.", finish=Finish.STOP)
    sent = [body["messages"][0]["content"] for _, _, body in server.requests]
    pictures = [_decoded(image["image_url"]["url"]) for image, _ in sent]
    assert [text["text"] for _, text in sent] == [
        "What does the picture show? Answer in a few words.",
        "Is what the picture shows red?",
        "Is anything red?",
    ]
    for cut in pictures[:2]:
        assert abs(cut.width / cut.height - 1) < 0.1, "the square and a margin"
        red, _, blue = cut.getpixel((cut.width // 2, cut.height // 2))
        assert red > 200
        assert blue < 60
    assert pictures[2].size == (168, 112)


@pytest.mark.parametrize(
    "shape", [Box(0.99, 0.99, 1, 1), Points((Point(0, 0),)), Box(0, 0, 1, 1)], ids=str
)
def test_a_cut_out_at_the_edge_stays_in_the_picture(shape: Box | Points) -> None:
    with serving("well") as server:
        served = backend(server, model="llava")
        cut = served.cut_out(served.encode(picture()), Region("@1", shape))
    assert 0 < cut.size.width <= 160
    assert 0 < cut.size.height <= 120


def _decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_a_large_picture_is_shrunk() -> None:
    with serving("well") as server:
        served = backend(server)
        shown = served.shown(served.encode(picture(3000, 2000)))
    assert shown.width * shown.height < 1.1e6
    assert shown.width / shown.height == pytest.approx(1.5, abs=0.05)


FAILURES = {
    "garbage": "no answer",
    "long_line": "more than an answer",
    "redirect": "not followed",
    "wrong_type": "text/html",
    "nothing": "without an answer",
    "always_busy": "503",
    "refuse": "no such model",
}


@pytest.mark.parametrize(("mode", "message"), FAILURES.items(), ids=FAILURES)
def test_a_failing_server_is_reported_plainly(mode: str, message: str) -> None:
    with serving(mode) as server, pytest.raises(BackendError, match=message):
        ask(server)
    assert all(path != "GET" for path, *_ in server.requests)


def test_a_server_that_is_down_is_named() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    down = OpenAIServerBackend(Address(f"http://127.0.0.1:{port}/v1", "m"), "", QUICK)
    with pytest.raises(BackendError, match=f"Nothing answers at http://127.0.0.1:{port}"):
        down.answer(picture(), "What is it?")


def test_a_server_that_stalls_is_given_up() -> None:
    limits = Limits(read=0.2, backoff=0.01)
    with serving("slow") as server:
        with pytest.raises(BackendError, match="sent nothing"):
            ask(server, limits)
        # Words were out already, so it is not asked again.
        assert len(server.requests) == 1


def test_an_endless_answer_is_cut() -> None:
    with serving("endless") as server:
        answer = ask(server)
    assert answer.finish is Finish.LENGTH
    assert len(answer.text) < 20_000


def test_a_broken_off_answer_is_kept_and_marked() -> None:
    with serving("half") as server:
        answer = ask(server)
    assert (answer.text, answer.finish) == ("It is a ca", Finish.ERROR)


def test_a_busy_server_is_asked_again() -> None:
    with serving("busy") as server:
        answer = ask(server)
    assert answer.text == "It is a cat."
    assert len(server.requests) == 3


def test_strange_events_add_nothing() -> None:
    with serving("strange") as server:
        assert ask(server).text == "fine"


def test_a_server_without_probabilities_is_asked_without() -> None:
    with serving("no_logprobs") as server:
        served = backend(server)
        answers = [served.answer(picture(), "What is it?") for _ in range(2)]
    assert {answer.text for answer in answers} == {"It is a cat."}
    assert answers[0].groundings[0].scores == (1.0,)
    assert served.card.scores == ""
    assert len(server.requests) == 3


def test_stopping_hangs_up() -> None:
    with serving("slow") as server:
        asked = False
        events = backend(server, Limits(read=60)).stream(
            picture(), "What is it?", stop=lambda: asked
        )
        next(events)
        asked = True
        *_, answer = events
        assert isinstance(answer, Answer)
        assert answer.finish is Finish.CANCELLED
        assert server.hung_up.wait(10)


def test_a_reader_who_leaves_hangs_up() -> None:
    with serving("slow") as server:
        events = backend(server, Limits(read=60)).stream(picture(), "What is it?")
        next(events)
        events.close()  # type: ignore[attr-defined]
        assert server.hung_up.wait(10)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        for name in ("httpx", "httpcore", "deixis"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield caplog
        for name in ("httpx", "httpcore", "deixis"):
            logging.getLogger(name).setLevel(logging.NOTSET)


def test_the_key_comes_from_the_environment_and_is_never_told(
    monkeypatch: pytest.MonkeyPatch, everything_logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    with serving("refuse") as server:
        served = OpenAIServerBackend.open(f"openai:{server.url}#m")
        with pytest.raises(BackendError) as caught:
            served.answer(picture(), "What is it?")
    assert server.requests[0][1]["Authorization"] == f"Bearer {SECRET}"
    told = [str(caught.value), repr(caught.value), str(served.card), repr(served)]
    assert SECRET not in " ".join(told) + everything_logged.text


@pytest.mark.parametrize(
    "text",
    [
        "openai:", "openai:http://host/v1", "openai:ftp://host/v1#m", "openai:http://#m",
        "openai:http://user:pass@host/v1#m", "openai:http://host/v1#", "openai:http://host/v1?a#m",
        "openai:file:///etc/passwd#m", "openai:http://host /v1#m",
    ],
)  # fmt: skip
def test_addresses_are_checked(text: str) -> None:
    with pytest.raises(BackendError, match="openai:http"):
        Address.parse(text)


def test_an_address_is_read() -> None:
    address = Address.parse("openai:https://gpu.example:8000/v1/#Qwen/Qwen3-VL-8B-Instruct")
    assert address == Address("https://gpu.example:8000/v1", "Qwen/Qwen3-VL-8B-Instruct")


def test_the_breaker_opens_and_closes() -> None:
    now = [0.0]
    breaker = Breaker(trips=2, rest=30, clock=lambda: now[0])
    breaker.note(failed=True)
    breaker.check("s")
    breaker.note(failed=True)
    with pytest.raises(BackendError, match="30 s"):
        breaker.check("s")
    now[0] = 31
    breaker.check("s")
    breaker.note(failed=True)
    with pytest.raises(BackendError):
        breaker.check("s")
    now[0] = 62
    breaker.note(failed=False)
    breaker.note(failed=True)
    breaker.check("s")


def test_a_server_that_keeps_failing_is_left_alone() -> None:
    with serving("always_busy") as server:
        served = backend(server, Limits(backoff=0.01, tries=1, trips=2))
        for _ in range(2):
            with pytest.raises(BackendError, match="busy or failing"):
                served.answer(picture(), "What is it?")
        with pytest.raises(BackendError, match="in a row"):
            served.answer(picture(), "What is it?")
        assert len(server.requests) == 2


def test_refusals_do_not_open_the_breaker() -> None:
    with serving("refuse") as server:
        served = backend(server, Limits(trips=1))
        for _ in range(2):
            with pytest.raises(BackendError, match="404"):
                served.answer(picture(), "What is it?")
