"""Keeps the one model: loads it in the background, serialises its calls, lets them be stopped.

The model's work runs in threads of its own; who asked only reads a queue. So a browser that goes
away can never hold the model, and a slow reader never keeps others waiting.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from app import words
from model.errors import BackendError, DeixisError
from model.types import Answer, Finish

if TYPE_CHECKING:
    from model.backends.base import Backend, Card
    from model.types import Event

Result = TypeVar("Result")
_DONE = object()
_LOG = logging.getLogger("deixis")


class Host:
    """The model behind the page.

    Args:
        loader: returns the model; called once, in a thread.
        name: shown until the model tells its own.
        seconds: the longest one call may take, waiting included.
    """

    def __init__(self, loader: Callable[[], Backend], name: str, seconds: float = 120) -> None:
        self._loader, self._seconds = loader, seconds
        self.name = name
        self.error = ""
        self._backend: Backend | None = None
        self._settled = threading.Event()
        self._turn = threading.Lock()

    def start(self) -> None:
        """Begins to load the model; returns at once."""
        threading.Thread(target=self._load, name="load-model", daemon=True).start()

    def _load(self) -> None:
        try:
            self._backend = self._loader()
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
        return self._backend.card if self._backend is not None else None

    @property
    def settled(self) -> bool:
        """Whether loading has ended, well or badly."""
        return self._settled.is_set()

    def swap(self, backend: Backend) -> None:
        """Puts another model in place; calls that already run end with the old one."""
        self._backend, self.error = backend, ""
        self._settled.set()

    def wait(self, stop: threading.Event) -> Backend:
        """Returns the model as soon as it is loaded.

        Raises:
            BackendError: it could not be loaded, or not in time, or `stop` was set.
        """
        deadline = time.monotonic() + self._seconds
        while not self._settled.wait(0.05):
            if stop.is_set() or time.monotonic() > deadline:
                raise BackendError(f"{self.name} is still loading; ask again in a moment.")
        if self._backend is None:
            raise BackendError(words.NOT_LOADED.format(error=self.error))
        return self._backend

    def call(self, work: Callable[[Backend], Result], stop: threading.Event) -> Result:
        """Returns what `work` makes of the model, alone with it.

        Raises:
            BackendError: the model is missing or took too long.
            DeixisError: whatever `work` raised.
        """
        results = list(self._run(lambda backend: iter((work(backend),)), stop))
        if not results:
            raise BackendError("The model was stopped before it had an answer; ask again.")
        return results[0]

    def stream(
        self, ask: Callable[[Backend, Callable[[], bool]], Iterator[Event]], stop: threading.Event
    ) -> Iterator[Event]:
        """Yields the events of an answer and ends with an `Answer`, also when it was stopped."""
        said, whole = "", False
        for event in self._run(lambda backend: ask(backend, stop.is_set), stop):
            whole = isinstance(event, Answer)
            said += "" if isinstance(event, Answer) else event.text
            yield event
        if not whole:
            yield Answer(said, finish=Finish.CANCELLED)

    def _run(
        self, work: Callable[[Backend], Iterator[Result]], stop: threading.Event
    ) -> Iterator[Result]:
        backend = self.wait(stop)
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(
            target=self._work, args=(backend, work, stop, results), name="answer", daemon=True
        ).start()
        deadline = time.monotonic() + self._seconds
        ended = False
        try:
            while not ended:
                try:
                    result = results.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise BackendError(
                        f"No answer within {self._seconds:.0f} s; ask something shorter."
                    ) from None
                ended = result is _DONE
                if isinstance(result, Exception):
                    raise result
                if not ended:
                    yield result
        finally:
            if not ended:  # whoever asked has gone away, or waited too long
                stop.set()

    def _work(
        self,
        backend: Backend,
        work: Callable[[Backend], Iterator[Any]],
        stop: threading.Event,
        results: queue.SimpleQueue[Any],
    ) -> None:
        """Puts every result of `work` in the queue; what it raises too."""
        try:
            while not self._turn.acquire(timeout=0.05):
                if stop.is_set():
                    return
            try:
                for result in work(backend):
                    results.put(result)
            finally:
                self._turn.release()
        except Exception as error:
            results.put(error)
        finally:
            results.put(_DONE)
