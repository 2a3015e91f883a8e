"""Files to take home: the conversation or all saved examples, in the form one needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from app import export, handlers, offline, phrases, words
from app.export import Entry
from app.notices import QUIET, said
from app.render import Style
from app.session import key_of
from model.errors import DeixisError, QuestionError

if TYPE_CHECKING:
    from app.correcting import Correcting
    from app.session import Key

Updates = dict[Any, Any]
Pictures = Mapping[str, Image.Image]

FORMS: dict[str, tuple[str, Callable[[Sequence[Entry], Pictures], str]]] = {
    "coco": ("deixis-coco.json", lambda entries, _: json.dumps(export.coco(entries))),
    "jsonl": ("deixis-turns.jsonl", lambda entries, _: export.jsonl(entries)),
    "csv": ("deixis-boxes.csv", lambda entries, _: export.table(entries)),
    "html": ("deixis.html", lambda entries, pictures: offline.page(entries, pictures)),
}
"""By form: the file's name and what writes it."""


@dataclass(slots=True)
class Takeout:
    """The components and what their button does.

    Attributes:
        work: the conversation and the shelf.
    """

    work: Correcting
    what: gr.Radio = field(init=False)
    form: gr.Dropdown = field(init=False)
    make: gr.Button = field(init=False)
    file: gr.File = field(init=False)
    said: gr.HTML = field(init=False)

    def build(self) -> None:
        """Adds the components to the page being built."""
        what, form = words.EXPORT_WHAT, words.EXPORT_FORMS
        self.what = gr.Radio(list(what), value=what[0][1], label=words.EXPORT_LABEL)
        self.form = gr.Dropdown(list(form), value=form[0][1], label=words.FORM_LABEL)
        self.make = gr.Button(words.EXPORT_BUTTON, size="md")
        self.said = gr.HTML(visible=False)
        self.file = gr.File(label=words.EXPORT_FILE, visible=False, interactive=False)

    def wire(self) -> None:
        """Connects the button; call inside the page's Blocks."""
        self.make.click(self.on_make, [self.what, self.form], [self.file, self.said], **QUIET)

    def on_make(self, what: str, form: str, request: gr.Request) -> Iterator[Updates]:
        """Says that it begins, then writes the file and offers it."""
        yield {self.said: said(words.MAKING_FILE), self.file: gr.update(visible=False)}
        try:
            content, name = self.content(key_of(request), what, form)
        except DeixisError as error:
            yield {self.said: said(str(error), wrong=True)}
            return
        path = save_bytes_to_cache(content, name, self.file.GRADIO_CACHE)
        self.file.temp_files.add(path)
        yield {self.file: gr.update(value=path, visible=True), self.said: said("")}

    def content(self, key: Key, what: str, form: str) -> tuple[bytes, str]:
        """Returns a file's content and name.

        Raises:
            QuestionError: there is nothing to take home yet.
        """
        if form in ("png", "jpeg"):
            return self._drawn(key, form.upper()), f"deixis.{form}"
        entries, pictures = self._saved(key) if what == "saved" else self._conversation(key)
        if not entries:
            raise QuestionError(words.NOTHING_TO_EXPORT)
        name, write = FORMS[form]
        return write(entries, pictures).encode(), name

    def _conversation(self, key: Key) -> tuple[list[Entry], Pictures]:
        desk, talk = self.work.talk.people.desk(key), self.work.talk
        if desk.picture is None:
            return [], {}
        name, size = desk.title or words.UNTITLED, desk.picture.size
        turns = handlers.history(desk, desk.next_number, talk.host.threshold)
        entries = [Entry(name, size, turn) for turn in turns]
        return entries, {name: desk.picture.image}

    def _saved(self, key: Key) -> tuple[list[Entry], Pictures]:
        entries: list[Entry] = []
        pictures: dict[str, Image.Image] = {}
        for saved in self.work.saved(key):
            name = saved.example.picture
            if name not in pictures:
                pictures[name] = self.work.shelf.reopen(saved.identity)[1]
            entries += [Entry(name, saved.example.size, turn) for turn in saved.example.turns]
        return entries, pictures

    def _drawn(self, key: Key, kind: str) -> bytes:
        desk, talk = self.work.talk.people.desk(key), self.work.talk
        exchange = desk.exchange(desk.shown)
        if desk.picture is None or exchange is None or exchange.answer is None:
            raise QuestionError(words.NOTHING_TO_EXPORT)
        threshold = handlers.threshold_of(desk, exchange, talk.host.threshold)
        side = max(max(desk.picture.image.size), 1280)
        style = Style(desk.style, heat=desk.heat, side=side, unit=side / 800)
        answer = phrases.seen_from(exchange, threshold)
        return export.annotated(desk.picture.image, answer, kind, threshold, style)
