# Over 300 lines: each event of the page is one short function here.
"""Runs a conversation: desks change by `handlers`, the model answers through `host`.

Each method returns or yields `View`s, which say what on the page is new; `ask` turns them into
updates of components. So everything here can be used and tested without a browser.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import edits, handlers, intake, phrases, render, words
from app.marks import Marks, read_marks
from model.errors import DeixisError, PictureError
from model.types import Answer, Capability, Finish

if TYPE_CHECKING:
    from app.host import Host
    from app.intake import Picture
    from app.samples import Sample
    from app.session import Desk, Exchange, Key, People
    from app.settings import Settings
    from model.backends.base import Backend, Card, EncodedPicture
    from model.types import Event

STREAM_INTERVAL = 0.05
"""Seconds between two pictures of a growing answer; faster is not seen, only sent.

What is answered within that time is not shown growing at all.
"""

DEFAULT_THRESHOLD = 0.3
_LOG = logging.getLogger("deixis")
_FROM_CANVAS = {Capability.CLICK, Capability.REGION, Capability.SEGMENT, Capability.POSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What on the page is new; None leaves a part as it is.

    Attributes:
        chat: all messages.
        picture: the picture to look at, with an empty slate.
        answer: boxes and render to show; `{"exchange": None}` for none.
        adopt: a mark the page draws by itself.
        notice: a message on the picture; empty takes it away.
        trouble: a message at the question; empty takes it away.
        status: a short state of affairs, and whether something is going on.
        running: whether an answer is growing.
        taken: whether the question was taken from its box.
        questions: to start with; the page hides them as soon as there is a conversation.
    """

    chat: list[dict[str, Any]] | None = None
    picture: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    adopt: dict[str, Any] | None = None
    notice: str | None = None
    trouble: str | None = None
    status: tuple[str, bool] | None = None
    running: bool | None = None
    taken: bool = False
    questions: tuple[str, ...] | None = None


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
        sample = desk.sample
        view = View(
            picture={
                "id": picture.key,
                "serial": next(handlers.SERIAL),
                "src": render.data_url(picture.image),
                "width": picture.size.width,
                "height": picture.size.height,
                "alt": sample.alt if sample else desk.title,
                "point": sample.point if sample else None,
            },
            answer=self._shown(desk) if desk.shown else None,
            chat=self._chat(desk),
            notice="",
            trouble="",
            status=(" ".join(picture.notes), False),
            running=False,
            questions=_starters(desk),
        )
        return view if self.people.desk(key).picture is picture else View()

    def encode(self, key: Key) -> Iterator[View]:
        """Encodes the picture ahead of the first question, and says how it went."""
        if self.people.desk(key).picture is None:
            return
        yield View(status=(words.STATUS_ENCODING, True))
        started = time.perf_counter()
        try:
            self.encoded(key, None, threading.Event())
        except Exception as error:
            yield View(notice=_told(error), status=("", False))
            return
        yield View(status=(self._ready(_since(started)), False))

    def _ready(self, spent: int) -> str:
        """Returns what is said of a picture that is encoded: how fast a click is answered now."""
        click = self.host.click_milliseconds
        if click is None:
            return words.STATUS_ENCODED.format(ms=spent)
        return words.STATUS_READY.format(ms=click)

    def encoded(self, key: Key, picture: Picture | None, stop: threading.Event) -> EncodedPicture:
        """Returns a picture as the model keeps it, encoding it at most once for a person.

        Args:
            key: who asks.
            picture: None takes the one on the desk.
            stop: ends the wait for the model.
        """
        desk = self.people.desk(key)
        picture = picture or desk.picture
        if picture is None:
            raise PictureError(words.NO_PICTURE)
        with self.host.request(stop) as backend:
            version = _version(backend.card)
            kept = desk.encoding(picture.key, version)
            if kept is not None:
                return kept
            image = picture.image
            encoded = self.host.call(lambda model: model.encode(image), stop)
        self.people.change(key, lambda now: now.with_encoding(picture.key, version, encoded))
        return encoded

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
        mark = handlers.starter_mark(self.people.desk(key), text, payload)
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
            answer=_nothing_shown(desk, cleared=True),
            trouble="",
            running=False,
            questions=_starters(desk),
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
        desk = self.people.desk(key)
        exchange = desk.exchanges[-1]
        thinking = words.STATUS_THINKING if self.host.settled else words.STATUS_WAITING
        growing = replace(first, trouble="", status=(thinking, True), running=True)
        if not self._prepared(desk):
            yield replace(growing, chat=self._chat(desk))
            growing = View()
        try:
            with self.host.request(stop):
                for chat in self._stream(key, exchange, stop, unseen=growing != View()):
                    yield replace(growing, chat=chat)
                    growing = View()
        except Exception as error:
            message = _told(error)
            self.people.change(key, lambda now: handlers.fail(now, exchange.number, message))
        finally:
            # However this ends, also when the browser has gone: no exchange stays open.
            self.people.change(key, lambda now: handlers.close(now, exchange.number))
        view = self._outcome(key, exchange.number, stop)
        yield replace(view, taken=growing.taken, trouble=growing.trouble)

    def _prepared(self, desk: Desk) -> bool:
        """Returns whether the model is there and has read the picture on the desk."""
        card, picture = self.host.card, desk.picture
        return bool(card and picture and desk.encoding(picture.key, _version(card)))

    def _stream(
        self, key: Key, exchange: Exchange, stop: threading.Event, unseen: bool
    ) -> Iterator[list[dict[str, Any]]]:
        """Yields the chat as the answer grows, and keeps the answer.

        Args:
            key: who asked.
            exchange: to be answered.
            stop: ends the answer.
            unseen: whether the question is not on the page yet.
        """
        encoded = self.encoded(key, None, stop)
        started = shown = time.perf_counter()
        for event in self._events(key, exchange, encoded, stop):
            if isinstance(event, Answer):
                self._keep(key, exchange.number, event, _since(started))
                return
            if event is not None:
                self._grow(key, exchange.number, event.text)
                unseen = True
            if unseen and time.perf_counter() - shown > STREAM_INTERVAL:
                shown, unseen = time.perf_counter(), False
                yield self._chat(self.people.desk(key))

    def _grow(self, key: Key, number: int, text: str) -> None:
        self.people.change(key, lambda now: handlers.grow(now, number, text))

    def _keep(self, key: Key, number: int, answer: Answer, spent: int) -> None:
        desk = self.people.change(key, lambda now: handlers.finish(now, number, answer, spent))
        exchange = desk.exchange(number)
        whole = answer.finish is not Finish.CANCELLED
        if whole and exchange is not None and exchange.task is Capability.CLICK:
            self.host.clicked(spent)

    def _events(
        self, key: Key, exchange: Exchange, encoded: EncodedPicture, stop: threading.Event
    ) -> Iterator[Event | None]:
        """Yields the model's events for an exchange, and None while it is silent."""
        desk = self.people.desk(key)

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

        return self.host.stream(ask, stop, patience=STREAM_INTERVAL)

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
        status = status.format(ms=exchange.milliseconds)
        return replace(view, status=(status, False), answer=self._shown(desk))

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
        return View(answer=self._shown(desk), chat=self._chat(desk))

    def redraw(self, key: Key, data: Mapping[str, Any]) -> View:
        """Returns the view of the answer on display after it was changed elsewhere."""
        return self._redraw(key, lambda now: now, data)

    def threshold(self, desk: Desk, exchange: Exchange) -> float:
        """Returns the score from which an exchange's boxes are shown."""
        usual = self.host.card.threshold if self.host.card else DEFAULT_THRESHOLD
        return handlers.threshold_of(desk, exchange, usual)

    def _chat(self, desk: Desk) -> list[dict[str, Any]]:
        return phrases.chat(desk.exchanges, lambda exchange: self.threshold(desk, exchange))

    def _shown(self, desk: Desk) -> dict[str, Any]:
        """Returns the canvas's `answer` for the exchange on display."""
        exchange = desk.exchange(desk.shown)
        if exchange is None or exchange.answer is None or desk.picture is None:
            return _nothing_shown(desk)
        threshold, src = self.threshold(desk, exchange), ""
        if exchange.answer.groundings or (desk.heat and exchange.answer.word_boxes):
            side, unit = desk.screen
            style = render.Style(desk.style, heat=desk.heat, side=side, unit=unit)
            drawn = render.annotate(desk.picture.at(side), exchange.answer, threshold, style)
            src = render.data_url(drawn)
        answer = phrases.seen_from(exchange, threshold)
        return {
            **render.overlay(exchange),
            **_nothing_shown(desk, exchange=exchange.number),
            "src": src,
            "threshold": threshold,
            "edit": edits.editable(exchange.question, answer, threshold),
        }


def _nothing_shown(desk: Desk, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Returns the canvas's `answer` that shows no boxes, for the picture on the desk."""
    picture = desk.picture.key if desk.picture else None
    return {"exchange": None, "picture": picture, "serial": next(handlers.SERIAL), **more}


def _starters(desk: Desk) -> tuple[str, ...]:
    """Returns the questions to start with: of the sample on the desk, or those for any picture."""
    return desk.sample.questions if desk.sample else words.STARTERS


def _version(card: Card) -> str:
    """Returns what tells how a picture was encoded: by which model, and which of its versions."""
    return f"{card.name} {card.version}"


def _told(error: Exception) -> str:
    """Returns what a person reads of an error; one that nobody foresaw is told to the log."""
    if isinstance(error, DeixisError):
        return str(error)
    _LOG.error("An answer broke off", exc_info=error)
    return words.BROKEN


def _since(started: float) -> int:
    """Returns the milliseconds since a moment of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - started))
