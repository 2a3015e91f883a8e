"""Step 4 of teaching: all checkpoints, any of which can be served or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.runs import read_json
from app.teach import tables
from app.teach.section import Done, Look, Part, Tab, Updates, html

if TYPE_CHECKING:
    from app.teaching import Teaching


@dataclass(slots=True)
class Checkpoints:
    """The components of the step."""

    work: Teaching
    table: gr.HTML = field(init=False)
    chosen: gr.Dropdown = field(init=False)
    serve: gr.Button = field(init=False)
    delete: gr.Button = field(init=False)
    sure: gr.Checkbox = field(init=False)
    said: gr.HTML = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        self.table = gr.HTML(elem_id="checkpoints")
        with gr.Row(elem_id="checkpoint-row"):
            self.chosen = gr.Dropdown(
                [], label=words.CHECKPOINTS_LABEL, interactive=True, scale=3, min_width=180
            )
            self.serve = gr.Button(
                words.CHECKPOINT_SERVE, size="md", min_width=90, elem_id="serve-any"
            )
            self.delete = gr.Button(
                words.CHECKPOINT_DELETE, size="md", min_width=90, elem_id="delete-checkpoint"
            )
        self.sure = gr.Checkbox(False, label=words.CHECKPOINT_SURE, elem_id="delete-sure")
        self.said = gr.HTML(visible=False, elem_id="checkpoint-said")

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        tab.on(self.serve.click, self.on_serve, [self.chosen])
        tab.on(self.delete.click, self.on_delete, [self.chosen, self.sure])

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.table, self.chosen, self.sure, self.said]

    def on_serve(
        self, name: str, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Puts a checkpoint in place."""
        return self.tab.act(request, chosen, seen, self.said, lambda: self.work.serve(name or ""))

    def on_delete(
        self, name: str, sure: bool, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Deletes a checkpoint with its run, once the box beside it is ticked."""

        def do() -> Done:
            if not sure:
                return Done(text=words.TICK_FIRST)
            self.work.delete(name or "")
            return Done(text=words.CHECKPOINT_DELETED.format(name=name))

        return self.tab.act(request, chosen, seen, self.said, do)

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        rows = self.work.serving.checkpoints()
        runs = {name: self.work.runs.get(name) for name in self.work.runs.names()}
        parents = {name: run.parent for name, run in runs.items()}
        boards = {n: tables.after_training(read_json(run.board)) for n, run in runs.items()}
        served = self.work.serving.served
        yield html(self.table, tables.checkpoints(rows, served, parents, boards))
        names = [row.name for row in rows]
        yield Part(
            self.chosen, names, lambda: gr.update(choices=names, value=next(iter(names), None))
        )
        yield Part(self.sure, names, lambda: gr.update(value=False))
