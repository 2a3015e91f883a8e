"""Answers questions: what the model says reaches a person's desk through `host`, word by word.

The desk goes in and comes out, again and again, as the answer on it grows. What of it people see
is the business of `views`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import handlers, words
from model.errors import DeixisError, PictureError
from model.types import Answer, Capability, Finish

if TYPE_CHECKING:
    from app.host import Host
    from app.intake import Picture
    from app.session import Desk, Exchange, Key, People
    from model.backends.base import Backend, Card, EncodedPicture
    from model.types import Event

STREAM_INTERVAL = 0.05
"""Seconds between two pictures of a growing answer; faster is not seen, only sent.

What is answered within that time is not shown growing at all.
"""

_LOG = logging.getLogger("deixis")


@dataclass(frozen=True, slots=True)
class Answering:
    """One person's turn with the one model.

    Attributes:
        people: whose desks there are.
        host: gives access to the model.
        key: whose turn it is.
        stop: ends the turn, and the wait for the model.
    """

    people: People
    host: Host
    key: Key
    stop: threading.Event

    @property
    def prepared(self) -> bool:
        """Whether the model is there and has read the picture on the desk."""
        desk, card = self._desk(), self.host.card
        return bool(card and desk.picture and desk.encoding(desk.picture.key, _version(card)))

    def encoded(self, picture: Picture | None = None) -> EncodedPicture:
        """Returns a picture as the model keeps it, encoding it at most once for a person.

        Args:
            picture: None takes the one on the desk.

        Raises:
            DeixisError: there is no picture, or the model refuses it or does not come.
        """
        desk = self._desk()
        picture = picture or desk.picture
        if picture is None:
            raise PictureError(words.NO_PICTURE)
        with self.host.request(self.stop) as backend:
            version = _version(backend.card)
            kept = desk.encoding(picture.key, version)
            if kept is not None:
                return kept
            image = picture.image
            encoded = self.host.call(lambda model: model.encode(image), self.stop)
        self._change(lambda now: now.with_encoding(picture.key, version, encoded))
        return encoded

    def answer(self, exchange: Exchange) -> Iterator[Desk]:
        """Answers an open exchange; yields the desk as often as it is worth another look.

        An answer that comes at once yields nothing. What goes wrong is told on the desk.
        """
        prepared = self.prepared
        try:
            if not prepared:
                yield self._desk()
            with self.host.request(self.stop):
                yield from self._grown(exchange, seen=not prepared)
        except Exception as error:
            message = told(error)
            self._change(lambda now: handlers.fail(now, exchange.number, message))
        finally:
            # However this ends, also when the browser has gone: no exchange stays open.
            self._change(lambda now: handlers.close(now, exchange.number))

    def _grown(self, exchange: Exchange, seen: bool) -> Iterator[Desk]:
        """Yields the desk as the answer grows, and keeps the answer.

        Args:
            exchange: to be answered.
            seen: whether the question is on the page already.
        """
        encoded = self.encoded()
        started = shown = time.perf_counter()
        for event in self._events(exchange, encoded):
            if isinstance(event, Answer):
                self._keep(exchange, event, since(started))
                return
            if event is not None:
                said = event.text
                self._change(lambda now, said=said: handlers.grow(now, exchange.number, said))
                seen = False
            if not seen and time.perf_counter() - shown > STREAM_INTERVAL:
                shown, seen = time.perf_counter(), True
                yield self._desk()

    def _events(self, exchange: Exchange, encoded: EncodedPicture) -> Iterator[Event | None]:
        """Yields the model's events for an exchange, and None while it is silent."""
        desk = self._desk()

        def ask(model: Backend, stopped: Callable[[], bool]) -> Iterator[Event]:
            if exchange.names:
                floor = handlers.DETECT_FLOOR
                return iter((model.detect(encoded, exchange.names, threshold=floor),))
            if exchange.task is not None:
                model.require(exchange.task)
            return model.stream(
                encoded,
                exchange.question,
                regions=exchange.regions,
                history=handlers.history(desk, exchange.number, model.card.threshold),
                task=exchange.task,
                stop=stopped,
            )

        return self.host.stream(ask, self.stop, patience=STREAM_INTERVAL)

    def _keep(self, exchange: Exchange, answer: Answer, spent: int) -> None:
        desk = self._change(lambda now: handlers.finish(now, exchange.number, answer, spent))
        here = desk.exchange(exchange.number) is not None
        if here and exchange.task is Capability.CLICK and answer.finish is not Finish.CANCELLED:
            self.host.clicked(spent)

    def _desk(self) -> Desk:
        return self.people.desk(self.key)

    def _change(self, change: Callable[[Desk], Desk]) -> Desk:
        return self.people.change(self.key, change)


def told(error: Exception) -> str:
    """Returns what a person reads of an error; one that nobody foresaw is told to the log."""
    if isinstance(error, DeixisError):
        return str(error)
    _LOG.error("An answer broke off", exc_info=error)
    return words.BROKEN


def since(started: float) -> int:
    """Returns the milliseconds since a moment of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - started))


def _version(card: Card) -> str:
    """Returns what tells how a picture was encoded: by which model, and which of its versions."""
    return f"{card.name} {card.version}"
