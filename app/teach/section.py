"""What the steps of the Teach tab share: parts that are sent only when they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gradio as gr

from app import words
from app.datasets import RECORDS
from app.phrases import escape

if TYPE_CHECKING:
    from pathlib import Path

    from app.runs import Run
    from app.serving import Serving
    from app.teaching import Teaching

Updates = dict[Any, Any]
Action = Callable[[], "Done | None"]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an action: the data set to look at from now on, and a message."""

    chosen: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What the tab looks at.

    Attributes:
        chosen: value of the list of data sets.
        data: name of the data set behind it; empty if there is none.
        run: the run on display.
    """

    chosen: str | None
    data: str
    run: Run | None


@dataclass(frozen=True, slots=True)
class Part:
    """A component, what its content depends on, and what makes its update."""

    component: Any
    content: object
    make: Callable[[], Any]


def html(component: gr.HTML, text: str) -> Part:
    """Returns the part of a piece of HTML, hidden while it is empty."""
    return Part(component, text, lambda: gr.update(value=text, visible=bool(text)))


def shown(component: Any, visible: bool, **props: Any) -> Part:  # noqa: ANN401
    """Returns the part of a component that is there or not."""
    content = (visible, *props.items())
    return Part(component, repr(content), lambda: gr.update(visible=visible, **props))


def earlier(component: gr.Dropdown, work: Teaching, records: Path, taught: str) -> Part:
    """Returns the part of a list of earlier data.

    Args:
        component: the list.
        work: knows the data sets.
        records: the settings' own earlier data.
        taught: name of the data set that is taught.
    """
    found = work.datasets.earlier(records, taught)
    own = words.EARLIER_RECORDS.format(name=records.name)
    choices = [(own if value == RECORDS else value, value) for value in found]
    first = RECORDS if RECORDS in found else ""
    everything = [(words.EARLIER_NONE, ""), *choices]
    return Part(component, everything, lambda: gr.update(choices=everything, value=first))


def serving_state(component: gr.HTML, serving: Serving) -> Part:
    """Returns the part that says which model answers, or how far the next one is."""
    trouble = serving.error or serving.service.note
    if serving.loading:
        text = words.SERVING_LOADING.format(name=serving.loading, told=serving.told)
    else:
        text = trouble or words.SERVING_NOW.format(name=serving.served)
    kind = "oops" if trouble and not serving.loading else "note"
    return html(component, f'<p class="{kind}" role="status">{escape(text)}</p>')


class Tab(Protocol):
    """What a step needs of the tab around it."""

    def on(self, event: Any, act: Callable[..., Updates], inputs: Any = ()) -> None:  # noqa: ANN401
        """Connects an event; `act` gets the inputs, the choice, what was seen and the request."""

    def act(
        self,
        request: gr.Request,
        chosen: str | None,
        seen: dict[str, Any],
        place: gr.HTML,
        do: Action,
    ) -> Updates:
        """Does something for the admin and returns what is new on the page."""
        ...


class Section(Protocol):
    """A step of the tab."""

    def build(self) -> None:
        """Adds its components."""

    def wire(self, tab: Tab) -> None:
        """Connects its events."""

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        ...

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        ...
