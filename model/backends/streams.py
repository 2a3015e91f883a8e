"""Work in a thread of its own, read as a stream that can be stopped within a moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Stop = Callable[[], bool]

_INTERVAL = 0.1
"""Seconds between two looks at `stop` while nothing arrives."""


class Sink(Generic[Item]):
    """Where the work puts what it makes, and learns that nobody reads on."""

    def __init__(self, stop: Stop | None) -> None:
        self._stop = stop
        self.queue: queue.SimpleQueue[Item | _End] = queue.SimpleQueue()
        self.left = threading.Event()
        self.cancel: Callable[[], None] | None = None
        """What wakes the work if it waits for something; called when the reader leaves."""

    @property
    def gone(self) -> bool:
        """Whether the reader has left or asked to stop; the work should end soon."""
        return self.left.is_set() or (self._stop is not None and self._stop())

    def put(self, item: Item) -> None:
        """Hands an item to the reader."""
        self.queue.put(item)


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def pump(work: Callable[[Sink[Item]], None], stop: Stop | None = None) -> Iterator[Item]:
    """Yields what `work` puts into its sink, running it in a thread.

    Ends early, without waiting for the thread, once `stop` returns True; closing the iterator
    tells the work to end, too. An exception of the work is raised here.
    """
    sink: Sink[Item] = Sink(stop)

    def run() -> None:
        try:
            work(sink)
        except BaseException as error:
            sink.queue.put(_End(error))
        else:
            sink.queue.put(_End())

    threading.Thread(target=run, name="backend-work", daemon=True).start()
    try:
        while True:
            try:
                item = sink.queue.get(timeout=_INTERVAL)
            except queue.Empty:
                if sink.gone:
                    return
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        sink.left.set()
        if sink.cancel is not None:
            sink.cancel()
