"""What lies on each person's desk, kept apart by an HttpOnly cookie and the browser tab.

A desk is frozen; changing it means putting a new one. Desks are bounded in number and age, and
nothing on them can be reached without the cookie they were made with.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from model.types import Answer, Capability, Region

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.intake import Picture
    from app.samples import Sample
    from model.backends.base import EncodedPicture

COOKIE = "deixis_person"
"""Names a person; the guards set it, HttpOnly, so that no script can give it away."""

ADMIN_HEADER = "x-deixis-admin"
"""Set by the guards alone, on requests of the admin; whatever comes from outside is removed."""

ENCODED_KEPT = 4
"""Encoded pictures kept for a person, so that going back to a picture costs nothing."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question on the desk and what came of it.

    Attributes:
        number: counts up within a desk, never reused.
        question: as typed or as a button worded it.
        regions: shapes the question speaks of.
        task: what a button pinned; None for free text.
        names: class names to be found; empty unless this is a detection.
        text: words streamed so far.
        answer: None until it is whole.
        error: a message for the person if answering failed.
        milliseconds: how long the model took.
    """

    number: int
    question: str
    regions: tuple[Region, ...] = ()
    task: Capability | None = None
    names: tuple[str, ...] = ()
    text: str = ""
    answer: Answer | None = None
    error: str = ""
    milliseconds: int = 0

    @property
    def open(self) -> bool:
        """Whether the answer is still growing."""
        return self.answer is None and not self.error


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything one browser tab is working on.

    Attributes:
        picture: None until one was opened.
        title: words for the picture, shown and read aloud; hostile text.
        sample: which sample it is, if it is one.
        exchanges: the conversation about this picture, oldest first.
        encoded: picture's key, model's version, and the picture as it keeps it; newest last.
        shown: number of the exchange whose boxes are on display; None shows the plain picture.
        threshold: chosen by the person; None follows the model's card.
        style: how boxes are drawn.
        heat: whether the words' heat map is drawn.
        screen: longer side in pixels at which the picture is shown, and pixels for each point.
        next_number: number of the next exchange.
        reopened: the saved example that saving would replace.
    """

    picture: Picture | None = None
    title: str = ""
    sample: Sample | None = None
    exchanges: tuple[Exchange, ...] = ()
    encoded: tuple[tuple[str, str, EncodedPicture], ...] = ()
    shown: int | None = None
    threshold: float | None = None
    style: str = "rounded"
    heat: bool = False
    screen: tuple[int, float] = (1280, 1.6)
    next_number: int = 1
    reopened: str | None = None

    def exchange(self, number: int | None) -> Exchange | None:
        """Returns the exchange with this number, if it is still here."""
        return next((item for item in self.exchanges if item.number == number), None)

    def replaced(self, exchange: Exchange) -> Desk:
        """Returns the desk with the exchange of the same number replaced, if it is still here."""
        return replace(
            self,
            exchanges=tuple(
                exchange if item.number == exchange.number else item for item in self.exchanges
            ),
        )

    def encoding(self, key: str, version: str) -> EncodedPicture | None:
        """Returns a picture as the model of that version keeps it, if it was encoded."""
        return next((kept for *name, kept in self.encoded if name == [key, version]), None)

    def with_encoding(self, key: str, version: str, encoded: EncodedPicture) -> Desk:
        """Returns the desk with one more encoded picture, forgetting the oldest beyond the cap."""
        others = tuple(item for item in self.encoded if item[:2] != (key, version))
        return replace(self, encoded=(*others, (key, version, encoded))[-ENCODED_KEPT:])


def is_admin(headers: Mapping[str, str]) -> bool:
    """Returns whether a request comes from the admin.

    Ask inside every function that trains, swaps or deletes: an endpoint that is not shown can be
    called all the same.
    """
    return headers.get(ADMIN_HEADER) == "yes"


Key = tuple[str, str]
"""A person's cookie and the browser tab."""


def key_of(request: Any) -> Key:  # noqa: ANN401
    """Returns whose desk a `gr.Request` may touch.

    Who steals only a tab's hash gets an empty desk. Gradio fills in cookies at run time, where no
    type checker sees them.
    """
    return str(request.cookies.get(COOKIE, "")), str(request.session_hash or "")


@dataclass(slots=True)
class _Place:
    """A desk with what cannot be frozen: when it was last used and what runs for it."""

    desk: Desk = field(default_factory=Desk)
    used: float = 0.0
    run: threading.Event | None = None


class People:
    """All desks; safe to use from several threads.

    Args:
        limit: most desks kept; the longest idle is forgotten.
        age: seconds after which an idle desk is forgotten.
        clock: seconds that only grow; replaced in tests.
    """

    def __init__(
        self, limit: int = 1_000, age: float = 3_600, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._age, self._clock = limit, age, clock
        self._places: OrderedDict[Key, _Place] = OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """Returns how many desks are kept."""
        with self._lock:
            self._sweep()
            return len(self._places)

    def desk(self, key: Key) -> Desk:
        """Returns a person's desk; an empty one for somebody new."""
        with self._lock:
            return self._place(key).desk

    def change(self, key: Key, change: Callable[[Desk], Desk]) -> Desk:
        """Replaces a person's desk by what `change` makes of it, and returns it."""
        with self._lock:
            place = self._place(key)
            place.desk = change(place.desk)
            return place.desk

    def begin(self, key: Key) -> threading.Event:
        """Returns the stop signal of a new run, and stops what ran before for the same person."""
        with self._lock:
            place = self._place(key)
            if place.run is not None:
                place.run.set()
            place.run = threading.Event()
            return place.run

    def runs(self, key: Key, run: threading.Event) -> bool:
        """Returns whether `run` is still the latest of a person."""
        with self._lock:
            place = self._places.get(key)
            return place is not None and place.run is run

    def stop(self, key: Key) -> None:
        """Stops what runs for a person, if anything does."""
        with self._lock:
            place = self._places.get(key)
            if place is not None and place.run is not None:
                place.run.set()

    def forget(self, key: Key) -> None:
        """Stops what runs for a person and clears the desk."""
        with self._lock:
            self.stop(key)
            self._places.pop(key, None)

    def _place(self, key: Key) -> _Place:
        self._sweep()
        place = self._places.setdefault(key, _Place())
        place.used = self._clock()
        self._places.move_to_end(key)
        while len(self._places) > self._limit:
            self.forget(next(iter(self._places)))
        return place

    def _sweep(self) -> None:
        # Places are ordered by last use, so the first young one ends the search.
        oldest = self._clock() - self._age
        while self._places:
            key, place = next(iter(self._places.items()))
            if place.used >= oldest:
                return
            self.forget(key)
