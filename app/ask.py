"""The Ask tab: a conversation about the picture, with phrases tied to boxes.

Every function here reads the desk, lets `handlers` decide, calls the model through `host`, and
turns the outcome into updates of components. Nothing is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import handlers, intake, render, words
from app.session import Desk, Exchange, People, key_of
from model.errors import DeixisError, PictureError
from model.types import Answer, Capability, Point, Points, Region

if TYPE_CHECKING:
    from app.canvas import Canvas
    from app.host import Host
    from app.session import Key
    from app.settings import Settings
    from model.backends.base import Backend, EncodedPicture

Updates = dict[Any, Any]
_SERIAL = count(1)
STREAM_INTERVAL = 0.05
"""Seconds between two pictures of a growing answer; faster is not seen, only sent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try, from assets/samples.json."""

    file: Path
    title: str
    alt: str
    questions: tuple[str, ...]
    point: tuple[float, float] | None = None


@dataclass(slots=True)
class Ask:
    """The components of the tab and what its events do.

    Attributes:
        people: all desks.
        host: the model.
        settings: limits.
        samples: pictures to try.
        canvas: the picture; belongs to the page.
    """

    people: People
    host: Host
    settings: Settings
    samples: tuple[Sample, ...]
    canvas: Canvas
    chat: gr.Chatbot = field(init=False)
    question: gr.Textbox = field(init=False)
    trouble: gr.HTML = field(init=False)
    starters: list[gr.Button] = field(init=False)
    quick: dict[Capability, gr.Button] = field(init=False)

    # --- layout ----------------------------------------------------------------------------------

    def build(self) -> None:
        """Adds the tab's components to the page being built."""
        self.chat = gr.Chatbot(
            elem_id="chat",
            label=words.CHAT_LABEL,
            show_label=False,
            placeholder=words.EMPTY_CHAT,
            height="clamp(260px, calc(100vh - 400px), 700px)",
            latex_delimiters=[],
            layout="bubble",
            buttons=["copy"],
            editable="user",
            group_consecutive_messages=False,
        )
        self.trouble = gr.HTML(elem_id="trouble", visible=False)
        with gr.Row(elem_id="starters"):
            self.starters = [
                gr.Button(text, size="sm", visible=False) for text in words.STARTERS
            ]
        self.question = gr.Textbox(
            elem_id="question",
            label=words.QUESTION_LABEL,
            show_label=False,
            placeholder=words.PLACEHOLDER,
            lines=1,
            max_lines=4,
            submit_btn=True,
            container=False,
        )
        with gr.Row(elem_id="quick"):
            self.quick = {
                capability: gr.Button(label, size="sm", visible=False)
                for capability, label, _ in words.QUICK
            }

    def wire(self) -> None:
        """Connects events to what they do; call inside the page's Blocks."""
        quiet: dict[str, Any] = {
            "api_visibility": "private",
            "show_progress": "hidden",
            "concurrency_limit": None,
        }
        outputs = [self.canvas, self.chat, self.question, self.trouble, *self.starters]
        asking = {**quiet, "outputs": outputs, "trigger_mode": "multiple"}
        opened = self.canvas.opened(self.open_upload, None, outputs, **quiet)
        opened.then(self.encode, None, [self.canvas], **quiet)
        sampled = self.canvas.sampled(self.open_sample, None, outputs, **quiet)
        sampled.then(self.encode, None, [self.canvas], **quiet)
        self.canvas.asked(self.ask_canvas, None, **asking)
        self.canvas.sifted(self.sift, None, [self.canvas], **quiet)
        self.canvas.recalled(self.recall, None, [self.canvas], **quiet)
        self.question.submit(self.ask_text, [self.question, self.canvas], **asking)
        self.question.stop(self.stop, None, None, **quiet)
        for button in self.starters:
            button.click(self.ask_starter, [button, self.canvas], **asking)
        for capability, button in self.quick.items():
            self._wire_quick(capability, button, asking, quiet)
        self.chat.retry(self.retry, None, **asking)
        self.chat.edit(self.edit, [self.canvas], **asking)
        self.chat.clear(self.clear, None, outputs, **quiet)

    def _wire_quick(
        self, capability: Capability, button: gr.Button, asking: dict, quiet: dict
    ) -> None:
        wording = next(text for task, _, text in words.QUICK if task is capability)
        if capability is Capability.DETECT:
            button.click(lambda: wording, None, [self.question], js=_FOCUS, **quiet)
            return

        def ask(payload: Any, request: gr.Request) -> Iterator[Updates]:  # noqa: ANN401
            yield from self._ask(request, wording, payload, capability)

        button.click(ask, [self.canvas], **asking)

    # --- pictures --------------------------------------------------------------------------------

    def open_upload(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts an uploaded file on the desk."""
        path = _uploaded(event._data)
        title = str(event._data.get("name") or "")
        return self._open(request, path, title, None)

    def open_sample(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts a sample on the desk."""
        index = event._data.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self.samples):
            return {self.canvas: _notice(words.UNKNOWN_SAMPLE)}
        sample = self.samples[index]
        return self._open(request, sample.file, sample.title, sample)

    def _open(
        self, request: gr.Request, path: Path | None, title: str, sample: Sample | None
    ) -> Updates:
        key = key_of(request)
        try:
            if path is None:
                raise PictureError(words.UPLOAD_LOST)
            picture = intake.read(path, self.settings)
        except DeixisError as error:
            return {self.canvas: _notice(str(error))}
        self.people.stop(key)
        self.people.change(key, lambda desk: handlers.open_picture(desk, picture, title))
        questions = sample.questions if sample else words.STARTERS
        shown = {
            "id": picture.key,
            "serial": next(_SERIAL),
            "src": render.data_url(picture.image),
            "width": picture.size.width,
            "height": picture.size.height,
            "alt": (sample.alt if sample else "") or title,
            "point": sample.point if sample else None,
        }
        status = {"text": " ".join(picture.notes), "serial": next(_SERIAL)}
        return {
            self.canvas: gr.update(picture=shown, answer=None, notice=None, status=status),
            self.chat: [],
            self.question: gr.update(stop_btn=False, submit_btn=True),
            self.trouble: gr.update(visible=False),
            **self._starters(questions),
        }

    def _starters(self, questions: tuple[str, ...]) -> Updates:
        texts = [*questions, "", "", ""]
        return {
            button: gr.update(value=text, visible=bool(text))
            for button, text in zip(self.starters, texts, strict=False)
        }

    def encode(self, request: gr.Request) -> Iterator[Any]:
        """Encodes the picture on the desk ahead of the first question, and says how it went."""
        key = key_of(request)
        desk = self.people.desk(key)
        if desk.picture is None:
            yield gr.skip()
            return
        yield _status(words.STATUS_ENCODING, busy=True)
        try:
            started = time.perf_counter()
            self._encoded(key, desk, self.people.begin(key))
        except DeixisError as error:
            yield _notice(str(error))
            return
        spent = round(1000 * (time.perf_counter() - started))
        yield _status(words.STATUS_ENCODED.format(ms=spent))

    def _encoded(self, key: Key, desk: Desk, stop: Any) -> EncodedPicture:  # noqa: ANN401
        """Returns the desk's picture as the model keeps it, encoding it at most once."""
        picture = desk.picture
        if picture is None:
            raise PictureError(words.NO_PICTURE)
        backend = self.host.wait(stop)
        version = f"{backend.card.name} {backend.card.version}"
        kept = desk.encoding(version)
        if kept is not None:
            return kept
        encoded = self.host.call(lambda model: model.encode(picture.image), stop)
        self.people.change(key, lambda now: now.with_encoding(version, encoded, picture.key))
        return encoded

    # --- questions -------------------------------------------------------------------------------

    def ask_text(
        self, text: str, payload: Any, request: gr.Request  # noqa: ANN401
    ) -> Iterator[Updates]:
        """Answers what was typed."""
        yield from self._ask(request, text or "", payload, None, typed=True)

    def ask_canvas(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Answers a click, or a button beside a mark."""
        data = event._data
        task = data.get("task")
        allowed = {Capability.CLICK, Capability.REGION, Capability.SEGMENT, Capability.POSE}
        chosen = Capability(task) if task in allowed else None
        yield from self._ask(request, str(data.get("question") or ""), data, chosen)

    def ask_starter(
        self, text: str, payload: Any, request: gr.Request  # noqa: ANN401
    ) -> Iterator[Updates]:
        """Answers a starter question; "this" without a mark means the sample's main thing."""
        desk = self.people.desk(key_of(request))
        sample = next((s for s in self.samples if s.title == desk.title), None)
        marked = isinstance(payload, dict) and payload.get("marks")
        if not (sample and sample.point and text == "What is this?") or marked or desk.exchanges:
            yield from self._ask(request, text, payload, None)
            return
        mark = {"name": "@1", "points": [[*sample.point, 1]]}
        region = Region("@1", Points((Point(*sample.point),)))
        marks = handlers.Marks(desk.picture.key if desk.picture else "", (region,), "@1")
        question = words.CLICK_QUESTION.format(number=1)
        for updates in self._answer(request, question, marks, Capability.CLICK):
            if mark:
                updates[self.canvas] = _merged(updates.get(self.canvas), adopt={"mark": mark})
                mark = None
            yield updates

    def _ask(
        self,
        request: gr.Request,
        text: str,
        payload: Any,  # noqa: ANN401
        task: Capability | None,
        typed: bool = False,
    ) -> Iterator[Updates]:
        desk = self.people.desk(key_of(request))
        try:
            if desk.picture is None:
                raise PictureError(words.NO_PICTURE)
            marks = handlers.read_marks(payload, desk.picture.size, self.settings.max_regions)
        except PictureError as error:
            yield {self.canvas: _notice(str(error)), self.trouble: _trouble(str(error))}
            return
        except DeixisError as error:
            yield {self.canvas: _notice(str(error))}
            return
        yield from self._answer(request, text, marks, task, typed)

    def _answer(
        self,
        request: gr.Request,
        text: str,
        marks: handlers.Marks,
        task: Capability | None,
        typed: bool = False,
    ) -> Iterator[Updates]:
        key = key_of(request)
        limits = handlers.Limits(
            self.settings.max_text, self.settings.max_regions, self.settings.max_turns
        )
        try:
            desk = self.people.change(
                key, lambda now: handlers.begin(now, text, marks, task, limits)
            )
        except DeixisError as error:
            yield {self.trouble: _trouble(str(error))}
            return
        exchange = desk.exchanges[-1]
        start = gr.update(stop_btn=True, submit_btn=False, **({"value": ""} if typed else {}))
        yield {
            self.chat: render.chat(desk.exchanges),
            self.question: start,
            self.trouble: gr.update(visible=False),
            self.canvas: _status(words.STATUS_THINKING, busy=True),
            **{button: gr.update(visible=False) for button in self.starters},
        }
        yield from self._stream(key, exchange)

    def _stream(self, key: Key, exchange: Exchange) -> Iterator[Updates]:
        """Yields the chat as the answer grows, then its boxes; errors become messages."""
        stop, number = self.people.begin(key), exchange.number
        try:
            started = time.perf_counter()
            encoded = self._encoded(key, self.people.desk(key), stop)
            shown = 0.0
            for event in self._events(key, exchange, encoded, stop):
                if isinstance(event, Answer):
                    spent = round(1000 * (time.perf_counter() - started))
                    self._keep(key, number, event, spent)
                    break
                desk = self.people.change(key, lambda now: handlers.grow(now, number, event.text))
                if time.perf_counter() - shown > STREAM_INTERVAL:
                    shown = time.perf_counter()
                    yield {self.chat: render.chat(desk.exchanges)}
        except DeixisError as error:
            message = str(error)
            self.people.change(key, lambda now: handlers.fail(now, number, message))
        finally:
            # However this ends, also when the browser has gone: no exchange stays open.
            self.people.change(
                key, lambda now: _closed(now, number)
            )
        yield self._outcome(key, number)

    def _keep(self, key: Key, number: int, answer: Answer, spent: int) -> None:
        self.people.change(key, lambda now: handlers.finish(now, number, answer, spent))

    def _events(
        self, key: Key, exchange: Exchange, encoded: EncodedPicture, stop: Any  # noqa: ANN401
    ) -> Iterator[Any]:
        """Yields the model's events for an exchange."""
        desk = self.people.desk(key)
        if exchange.names:
            floor = handlers.DETECT_FLOOR
            yield self.host.call(
                lambda model: model.detect(encoded, exchange.names, threshold=floor), stop
            )
            return

        def ask(model: Backend, stopped: Any) -> Iterator[Any]:  # noqa: ANN401
            if exchange.task is not None:
                model.require(exchange.task)
            return model.stream(
                encoded,
                exchange.question,
                regions=exchange.regions,
                history=handlers.history(desk, exchange.number),
                task=exchange.task,
                stop=stopped,
            )

        yield from self.host.stream(ask, stop)

    def _outcome(self, key: Key, number: int) -> Updates:
        """Returns the updates that end an answer."""
        desk = self.people.desk(key)
        exchange = desk.exchange(number)
        updates: Updates = {
            self.chat: render.chat(desk.exchanges),
            self.question: gr.update(stop_btn=False, submit_btn=True),
        }
        if exchange is None or exchange.answer is None:
            updates[self.canvas] = _status("")
            return updates
        status = words.STATUS_ANSWERED.format(ms=exchange.milliseconds)
        updates[self.canvas] = _merged(_status(status), answer=self._shown(desk))
        return updates

    # --- what is on display ----------------------------------------------------------------------

    def _threshold(self, desk: Desk) -> float:
        card = self.host.card
        return desk.threshold if desk.threshold is not None else (card.threshold if card else 0.3)

    def _shown(self, desk: Desk) -> dict[str, Any]:
        """Returns the canvas's `answer` prop for the exchange on display."""
        exchange = desk.exchange(desk.shown)
        if exchange is None or exchange.answer is None or desk.picture is None:
            return {"exchange": None, "serial": next(_SERIAL)}
        threshold = self._threshold(desk)
        src = ""
        if exchange.answer.groundings or (desk.heat and exchange.answer.word_boxes):
            style = render.Style(desk.style, heat=desk.heat)
            drawn = render.annotate(desk.picture.image, exchange.answer, threshold, style)
            src = render.data_url(drawn)
        return {
            **render.overlay(exchange),
            "src": src,
            "threshold": threshold,
            "serial": next(_SERIAL),
        }

    def sift(self, event: gr.EventData, request: gr.Request) -> Any:  # noqa: ANN401
        """Redraws the answer at the slider's threshold; the model is not asked."""
        value = event._data.get("threshold")
        desk = self.people.change(
            key_of(request), lambda now: handlers.set_threshold(now, value)
        )
        return gr.update(answer=self._shown(desk))

    def recall(self, event: gr.EventData, request: gr.Request) -> Any:  # noqa: ANN401
        """Brings the boxes of an earlier answer back."""
        number = event._data.get("exchange")
        desk = self.people.change(key_of(request), lambda now: handlers.show(now, number))
        return gr.update(answer=self._shown(desk))

    # --- stop, retry, edit, clear ----------------------------------------------------------------

    def stop(self, request: gr.Request) -> None:
        """Ends the answer that is growing; what was said so far stays."""
        self.people.stop(key_of(request))

    def retry(self, request: gr.Request) -> Iterator[Updates]:
        """Asks the last question again."""
        yield from self._again(request, lambda desk: handlers.retry(desk), None)

    def edit(
        self, payload: Any, event: gr.EditData, request: gr.Request  # noqa: ANN401
    ) -> Iterator[Updates]:
        """Asks a question anew with other words; what followed it goes."""
        index = event.index if isinstance(event.index, int) else event.index[0]
        del payload
        yield from self._again(request, lambda desk: handlers.rewind(desk, index), event.value)

    def _again(self, request: gr.Request, rewind: Any, text: str | None) -> Iterator[Updates]:  # noqa: ANN401
        key = key_of(request)
        try:
            desk, exchange = rewind(self.people.desk(key))
        except DeixisError as error:
            yield {self.trouble: _trouble(str(error))}
            return
        self.people.change(key, lambda _: desk)
        picture = desk.picture.key if desk.picture else ""
        marks = handlers.Marks(picture, exchange.regions)
        question = exchange.question if text is None else text
        task = exchange.task if text is None else None
        yield from self._answer(request, question, marks, task)

    def clear(self, request: gr.Request) -> Updates:
        """Empties the conversation and takes the marks off the picture."""
        key = key_of(request)
        self.people.stop(key)
        desk = self.people.change(key, handlers.clear)
        sample = next((s for s in self.samples if s.title == desk.title), None)
        questions = sample.questions if sample else words.STARTERS
        answer = {"exchange": None, "cleared": True, "serial": next(_SERIAL)}
        return {
            self.chat: [],
            self.canvas: gr.update(answer=answer),
            self.trouble: gr.update(visible=False),
            self.question: gr.update(stop_btn=False, submit_btn=True),
            **(self._starters(questions) if desk.picture else {}),
        }

    def abilities(self) -> Updates:
        """Returns updates that show what the loaded model can do, and nothing else."""
        card = self.host.card
        able = card.capabilities if card else frozenset()
        updates: Updates = {
            button: gr.update(visible=capability in able)
            for capability, button in self.quick.items()
        }
        updates[self.canvas] = gr.update(can=sorted(str(item) for item in able))
        return updates


_FOCUS = "() => { setTimeout(() => document.querySelector('#question textarea')?.focus(), 60); }"


def _closed(desk: Desk, number: int) -> Desk:
    exchange = desk.exchange(number)
    if exchange is None or not exchange.open:
        return desk
    return handlers.finish(desk, number, handlers.cut_off(exchange), 0)


def _notice(text: str) -> Any:  # noqa: ANN401
    return gr.update(notice={"text": text, "serial": next(_SERIAL)}, status={"text": ""})


def _status(text: str, busy: bool = False) -> Any:  # noqa: ANN401
    return gr.update(
        status={"text": text, "kind": "busy" if busy else "", "serial": next(_SERIAL)}
    )


def _merged(update: Any, **more: Any) -> Any:  # noqa: ANN401
    return {**(update or gr.update()), **more}


def _trouble(text: str) -> Any:  # noqa: ANN401
    safe = render.escape(text)
    return gr.update(value=f'<span class="trouble" role="alert">{safe}</span>', visible=True)


def _uploaded(data: Any) -> Path | None:  # noqa: ANN401
    """Returns the path of a file that this page received itself; None for any other path."""
    root = Path(gr.utils.get_upload_folder()).resolve()
    try:
        path = Path(str(data.get("path") or "")).resolve()
    except (OSError, ValueError):
        return None
    return path if path.is_relative_to(root) and path.is_file() else None
