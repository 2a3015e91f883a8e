"""The one model: loaded in the background, one call at a time, stopped on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from PIL import Image

from app.host import Host
from model.errors import BackendError, CheckpointError, QuestionError
from model.types import Answer, Delta, Event, Finish
from tests.fakes import FakeBackend

PICTURE = Image.new("RGB", (8, 8))


def ready(backend: FakeBackend | None = None, seconds: float = 30) -> Host:
    model = backend or FakeBackend()
    host = Host(lambda: model, "fake", seconds)
    host.start()
    host.wait(threading.Event())
    return host


def stream(host: Host, stop: threading.Event, text: str = "Describe it.") -> Iterator[Event]:
    return host.stream(lambda model, stopped: model.stream(PICTURE, text, stop=stopped), stop)


def test_loading_shows_in_the_card_and_calls_wait_for_it() -> None:
    gate = threading.Event()

    def load() -> FakeBackend:
        gate.wait(30)
        return FakeBackend()

    host = Host(load, "fake")
    host.start()
    assert (host.card, host.settled) == (None, False)
    gate.set()
    assert host.call(lambda model: model.card.name, threading.Event()) == "fake-tiny"
    assert host.card is not None


@pytest.mark.parametrize("error", [CheckpointError("no such folder"), ValueError("no such folder")])
def test_a_model_that_fails_to_load_says_why(error: Exception) -> None:
    def load() -> FakeBackend:
        raise error

    host = Host(load, "fake")
    host.start()
    with pytest.raises(BackendError, match="no such folder"):
        host.wait(threading.Event())
    assert host.settled


def test_who_stops_waiting_for_the_model_is_told() -> None:
    host, stop = Host(FakeBackend, "fake"), threading.Event()
    stop.set()
    with pytest.raises(BackendError, match="still loading"):
        host.wait(stop)


def test_a_stream_ends_with_its_answer() -> None:
    events = list(stream(ready(), threading.Event()))
    assert isinstance(events[-1], Answer)
    assert "".join(e.text for e in events if isinstance(e, Delta)) == events[-1].text


def test_a_stopped_stream_keeps_what_was_said() -> None:
    stop, said = threading.Event(), []
    for event in stream(ready(FakeBackend(pause=0.01)), stop):
        said.append(event)
        stop.set()
    assert isinstance(said[-1], Answer)
    assert said[-1].finish is Finish.CANCELLED
    assert len(said) < 10


def test_errors_of_the_model_reach_who_asked() -> None:
    def ask(model: object) -> None:
        raise QuestionError("too long")

    with pytest.raises(QuestionError, match="too long"):
        ready().call(ask, threading.Event())


def test_who_leaves_in_the_middle_frees_the_model() -> None:
    host, stop = ready(FakeBackend(pause=0.01)), threading.Event()
    events = stream(host, stop)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert stop.is_set()
    assert host.call(lambda model: "free", threading.Event()) == "free"


def test_calls_run_one_at_a_time() -> None:
    host, inside, most = ready(), [0], [0]
    lock = threading.Lock()

    def work(model: object) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most)
        with lock:
            most[0] = max(most[0], inside[0])
            inside[0] -= 1

    threads = [
        threading.Thread(target=lambda: host.call(work, threading.Event())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_call_that_takes_too_long_is_given_up() -> None:
    gate = threading.Event()
    host = ready(seconds=0.2)
    with pytest.raises(BackendError, match="No answer within"):
        host.call(lambda model: gate.wait(30), threading.Event())
    gate.set()


def test_another_model_takes_over() -> None:
    host = ready()
    host.swap(FakeBackend(name="better"))
    assert host.call(lambda model: model.card.name, threading.Event()) == "better"


def test_how_fast_clicks_are_answered_is_measured_for_each_model() -> None:
    host = Host(FakeBackend, "fake")
    host.clicked(5)  # nobody answers yet
    assert host.click_milliseconds is None
    host.swap(FakeBackend())
    for spent in (90, 2_000, 110):
        host.clicked(spent)
    assert host.click_milliseconds == 110
    host.swap(FakeBackend())
    assert host.click_milliseconds is None


def test_a_request_ends_with_the_model_it_began_with_which_is_then_closed() -> None:
    old, new, stop = Closing(name="old"), Closing(name="new"), threading.Event()
    host = ready(old)

    def name(stop: threading.Event) -> str:
        return host.call(lambda model: model.card.name, stop)

    with host.request(stop):
        host.swap(new)
        with host.request(stop):  # a part of the same request
            assert name(stop) == "old"
        assert name(stop) == "old"
        assert name(threading.Event()) == "new"
        assert not old.closed.is_set()
    assert old.closed.wait(60)
    assert name(stop) == "new"
    assert not new.closed.is_set()


class Closing(FakeBackend):
    """Tells when it is closed."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_a_model_is_not_closed_under_a_call_that_was_given_up() -> None:
    old, gate, begun = Closing(name="old"), threading.Event(), threading.Event()
    host = ready(old, seconds=0.2)

    def work(model: object) -> None:
        begun.set()
        gate.wait(60)

    with pytest.raises(BackendError, match="No answer within"):
        host.call(work, threading.Event())
    assert begun.is_set()
    host.swap(FakeBackend(name="new"))
    assert not old.closed.is_set()
    gate.set()
    assert old.closed.wait(60)


def test_a_model_that_ends_without_an_answer_still_gives_one() -> None:
    def ask(model: object, stopped: Callable[[], bool]) -> Iterator[Event]:
        yield Delta("half")

    events = list(ready().stream(ask, threading.Event()))
    assert events[-1] == Answer("half", finish=Finish.CANCELLED)


@pytest.mark.parametrize("together", [1, 2])
def test_a_model_gets_as_many_calls_at_once_as_it_takes(together: int) -> None:
    model = FakeBackend()
    model.card = replace(model.card, together=together)
    host, free = ready(model), threading.Event()
    inside = threading.Semaphore(0)

    def work(_: object) -> bool:
        inside.release()
        return free.wait(30)

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(host.call, work, threading.Event()) for _ in range(3)]
        assert all(inside.acquire(timeout=30) for _ in range(together))
        assert not inside.acquire(timeout=0.3)
        free.set()
        assert all(call.result() for call in calls)
