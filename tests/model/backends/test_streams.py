"""Work in a thread, read as a stream."""

from __future__ import annotations

import threading

import pytest

from model.backends.streams import Sink, pump


def test_items_arrive_in_order() -> None:
    def work(sink: Sink[int]) -> None:
        for i in range(5):
            sink.put(i)

    assert list(pump(work)) == [0, 1, 2, 3, 4]


def test_an_error_of_the_work_is_raised_after_its_items() -> None:
    def work(sink: Sink[int]) -> None:
        sink.put(1)
        raise ValueError("broken")

    stream = pump(work)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_stopping_does_not_wait_for_the_work() -> None:
    free, ended = threading.Event(), threading.Event()

    def work(sink: Sink[int]) -> None:
        free.wait(30)
        ended.set()

    assert list(pump(work, stop=lambda: True)) == []
    assert not ended.is_set()
    free.set()
    assert ended.wait(30)


def test_a_reader_who_leaves_is_noticed_and_wakes_the_work() -> None:
    woken = threading.Event()

    def work(sink: Sink[int]) -> None:
        sink.cancel = woken.set
        sink.put(1)
        woken.wait(30)
        assert sink.gone

    stream = pump(work)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert woken.wait(30)
