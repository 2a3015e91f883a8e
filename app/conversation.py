"""Runs a conversation: desks change by `handlers`, the model answers through `answering`.

Each method returns or yields `View`s, which say what on the page is new; `ask` turns them into
updates of components. So everything here can be used and tested without a browser.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import handlers, intake, questions, views, words
from app.answering import Answering, since, told
from app.facts import lasting
from app.marks import Marks, read_marks
from app.views import View
from model.errors import DeixisError, PictureError
from model.types import Capability

if TYPE_CHECKING:
    from app.host import Host
    from app.intake import Picture
    from app.samples import Sample
    from app.session import Desk, Exchange, Key, People
    from app.settings import Settings

_FROM_CANVAS = {Capability.CLICK, Capability.REGION, Capability.SEGMENT, Capability.POSE}


@dataclass(frozen=True, slots=True)
class Conversation:
    """What people do at their desks with the one model."""

    people: People
    host: Host
    settings: Settings

    # --- pictures --------------------------------------------------------------------------------

    def open(self, key: Key, path: Path | None, title: str, sample: Sample | None = None) -> View:
        """Puts a picture on the desk; an unreadable one leaves the desk as it was."""
        try:
            if path is None:
                raise PictureError(words.UPLOAD_LOST)
            picture = intake.read(path, self.settings)
        except DeixisError as error:
            return View(notice=str(error))
        return self.put(
            key, picture, lambda desk: handlers.open_picture(desk, picture, title, sample)
        )

    def put(self, key: Key, picture: Picture, change: Callable[[Desk], Desk]) -> View:
        """Returns the view of a desk that got another picture by `change`.

        Whoever opens yet another one meanwhile sees that one: the view of this is then empty.
        """
        self.people.stop(key)
        desk = self.people.change(key, change)
        view = View(
            picture=views.picture(desk, picture),
            answer=self._answer(desk) if desk.shown else None,
            chat=self._chat(desk),
            notice="",
            trouble="",
            status=("", False),
            running=False,
            questions=views.starters(desk),
        )
        return view if self.people.desk(key).picture is picture else View()

    def encode(self, key: Key) -> Iterator[View]:
        """Encodes the picture ahead of the first question, and says how it went."""
        picture = self.people.desk(key).picture
        if picture is None:
            return
        yield View(status=(words.STATUS_ENCODING, True))
        started = time.perf_counter()
        try:
            self.answering(key, threading.Event()).encoded()
        except Exception as error:
            yield View(notice=told(error), status=("", False))
            return
        said = (self._ready(since(started)), *picture.notes)
        yield View(status=(" · ".join(said), False))

    def _ready(self, spent: int) -> str:
        """Returns what is said of a picture that is encoded: how fast a click is answered now."""
        click = self.host.click_milliseconds
        if click is None:
            return words.STATUS_ENCODED.format(time=lasting(spent / 1000))
        return words.STATUS_READY.format(time=lasting(click / 1000))

    def answering(self, key: Key, stop: threading.Event) -> Answering:
        """Returns a person's turn with the model, which `stop` ends."""
        return Answering(self.people, self.host, key, stop)

    # --- questions -------------------------------------------------------------------------------

    def ask(
        self,
        key: Key,
        text: str,
        payload: object,
        task: Capability | None = None,
        typed: bool = False,
    ) -> Iterator[View]:
        """Answers a question.

        Args:
            key: who asks.
            text: the question; `{number}` stands for the mark in hand.
            payload: what is drawn, as the browser sent it.
            task: what a button pins.
            typed: whether the text comes from the question's box, which is then emptied.
        """
        try:
            marks = self._marks(key, payload)
            self._begin(key, text, marks, task)
        except PictureError as error:
            yield View(notice=str(error), trouble=str(error), status=("", False))
        except DeixisError as error:
            yield View(trouble=str(error), status=("", False))
        else:
            yield from self._run(key, View(taken=typed))

    def click(self, key: Key, data: Mapping[str, Any]) -> Iterator[View]:
        """Answers a click, or a button beside a mark."""
        task = Capability(data["task"]) if data.get("task") in _FROM_CANVAS else None
        yield from self.ask(key, str(data.get("question") or ""), data, task)

    def starter(self, key: Key, text: str, payload: object) -> Iterator[View]:
        """Answers a starter question; "this" without a mark means the sample's main thing."""
        mark = questions.starter_mark(self.people.desk(key), text, payload)
        if mark is None:
            yield from self.ask(key, text, payload)
            return
        question = words.CLICK_QUESTION.format(number=mark["name"][1:])
        drawn = {"marks": [mark], "selected": mark["name"]}
        for step, view in enumerate(self.ask(key, question, drawn, Capability.CLICK)):
            yield (
                replace(view, adopt={"mark": mark, "serial": next(handlers.SERIAL)})
                if not step
                else view
            )

    def again(
        self,
        key: Key,
        rewind: Callable[[Desk], tuple[Desk, Exchange]],
        text: str | None = None,
    ) -> Iterator[View]:
        """Asks an earlier question again, with other words if `text` is given."""
        try:
            desk, exchange = rewind(self.people.desk(key))
            self.people.change(key, lambda _: desk)
            marks = Marks(regions=exchange.regions)
            pinned = exchange.task if text is None else None
            self._begin(key, exchange.question if text is None else text, marks, pinned)
        except DeixisError as error:
            yield View(trouble=str(error))
        else:
            yield from self._run(key, View())

    def stop(self, key: Key) -> None:
        """Ends the answer that is growing; what was said so far stays."""
        self.people.stop(key)

    def clear(self, key: Key) -> View:
        """Empties the conversation and takes the marks off the picture."""
        self.people.stop(key)
        desk = self.people.change(key, handlers.clear)
        return View(
            chat=[],
            answer=views.no_answer(desk, cleared=True),
            trouble="",
            running=False,
            questions=views.starters(desk),
        )

    def _marks(self, key: Key, payload: object) -> Marks:
        desk = self.people.change(key, lambda now: handlers.set_screen(now, payload))
        if desk.picture is None:
            raise PictureError(words.NO_PICTURE)
        return read_marks(payload, desk.picture.size, self.settings.max_regions)

    def _begin(self, key: Key, text: str, marks: Marks, task: Capability | None) -> None:
        limits = handlers.Limits(self.settings.max_text, self.settings.max_turns)
        self.people.change(key, lambda now: handlers.begin(now, text, marks, task, limits))

    def _run(self, key: Key, first: View) -> Iterator[View]:
        """Answers the open exchange; every view but the last shows it growing.

        Args:
            key: who asked.
            first: what is new on the page whatever the answer is.
        """
        stop = self.people.begin(key)
        exchange = self.people.desk(key).exchanges[-1]
        thinking = words.STATUS_THINKING if self.host.settled else words.STATUS_WAITING
        growing = replace(first, trouble="", status=(thinking, True), running=True)
        for desk in self.answering(key, stop).answer(exchange):
            yield replace(growing, chat=self._chat(desk))
            growing = View()
        view = self._outcome(key, exchange.number, stop)
        yield replace(view, taken=growing.taken, trouble=growing.trouble)

    def _outcome(self, key: Key, number: int, stop: threading.Event) -> View:
        """Returns the view that ends an answer."""
        desk = self.people.desk(key)
        exchange = desk.exchange(number)
        if not self.people.runs(key, stop):
            return View(chat=self._chat(desk))  # another question was asked meanwhile
        view = View(chat=self._chat(desk), running=False, status=("", False))
        if exchange is None or exchange.answer is None:
            return view
        click = exchange.task is Capability.CLICK
        status = words.STATUS_CLICKED if click else words.STATUS_ANSWERED
        status = status.format(time=lasting(exchange.milliseconds / 1000))
        return replace(view, status=(status, False), answer=self._answer(desk))

    # --- what is on display ----------------------------------------------------------------------

    def sift(self, key: Key, data: Mapping[str, Any]) -> View:
        """Redraws the answer at the slider's threshold; the model is not asked."""
        return self._redraw(
            key, lambda now: handlers.set_threshold(now, data.get("threshold")), data
        )

    def recall(self, key: Key, data: Mapping[str, Any]) -> View:
        """Brings the boxes of an earlier answer back."""
        return self._redraw(key, lambda now: handlers.show(now, data.get("exchange")), data)

    def restyle(self, key: Key, style: str, heat: bool) -> View:
        """Redraws the answer in another style."""
        return self._redraw(key, lambda now: replace(now, style=style, heat=bool(heat)), {})

    def _redraw(self, key: Key, change: Callable[[Desk], Desk], data: Mapping[str, Any]) -> View:
        desk = self.people.change(key, lambda now: handlers.set_screen(change(now), data))
        return View(answer=self._answer(desk), chat=self._chat(desk))

    def redraw(self, key: Key, data: Mapping[str, Any]) -> View:
        """Returns the view of the answer on display after it was changed elsewhere."""
        return self._redraw(key, lambda now: now, data)

    def _chat(self, desk: Desk) -> list[dict[str, Any]]:
        return views.chat(desk, self.host.threshold)

    def _answer(self, desk: Desk) -> dict[str, Any]:
        return views.answer(desk, self.host.threshold)
