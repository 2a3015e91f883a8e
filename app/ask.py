"""The Ask tab: the conversation about the picture, its components and their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder

from app import handlers, words
from app.notices import QUIET, said
from app.session import key_of
from app.views import View
from model.types import Capability

if TYPE_CHECKING:
    from app.canvas import Canvas
    from app.conversation import Conversation
    from app.samples import Sample

Updates = dict[Any, Any]
LABELS = 200
"""Label suggestions sent to a browser."""

_FOCUS = "() => { setTimeout(() => document.querySelector('#question textarea')?.focus(), 60); }"


@dataclass(slots=True)
class Ask:
    """The components of the tab and what their events do.

    Attributes:
        talk: what happens when somebody asks.
        samples: pictures to try.
        canvas: the picture; belongs to the page.
    """

    talk: Conversation
    samples: tuple[Sample, ...]
    canvas: Canvas
    chat: gr.Chatbot = field(init=False)
    question: gr.Textbox = field(init=False)
    trouble: gr.HTML = field(init=False)
    starters: list[gr.Button] = field(init=False)
    quick: dict[Capability, gr.Button] = field(init=False)
    style: gr.Radio = field(init=False)
    heat: gr.Checkbox = field(init=False)

    def build(self) -> None:
        """Adds the tab's components to the page being built."""
        self.chat = gr.Chatbot(
            elem_id="chat",
            label=words.CHAT_LABEL,
            show_label=False,
            placeholder=words.EMPTY_CHAT,
            height="clamp(260px, calc(100vh - 394px), 760px)",
            latex_delimiters=[],
            layout="bubble",
            buttons=[],
            editable="user",
            group_consecutive_messages=False,
        )
        self.trouble = gr.HTML(elem_id="trouble", visible=False)
        with gr.Row(elem_id="starters"):
            self.starters = [gr.Button(text, size="sm", visible=False) for text in words.STARTERS]
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
        with gr.Accordion(words.SETTINGS, open=False, elem_id="settings"):
            self.style = gr.Radio(
                list(words.STYLE_CHOICES), value="rounded", label=words.STYLE_LABEL
            )
            self.heat = gr.Checkbox(label=words.HEAT_LABEL, visible=False)

    def wire(self) -> None:
        """Connects events to what they do; call inside the page's Blocks."""
        # Each component among the outputs costs time, also one that stays as it is.
        outputs = [self.canvas, self.chat, self.question, self.trouble]
        asking = {**QUIET, "outputs": outputs, "trigger_mode": "multiple"}
        opening = {**asking, "outputs": [*outputs, *self.starters]}
        shown = {**QUIET, "outputs": [self.canvas, self.chat]}
        for event, opened in (
            (self.canvas.opened, self.on_opened),
            (self.canvas.sampled, self.on_sampled),
        ):
            event(opened, None, **opening).then(self.on_encode, None, [self.canvas], **QUIET)
        self.canvas.asked(self.on_asked, None, **asking)
        self.canvas.sifted(self.on_sifted, None, **shown)
        self.canvas.recalled(self.on_recalled, None, **shown)
        self.canvas.nudged(self.on_nudged, None, None, trigger_mode="multiple", **QUIET)
        self.question.submit(self.on_submit, [self.question, self.canvas], **asking)
        self.question.stop(self.on_stop, None, None, **QUIET)
        self.chat.retry(self.on_retry, None, **asking)
        self.chat.edit(self.on_edit, None, **asking)
        self.chat.clear(self.on_clear, None, opening["outputs"], **QUIET)
        for button in self.starters:
            button.click(self.on_starter, [button, self.canvas], **asking)
        for capability, _, wording in words.QUICK:
            button = self.quick[capability]
            if capability is Capability.DETECT:
                prefill = partial(str, wording)
                button.click(prefill, None, [self.question], **QUIET).then(js=_FOCUS, **QUIET)
            else:
                ask = self._quick(wording, capability)
                button.click(ask, [self.canvas], **asking)
        for choice in (self.style, self.heat):
            choice.input(self.on_style, [self.style, self.heat], **shown)

    # --- events ----------------------------------------------------------------------------------

    def on_opened(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts an uploaded file on the desk."""
        title = str(event._data.get("name") or "")
        return self.updates(self.talk.open(key_of(request), _uploaded(event._data), title))

    def on_sampled(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts a sample on the desk."""
        index = event._data.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self.samples):
            return self.updates(View(notice=words.UNKNOWN_SAMPLE))
        sample = self.samples[index]
        return self.updates(self.talk.open(key_of(request), sample.file, sample.title, sample))

    def on_encode(self, request: gr.Request) -> Iterator[Updates]:
        """Encodes the picture that was just opened."""
        yield from self._all(self.talk.encode(key_of(request)))

    def on_asked(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Answers a click, or a button beside a mark."""
        yield from self._all(self.talk.click(key_of(request), event._data))

    def on_submit(self, text: str, drawn: Any, request: gr.Request) -> Iterator[Updates]:  # noqa: ANN401
        """Answers what was typed."""
        yield from self._all(self.talk.ask(key_of(request), text or "", drawn, typed=True))

    def on_starter(self, text: str, drawn: Any, request: gr.Request) -> Iterator[Updates]:  # noqa: ANN401
        """Answers a starter question."""
        yield from self._all(self.talk.starter(key_of(request), text, drawn))

    def _quick(self, wording: str, capability: Capability) -> Any:  # noqa: ANN401
        def on_quick(drawn: Any, request: gr.Request) -> Iterator[Updates]:  # noqa: ANN401
            yield from self._all(self.talk.ask(key_of(request), wording, drawn, capability))

        return on_quick

    def on_retry(self, request: gr.Request) -> Iterator[Updates]:
        """Asks the last question again."""
        yield from self._all(self.talk.again(key_of(request), handlers.retry))

    def on_edit(self, event: gr.EditData, request: gr.Request) -> Iterator[Updates]:
        """Asks a question anew in other words; what followed it goes."""
        index = event.index if isinstance(event.index, int) else event.index[0]
        rewind = partial(handlers.rewind, message=index)
        yield from self._all(self.talk.again(key_of(request), rewind, str(event.value)))

    def on_nudged(self) -> None:
        """Does nothing; see `canvas/0-stream.js` for what it is good for."""

    def on_stop(self, request: gr.Request) -> None:
        """Ends the answer that is growing."""
        self.talk.stop(key_of(request))

    def on_clear(self, request: gr.Request) -> Updates:
        """Empties the conversation."""
        return self.updates(self.talk.clear(key_of(request)))

    def on_sifted(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Redraws at another threshold."""
        return self.updates(self.talk.sift(key_of(request), event._data))

    def on_recalled(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Shows an earlier answer."""
        return self.updates(self.talk.recall(key_of(request), event._data))

    def on_style(self, style: str, heat: bool, request: gr.Request) -> Updates:
        """Redraws in another style."""
        return self.updates(self.talk.restyle(key_of(request), style, heat))

    # --- updates ---------------------------------------------------------------------------------

    def _all(self, views: Iterable[View]) -> Iterator[Updates]:
        """Yields updates that each hold what the ones before said of other things.

        Gradio's page takes messages that arrive together for the last of them.
        """
        whole: Updates = {}
        for view in views:
            whole = _joined(whole, self.updates(view))
            yield whole
            if self.question in whole:  # emptied once: more may have been typed meanwhile
                kept = {k: v for k, v in whole[self.question].items() if k != "value"}
                whole = {**whole, self.question: kept}

    def updates(self, view: View) -> Updates:
        """Returns the updates of components that a view asks for."""
        found: Updates = {}
        props = self._props(view)
        if props:
            found[self.canvas] = gr.update(**props)
        if view.chat is not None:
            found[self.chat] = view.chat
        if view.trouble is not None:
            found[self.trouble] = said(view.trouble, wrong=True)
        if view.running is not None or view.taken:
            found[self.question] = _question(view)
        if view.questions is not None:
            texts = (*view.questions, "", "", "")
            for button, text in zip(self.starters, texts, strict=False):
                found[button] = gr.update(value=text, visible=bool(text))
        return found

    def _props(self, view: View) -> dict[str, Any]:
        props = {
            name: getattr(view, name)
            for name in ("picture", "answer", "adopt")
            if getattr(view, name) is not None
        }
        if view.notice is not None:
            props["notice"] = {"text": view.notice, "serial": next(handlers.SERIAL)}
        if view.status is not None:
            text, busy = view.status
            props["status"] = {"text": text, "kind": "busy" if busy else ""}
        return props

    def abilities(self) -> Updates:
        """Returns updates that show what the loaded model can do, and nothing else."""
        card = self.talk.host.card
        able = card.capabilities if card else frozenset()
        found: Updates = {
            button: gr.update(visible=capability in able)
            for capability, button in self.quick.items()
        }
        found[self.heat] = gr.update(visible=Capability.WORDS in able)
        found[self.canvas] = gr.update(
            can=sorted(str(item) for item in able),
            labels=list(card.vocabulary[:LABELS]) if card else [],
        )
        return found


def _joined(before: Updates, now: Updates) -> Updates:
    """Returns both updates; where both change a component, the later one's properties count."""
    joined = {**before, **now}
    for part in before.keys() & now.keys():
        if isinstance(before[part], dict) and isinstance(now[part], dict):
            joined[part] = {**before[part], **now[part]}
    return joined


def _question(view: View) -> Any:  # noqa: ANN401
    props: dict[str, Any] = {"value": ""} if view.taken else {}
    if view.running is not None:
        props |= {"stop_btn": view.running, "submit_btn": not view.running}
    return gr.update(**props)


def _uploaded(data: Any) -> Path | None:  # noqa: ANN401
    """Returns the path of a file that this page received itself; None for any other path."""
    root = Path(get_upload_folder()).resolve()
    try:
        path = Path(str(data.get("path") or "")).resolve()
    except (OSError, ValueError):
        return None
    return path if path.is_relative_to(root) and path.is_file() else None
