"""Step 6 of teaching: published models, any of which can be put behind the page instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import trial, words
from app.facts import facts
from app.teach.section import Look, Part, Tab, Updates, serving_state, shown
from model.backends import PUBLISHED, free_bytes

if TYPE_CHECKING:
    from app.teaching import Teaching


@dataclass(slots=True)
class Models:
    """The components of the step."""

    work: Teaching
    chosen: gr.Dropdown = field(init=False)
    alone: gr.Checkbox = field(init=False)
    facts: gr.HTML = field(init=False)
    serve: gr.Button = field(init=False)
    said: gr.HTML = field(init=False)
    state: gr.HTML = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        gr.HTML(f'<p class="lead">{words.MODELS_LEAD}</p>')
        with gr.Row(elem_id="model-row"):
            self.chosen = gr.Dropdown(
                list(PUBLISHED),
                value=None,
                label=words.MODELS_LABEL,
                interactive=True,
                scale=3,
                min_width=180,
                elem_id="published",
            )
            self.serve = gr.Button(
                words.CHECKPOINT_SERVE, size="md", min_width=90, elem_id="serve-published"
            )
        self.alone = gr.Checkbox(False, label=words.MODELS_ALONE, elem_id="model-alone")
        self.facts = gr.HTML(visible=False, elem_id="model-facts")
        self.said = gr.HTML(visible=False, elem_id="model-said")
        self.state = gr.HTML(visible=False, elem_id="model-state")

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        tab.on(self.chosen.input, self.on_choose, [self.chosen])
        tab.on(self.serve.click, self.on_serve, [self.chosen, self.alone])

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.facts, self.serve, self.said, self.state]

    def on_choose(
        self, name: str | None, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Shows what is known of a model before it is loaded."""
        found: list[str] = []
        updates = self.tab.act(
            request, chosen, seen, self.said, lambda: found.append(self.describe(name or ""))
        )
        for text in found:
            updates[self.facts] = gr.update(value=text, visible=bool(text))
        return updates

    def on_serve(
        self,
        name: str | None,
        alone: bool,
        chosen: str,
        seen: dict[str, Any],
        request: gr.Request,
    ) -> Updates:
        """Puts a published model in place."""

        def do() -> None:
            self.work.serve(name or "", alone=bool(alone))

        return self.tab.act(request, chosen, seen, self.said, do)

    def describe(self, name: str) -> str:
        """Returns the facts of a published model as HTML; empty if there is none of this name."""
        published = PUBLISHED.get(name)
        if published is None:
            return ""
        device = self.work.serving.device
        device = "cpu" if device == "remote" else device
        need, free = published.need(device) / 1e9, free_bytes(device) / 1e9
        memory = words.MEMORY_SHORT if need > free else words.MEMORY
        card = published.preview(device)
        known = trial.known(self.work.settings).get(name)
        told = memory.format(need=need, free=free, device=device)
        return facts(replace(card, cost=known), (words.FACT_MEMORY, told))

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        yield shown(self.serve, not self.work.serving.loading)
        yield serving_state(self.state, self.work.serving)
