"""The Correct tab: boxes edited on the canvas, words beside it, examples on a shelf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.canvas import CaptionEditor, Shelf
from app.handlers import SERIAL
from app.notices import QUIET, said
from app.session import key_of
from model.errors import DeixisError

if TYPE_CHECKING:
    from app.ask import Ask
    from app.correcting import Correcting

Updates = dict[Any, Any]


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
    keep: gr.Button = field(init=False)
    renew: gr.Button = field(init=False)
    shelf: Shelf = field(init=False)

    def build(self) -> None:
        """Adds the tab's components to the page being built."""
        gr.HTML(f'<p class="lead">{words.CORRECT_LEAD}</p>')
        self.editor = CaptionEditor(words=words.EDITOR, elem_id="editor")
        self.said = gr.HTML(elem_id="said", visible=False)
        with gr.Row(elem_id="keep"):
            self.renew = gr.Button(words.RENEW, size="md")
            self.keep = gr.Button(words.SAVE, variant="primary", size="md", elem_id="save")
        gr.HTML(f'<h2 class="shelf-title">{words.SHELF_TITLE}</h2>')
        self.shelf = Shelf(words=words.SHELF, elem_id="shelf")

    def wire(self, correct_tab: gr.Tab, ask_tab: gr.Tab) -> None:
        """Connects events to what they do; call inside the page's Blocks."""
        canvas = self.ask.canvas
        both = [canvas, self.editor, self.shelf, self.said]
        correct_tab.select(self.on_open, None, both, **QUIET)
        ask_tab.select(self.on_leave, None, [canvas], **QUIET)
        self.renew.click(self.on_open, None, both, **QUIET)
        canvas.ready(self.on_open, None, both, **QUIET)
        self.keep.click(
            self.on_save, [canvas, self.editor], [canvas, self.ask.chat, self.said, self.shelf],
            **QUIET,
        )  # fmt: skip
        everything = [canvas, self.ask.chat, self.editor, self.shelf, self.said]
        self.shelf.reopened(self.on_reopened, None, everything, **QUIET)
        self.shelf.deleted(self.on_deleted, None, [self.shelf, self.said], **QUIET)

    def on_open(self, request: gr.Request) -> Updates:
        """Makes the answer on display editable."""
        key = key_of(request)
        edit = self.work.begin(key)
        return {
            self.ask.canvas: gr.update(edit=edit),
            self.editor: gr.update(edit=edit),
            self.shelf: gr.update(items=self.work.shelf_items(key)),
            self.said: said(""),
        }

    def on_leave(self) -> Updates:
        """Shows the answer again as it was drawn."""
        return {self.ask.canvas: gr.update(edit=self.work.end())}

    def on_save(self, drawn: Any, caption: Any, request: gr.Request) -> Updates:  # noqa: ANN401
        """Keeps the corrected answer as an example."""
        key = key_of(request)
        boxes = drawn.get("editing") if isinstance(drawn, Mapping) else None
        try:
            self.work.save(key, boxes, caption)
        except DeixisError as error:
            return {self.said: said(str(error), wrong=True)}
        found = self.ask.updates(self.work.talk.redraw(key))
        found[self.ask.canvas] |= {"saved": next(SERIAL)}
        return {
            **found,
            self.said: said(words.SAVED.format(count=len(self.work.saved(key)))),
            self.shelf: gr.update(items=self.work.shelf_items(key)),
        }

    def on_reopened(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Puts a saved example back on the desk, ready to be corrected again."""
        key = key_of(request)
        try:
            view = self.work.reopen(key, str(event._data.get("id") or ""))
        except DeixisError as error:
            return {self.said: said(str(error), wrong=True)}
        found = {k: v for k, v in self.ask.updates(view).items() if k in self._shared()}
        edit = self.work.begin(key)
        found[self.ask.canvas] = {**found.get(self.ask.canvas, gr.update()), "edit": edit}
        return {**found, self.editor: gr.update(edit=edit), self.said: said("")}

    def on_deleted(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Deletes a saved example."""
        key = key_of(request)
        try:
            self.work.delete(key, str(event._data.get("id") or ""))
        except DeixisError as error:
            return {self.said: said(str(error), wrong=True)}
        return {self.shelf: gr.update(items=self.work.shelf_items(key)), self.said: said("")}

    def _shared(self) -> tuple[Any, ...]:
        return self.ask.canvas, self.ask.chat
