"""Keeps the one model: loads it in the background, gives it work, lets that be stopped.

A model gets as many calls at once as its card says it takes; most take one.

The model's work runs in threads of its own; who asked only reads a queue. So a browser that goes
away can never hold the model, and a slow reader never keeps others waiting.

The model may be swapped at any moment. A request is answered by the one it began with, however many
calls it makes, and a model that was swapped out is closed when its last request has ended.
"""

from __future__ import annotations

import logging
import queue
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from app import words
from model.errors import BackendError, DeixisError
from model.types import Answer, Delta, Finish

if TYPE_CHECKING:
    from model.backends.base import Backend, Card
    from model.types import Event

Result = TypeVar("Result")
CLICKS = 15
"""The last clicks whose median says how fast the model answers one."""

THRESHOLD = 0.3
"""The score from which boxes are shown while there is no model to say its own."""

_DONE = object()
_LOG = logging.getLogger("deixis")


@dataclass(slots=True, eq=False)
class _Served:
    """A model with the number of requests and threads that still need it."""

    backend: Backend
    users: int = 0
    retired: bool = False
    turns: threading.BoundedSemaphore = field(init=False)
    closed: threading.Event = field(default_factory=threading.Event)
    clicks: deque[int] = field(default_factory=lambda: deque(maxlen=CLICKS))

    def __post_init__(self) -> None:
        self.turns = threading.BoundedSemaphore(self.backend.card.together)


