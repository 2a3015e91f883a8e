"""The Correct tab: boxes edited on the canvas, words beside it, examples on a shelf."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.canvas import CaptionEditor, Shelf
from app.handlers import SERIAL
from app.notices import QUIET, said
from app.session import key_of
from app.views import View
from model.errors import DeixisError

if TYPE_CHECKING:
    from app.ask import Ask
    from app.correcting import Correcting

Updates = dict[Any, Any]
_SHOW = "() => document.dispatchEvent(new CustomEvent('deixis-correct', { detail: { open: %s } }))"
"""Tells the canvas whether to correct; it has all that is needed, so no server is asked."""


@dataclass(slots=True)
class Correct:
    """The components of the tab and what their events do.

    Attributes:
        work: what happens when somebody corrects.
        ask: the tab whose answers are corrected; shares the canvas.
    """

    work: Correcting
    ask: Ask
    editor: CaptionEditor = field(init=False)
    said: gr.HTML = field(init=False)
    shelf: Shelf = field(init=False)

    def build(self) -> None:
        """Adds the tab's components to the page being built."""
        gr.HTML(f'<p class="lead">{words.CORRECT_LEAD}</p>')
        self.editor = CaptionEditor(words=words.EDITOR, elem_id="editor")
        self.said = gr.HTML(elem_id="said", visible=False)
        gr.HTML(f'<h2 class="shelf-title">{words.SHELF_TITLE}</h2>')
        self.shelf = Shelf(words=words.SHELF, elem_id="shelf")

    def wire(self, correct_tab: gr.Tab, *others: gr.Tab) -> None:
        """Connects events to what they do; call inside the page's Blocks."""
        correct_tab.select(None, js=_SHOW % "true", **QUIET)
        correct_tab.select(self.on_open, None, [self.shelf, self.said], **QUIET)
        for tab in others:
            tab.select(None, js=_SHOW % "false", **QUIET)
        canvas, chat = self.ask.canvas, self.ask.chat
        everything = [canvas, chat, self.said, self.shelf]
        kept = canvas.corrected(self.on_corrected, None, everything, **QUIET)
        kept.failure(self.on_failed, None, [canvas, self.said], **QUIET)
        self.shelf.reopened(self.on_reopened, None, [canvas, chat, self.said], **QUIET)
        self.shelf.deleted(self.on_deleted, None, [self.shelf, self.said], **QUIET)

    def on_open(self, request: gr.Request) -> Updates:
        """Fills the shelf."""
        return {**self._shelved(request), self.said: said("")}

    def on_corrected(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Keeps a corrected answer as an example."""
        key = key_of(request)
        try:
            self.work.save(key, event._data)
        except DeixisError as error:
            return self._refused(str(error))
        view = self.work.talk.redraw(key, event._data)
        found = self.ask.updates(replace(view, answer={**(view.answer or {}), "kept": True}))
        found[self.ask.canvas] |= _saved(self.work.talk.people.desk(key).shown)
        count = len(self.work.saved(key))
        return {**found, **self._shelved(request), self.said: said(words.SAVED.format(count=count))}

    def on_failed(self) -> Updates:
        """Says that saving broke off, so that it can be tried again."""
        return self._refused(words.SAVING_FAILED)

    def on_reopened(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts a saved example back on the desk, ready to be corrected again."""
        try:
            view = self.work.reopen(key_of(request), str(event._data.get("id") or ""))
        except DeixisError as error:
            return {**self.ask.updates(View(notice="")), self.said: said(str(error), wrong=True)}
        found = self.ask.updates(view)
        shared = (self.ask.canvas, self.ask.chat)
        return {**{part: found[part] for part in shared if part in found}, self.said: said("")}

    def on_deleted(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Deletes a saved example."""
        try:
            self.work.delete(key_of(request), str(event._data.get("id") or ""))
        except DeixisError as error:
            return {self.said: said(str(error), wrong=True)}
        return {**self._shelved(request), self.said: said("")}

    def _refused(self, text: str) -> Updates:
        return {self.ask.canvas: gr.update(**_saved(None)), self.said: said(text, wrong=True)}

    def _shelved(self, request: gr.Request) -> Updates:
        """Returns the update of the shelf; the serial is drawn before looking, never after."""
        serial = next(SERIAL)
        items = self.work.shelf_items(key_of(request))
        return {self.shelf: gr.update(content={"serial": serial, "items": items})}


def _saved(exchange: int | None) -> dict[str, Any]:
    """Returns the canvas's prop that tells what came of a correction."""
    return {"saved": {"exchange": exchange, "serial": next(SERIAL)}}
