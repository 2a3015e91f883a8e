"""The tab as a whole: who may see it, what has changed since the last look, when to look again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.notices import QUIET, said
from app.session import is_admin
from app.teach import panels
from app.teach.checkpoints import Checkpoints
from app.teach.material import Material
from app.teach.models import Models
from app.teach.results import Results
from app.teach.section import Action, Look, Updates
from app.teach.takehome import TakeHome
from app.teach.training import Training
from model.errors import DeixisError

if TYPE_CHECKING:
    from app.teach.section import Section
    from app.teaching import Teaching

SECONDS = 1.5
"""Between two looks while something is going on."""


@dataclass(slots=True)
class Teach:
    """The components of the tab and what their events do.

    Every event first asks whether it comes from the admin, in `act` or `on_look`: an event can be
    called by whoever knows its number, shown or not.

    Attributes:
        work: what happens when somebody teaches.
    """

    work: Teaching
    data: Material = field(init=False)
    sections: tuple[Section, ...] = field(init=False)
    gate: gr.HTML = field(init=False)
    body: gr.Column = field(init=False)
    timer: gr.Timer = field(init=False)
    seen: gr.State = field(init=False)

    def __post_init__(self) -> None:
        self.data = Material(self.work)
        others = (Training, Results, Checkpoints, TakeHome, Models)
        self.sections = (self.data, *(section(self.work) for section in others))

    def build(self) -> None:
        """Adds the tab's components to the page being built."""
        gr.HTML(f'<p class="lead">{words.TEACH_LEAD}</p>')
        self.gate = gr.HTML(visible=False, elem_id="teach-closed")
        with gr.Column(visible=False, elem_id="teach") as self.body:
            for step, section in zip(words.TEACH_STEPS, self.sections, strict=True):
                gr.HTML(panels.title(step))
                section.build()
        self.timer = gr.Timer(SECONDS, active=False)
        self.seen = gr.State({})

    def wire(self, tab: gr.Tab) -> None:
        """Connects events to what they do; call inside the page's Blocks."""
        for event in (tab.select, self.timer.tick):
            self.on(event, self.on_look)
        for section in self.sections:
            section.wire(self)

    def on(self, event: Any, act: Callable[..., Updates], inputs: Any = ()) -> None:  # noqa: ANN401
        """Connects an event; `act` gets the inputs, the choice, what was seen and the request."""
        outputs = [self.gate, self.body, self.timer, self.seen]
        for section in self.sections:
            outputs += section.components()
        event(act, [*inputs, self.data.chosen, self.seen], outputs, **QUIET)

    def act(
        self,
        request: gr.Request,
        chosen: str | None,
        seen: dict[str, Any],
        place: gr.HTML,
        do: Action,
    ) -> Updates:
        """Does something for the admin and returns what is new on the page.

        Args:
            request: of whoever asks.
            chosen: value of the list of data sets.
            seen: what the page shows already.
            place: where it says how it went.
            do: what is to be done.
        """
        if not is_admin(request.headers):
            return {**self._closed(), place: said(words.NOT_ADMIN, wrong=True)}
        try:
            done = do()
        except DeixisError as error:
            return {**self._look(chosen, seen), place: said(str(error), wrong=True)}
        except OSError as error:
            return {**self._look(chosen, seen), place: said(str(error.strerror), wrong=True)}
        if done is not None and done.chosen is not None:
            chosen = done.chosen
        text = done.text if done is not None else ""
        return {**self._look(chosen, seen), place: said(text)}

    def on_look(self, chosen: str | None, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Shows the admin how everything stands, and everybody else that this is not for them."""
        if not is_admin(request.headers):
            return self._closed()
        return self._look(chosen, seen)

    def _closed(self) -> Updates:
        text = panels.closed(bool(self.work.settings.admin_token))
        return {
            self.gate: gr.update(value=text, visible=True),
            self.body: gr.update(visible=False),
            self.timer: gr.Timer(active=False),
        }

    def _look(self, chosen: str | None, seen: dict[str, Any]) -> Updates:
        """Returns the updates of all parts that differ from what the page shows."""
        chosen, data = self.data.settle(chosen)
        look = Look(chosen, data, self.work.current())
        now = {**seen, "data": data, "run": look.run.name if look.run else ""}
        found: Updates = {self.gate: gr.update(visible=False), self.body: gr.update(visible=True)}
        for section in self.sections:
            for number, part in enumerate(section.parts(look)):
                name = f"{type(section).__name__} {number}"
                content = hashlib.sha256(repr(part.content).encode()).hexdigest()
                if seen.get(name) != content:
                    found[part.component] = part.make()
                    now[name] = content
        found[self.seen] = now
        found[self.timer] = gr.Timer(active=self._busy(look))
        return found

    def _busy(self, look: Look) -> bool:
        running = look.run is not None and look.run.alive
        packing = self.work.packing.pending()
        return bool(running or packing or self.work.pending() or self.work.serving.loading)