class Host:
    """The model behind the page.

    Args:
        loader: returns the model; called once, in a thread.
        name: shown until the model tells its own.
        seconds: the longest one call may take, waiting included.
        progress: tells what the loader is doing, in words for people.
    """

    def __init__(
        self,
        loader: Callable[[], Backend],
        name: str,
        seconds: float = 120,
        progress: Callable[[], str] = lambda: "",
    ) -> None:
        self._loader, self._seconds, self.progress = loader, seconds, progress
        self.name = name
        self.error = ""
        self._served: _Served | None = None
        self._pinned: dict[threading.Event, _Served] = {}
        self._guard = threading.Lock()
        self._settled = threading.Event()

    def start(self) -> None:
        """Begins to load the model; returns at once."""
        threading.Thread(target=self._load, name="load-model", daemon=True).start()

    def _load(self) -> None:
        try:
            self.swap(self._loader())
        except DeixisError as error:
            self.error = str(error)
        except Exception as error:  # the page must come up and say so, whatever failed
            _LOG.exception("The model could not be loaded")
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._settled.set()

    @property
    def card(self) -> Card | None:
        """The model's card, or None while it loads or if it failed to."""
        return self._served.backend.card if self._served is not None else None

    @property
    def threshold(self) -> float:
        """The score from which boxes are shown, if a person does not choose another."""
        card = self.card
        return THRESHOLD if card is None else card.threshold

    @property
    def click_milliseconds(self) -> int | None:
        """How long the model of now takes to answer a click, measured; None before the first."""
        clicks = list(self._served.clicks) if self._served is not None else []
        return round(statistics.median(clicks)) if clicks else None

    def clicked(self, milliseconds: int) -> None:
        """Remembers how long the model of now took to answer a click."""
        if self._served is not None:
            self._served.clicks.append(milliseconds)

    @property
    def settled(self) -> bool:
        """Whether loading has ended, well or badly."""
        return self._settled.is_set()

    def swap(self, backend: Backend) -> None:
        """Puts another model in place; requests that already run end with the old one."""
        with self._guard:
            old, self._served = self._served, _Served(backend)
        self.error = ""
        self._settled.set()
        if old is not None:
            self._release(old, retire=True)

    def put_away(self, coming: str) -> None:
        """Lets the model go before the next one is there, so that both need not fit into memory.

        Returns when it is closed, which is when its last request has ended. Others wait for the
        next `swap`, or for `give_up`.

        Args:
            coming: name of the next one, shown meanwhile.
        """
        with self._guard:
            old, self._served = self._served, None
            self._settled.clear()
        self.name = coming
        if old is not None:
            self._release(old, retire=True)
            old.closed.wait(self._seconds)

    def give_up(self, error: str) -> None:
        """Tells everybody who waits that there will be no model, and why."""
        self.error = error
        self._settled.set()

    def wait(self, stop: threading.Event) -> Backend:
        """Returns the model as soon as it is loaded.

        Raises:
            BackendError: it could not be loaded, or not in time, or `stop` was set.
        """
        with self.request(stop) as backend:
            return backend

    @contextmanager
    def request(self, stop: threading.Event) -> Iterator[Backend]:
        """Ties every call with this stop signal to the model of now, whatever is swapped meanwhile.

        Raises:
            BackendError: see `wait`.
        """
        served = self._take(stop)
        with self._guard:
            before = self._pinned.get(stop)
            self._pinned[stop] = served
        try:
            yield served.backend
        finally:
            with self._guard:
                if before is None:
                    del self._pinned[stop]
            self._release(served)

    def _take(self, stop: threading.Event) -> _Served:
        """Returns the model a request is tied to, or that of now, and counts one more user."""
        deadline = time.monotonic() + self._seconds
        # Who is tied to a model that is being put away must come to an end with it.
        while stop not in self._pinned and not self._settled.wait(0.05):
            if stop.is_set() or time.monotonic() > deadline:
                raise BackendError(words.STILL_LOADING.format(name=self.name))
        with self._guard:
            served = self._pinned.get(stop) or self._served
            if served is None:
                raise BackendError(words.NOT_LOADED.format(error=self.error))
            served.users += 1
            return served

    def _release(self, served: _Served, *, retire: bool = False) -> None:
        """Counts one user less, or takes a model out of service; the last one out closes it."""
        with self._guard:
            served.retired |= retire
            served.users -= not retire
            over = served.retired and not served.users
        if over:
            served.backend.close()
            served.closed.set()

    def call(self, work: Callable[[Backend], Result], stop: threading.Event) -> Result:
        """Returns what `work` makes of the model.

        Raises:
            BackendError: the model is missing or took too long.
            DeixisError: whatever `work` raised.
        """
        results = list(self._run(lambda backend: iter((work(backend),)), stop))
        if not results:
            raise BackendError(words.MODEL_STOPPED)
        return cast("Result", results[0])

    def stream(
        self,
        ask: Callable[[Backend, Callable[[], bool]], Iterator[Event]],
        stop: threading.Event,
        patience: float | None = None,
    ) -> Iterator[Event | None]:
        """Yields the events of an answer and ends with an `Answer`, also when it was stopped.

        Args:
            ask: asks the model; gets what tells whether to stop.
            stop: ends the answer.
            patience: seconds of silence after which None is yielded, again and again.
        """
        said, whole = "", False
        for event in self._run(lambda backend: ask(backend, stop.is_set), stop, patience):
            whole = isinstance(event, Answer)
            said += event.text if isinstance(event, Delta) else ""
            yield event
        if not whole:
            yield Answer(said, finish=Finish.CANCELLED)

    def _run(
        self,
        work: Callable[[Backend], Iterator[Result]],
        stop: threading.Event,
        patience: float | None = None,
    ) -> Iterator[Result | None]:
        served = self._take(stop)
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(
            target=self._work, args=(served, work, stop, results), name="answer", daemon=True
        ).start()
        deadline = time.monotonic() + self._seconds
        ended = False
        try:
            while not ended:
                result = self._next(results, deadline, patience)
                ended = result is _DONE
                if isinstance(result, Exception):
                    raise result
                if not ended:
                    yield result
        finally:
            if not ended:  # whoever asked has gone away, or waited too long
                stop.set()

    def _next(
        self, results: queue.SimpleQueue[Any], deadline: float, patience: float | None
    ) -> Any:  # noqa: ANN401
        """Returns what comes next, or None if nothing does for `patience` seconds."""
        left = max(0.0, deadline - time.monotonic())
        try:
            return results.get(timeout=left if patience is None else min(left, patience))
        except queue.Empty:
            if time.monotonic() < deadline:
                return None
            raise BackendError(words.NO_ANSWER.format(seconds=self._seconds)) from None

    def _work(
        self,
        served: _Served,
        work: Callable[[Backend], Iterator[Any]],
        stop: threading.Event,
        results: queue.SimpleQueue[Any],
    ) -> None:
        """Puts every result of `work` in the queue; what it raises too."""
        try:
            while not served.turns.acquire(timeout=0.05):
                if stop.is_set():
                    return
            try:
                for result in work(served.backend):
                    results.put(result)
            finally:
                served.turns.release()
        except Exception as error:
            results.put(error)
        finally:
            self._release(served)
            results.put(_DONE)
