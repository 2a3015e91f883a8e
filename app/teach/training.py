"""Step 2 of teaching: what learns and for how long, and watching it learn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.jobs import LENT
from app.runs import read_json
from app.teach import panels, plots, sheets
from app.teach.album import Album
from app.teach.section import Done, Look, Part, Tab, Updates, earlier, html, shown
from app.teaching import MOST_MINUTES, Wish
from model.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from app.runs import Run
    from app.teaching import Teaching

HEIGHT = 190
"""Pixels of a curve."""


@dataclass(slots=True)
class Training:
    """The components of the step."""

    work: Teaching
    consent: gr.Checkbox = field(init=False)
    mode: gr.Radio = field(init=False)
    minutes: gr.Slider = field(init=False)
    hardware: gr.HTML = field(init=False)
    replay: gr.Dropdown = field(init=False)
    general: gr.Dropdown = field(init=False)
    missing: gr.HTML = field(init=False)
    name: gr.Textbox = field(init=False)
    begin: gr.Dropdown = field(init=False)
    start: gr.Button = field(init=False)
    stop: gr.Button = field(init=False)
    again: gr.Button = field(init=False)
    said: gr.HTML = field(init=False)
    run: gr.HTML = field(init=False)
    loss: gr.LinePlot = field(init=False)
    val: gr.LinePlot = field(init=False)
    heading: gr.HTML = field(init=False)
    samples: Album = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        self._build_choices()
        self.said = gr.HTML(visible=False, elem_id="train-said")
        with gr.Row(elem_id="train"):
            self.start = gr.Button(words.START, variant="primary", size="md", elem_id="start")
            self.stop = gr.Button(words.STOP, visible=False, size="md", elem_id="stop")
            self.again = gr.Button(words.GO_ON, visible=False, size="md", elem_id="go-on")
        self.run = gr.HTML(elem_id="run")
        common: dict[str, Any] = {"x": words.STEP_AXIS, "visible": False, "height": HEIGHT}
        with gr.Row(elem_id="curves"):
            self.loss = gr.LinePlot(
                None, y=words.LOSS_AXIS, title=words.LOSS_TITLE, elem_id="loss", **common
            )
            self.val = gr.LinePlot(
                None,
                y=words.VAL_AXIS,
                color=words.MEASURE,
                title=words.VAL_TITLE,
                y_lim=[0, 1],
                elem_id="val",
                **common,
            )
        self.heading = gr.HTML(visible=False)
        self.samples = Album(words={"enlarged": words.ENLARGED}, elem_id="samples")

    def _build_choices(self) -> None:
        settings = self.work.settings
        self.consent = gr.Checkbox(label=words.CONSENT, visible=False, elem_id="consent")
        self.mode = gr.Radio(
            list(words.MODE_CHOICES), value="auto", label=words.MODE_LABEL, elem_id="mode"
        )
        self.minutes = gr.Slider(
            1, MOST_MINUTES, 10, step=1, label=words.MINUTES_LABEL, elem_id="minutes"
        )
        self.hardware = gr.HTML(elem_id="hardware")
        with gr.Row():
            self.replay = gr.Dropdown(
                [], label=words.REPLAY, info=words.REPLAY_HINT.format(path=settings.replay),
                interactive=True, min_width=240, elem_id="replay",
            )  # fmt: skip
            self.general = gr.Dropdown(
                [], label=words.GENERAL, info=words.GENERAL_HINT.format(path=settings.general),
                interactive=True, min_width=240, elem_id="general",
            )  # fmt: skip
        self.missing = gr.HTML(visible=False, elem_id="earlier-missing")
        with gr.Accordion(words.MORE, open=False):
            self.name = gr.Textbox(
                label=words.NAME_LABEL, placeholder=words.NAME_HINT, elem_id="run-name"
            )
            self.begin = gr.Dropdown([], label=words.START_LABEL, interactive=True)

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        wish = [self.mode, self.minutes, self.consent, self.replay, self.general, self.name,
                self.begin]  # fmt: skip
        tab.on(self.start.click, self.on_start, wish)
        tab.on(self.stop.click, self.on_stop)
        tab.on(self.again.click, self.on_again)

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.consent, self.minutes, self.hardware, self.replay, self.general, self.missing,
                self.begin, self.said, self.run, self.stop, self.again, self.loss, self.val,
                self.heading, self.samples]  # fmt: skip

    # --- events ----------------------------------------------------------------------------------

    def on_start(
        self,
        mode: str,
        minutes: float,
        consent: bool,
        replay: str,
        general: str,
        name: str,
        begin: str,
        chosen: str,
        seen: dict[str, Any],
        request: gr.Request,
    ) -> Updates:
        """Puts a training run in the queue."""

        def do() -> Done:
            data = str(seen.get("data") or "")
            if not data:
                raise InputError(words.DATA_NONE_CHOSEN)
            wish = Wish(
                data=data,
                name=name or "",
                start=begin or "",
                mode=mode,
                minutes=float(minutes),
                accepted=bool(consent),
                replay=replay or "",
                general=general or "",
            )
            return Done(text=words.STARTED.format(name=self.work.start(wish)))

        return self.tab.act(request, chosen, seen, self.said, do)

    def on_stop(self, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Asks the run on display to save and end."""
        name = str(seen.get("run") or "")
        return self.tab.act(request, chosen, seen, self.said, lambda: self.work.runs.stop(name))

    def on_again(self, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Lets the run on display go on where it was saved."""
        name = str(seen.get("run") or "")
        return self.tab.act(request, chosen, seen, self.said, lambda: self.work.runs.go_on(name))

    # --- what is shown ---------------------------------------------------------------------------

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        yield self._consent(look.data)
        device = self.work.serving.device
        minutes, hardware = advice(device, self.work.settings.space)
        yield Part(self.minutes, minutes, lambda: gr.update(value=minutes))
        yield html(self.hardware, f'<p class="note">{hardware}</p>')
        yield from self._earlier(look.data)
        names = self.work.beginnings()
        served = self.work.serving.served
        first = served if served in names else next(iter(names), None)
        yield Part(self.begin, (names, first), lambda: gr.update(choices=names, value=first))
        yield from self._run(look.run)

    def _earlier(self, taught: str) -> Iterator[Part]:
        settings = self.work.settings
        missing = []
        for component, records, text in (
            (self.replay, settings.replay, words.REPLAY_MISSING),
            (self.general, settings.general, words.GENERAL_MISSING),
        ):
            yield earlier(component, self.work, records, taught)
            if not self.work.datasets.earlier(records, taught):
                missing.append(text)
        inside = f'<p class="note">{"<br>".join(missing)}</p>' if missing else ""
        yield html(self.missing, inside)

    def _consent(self, name: str) -> Part:
        needed = False
        if name:
            try:
                needed = self.work.datasets.get(name).report.needs_consent
            except InputError:
                needed = False
        return Part(self.consent, (name, needed), lambda: gr.update(visible=needed, value=False))

    def _run(self, run: Run | None) -> Iterator[Part]:
        waiting = self.work.runs.waiting()
        text = panels.run(run, waiting) if run else panels.empty(words.RUN_EMPTY)
        yield html(self.run, text)
        yield shown(self.stop, run is not None and run.alive)
        yield shown(self.again, run is not None and run.job.finished and run.job.message != "")
        trail = run.trail if run else None
        evaluations = trail.evaluations if trail else []
        name = run.name if run else ""
        losses = (name, len(trail.steps) if trail else 0)
        yield Part(self.loss, losses, lambda: _curve(plots.losses(trail) if trail else None))
        measures = (name, len(evaluations))
        yield Part(self.val, measures, lambda: _curve(plots.measures(trail) if trail else None))
        last = evaluations[-1] if evaluations and evaluations[-1].samples else None
        if run is None or not run.data.is_dir():  # the pictures went with their data set
            last = None
        title = words.SAMPLES_TITLE.format(step=last.step) if last else ""
        yield html(self.heading, f"<h3>{title}</h3>" if title else "")
        path = last.samples if last else ""
        yield Part(self.samples, (name, path), lambda: gr.update(**_samples(run, path)))


def _curve(points: pd.DataFrame | None) -> Any:  # noqa: ANN401
    """Returns the update of a plot; one without points is hidden, since it cannot be drawn."""
    if points is None or len(points) < 2:
        return gr.update(visible=False)
    return gr.update(value=points, visible=True)


def _samples(run: Run | None, path: str) -> dict[str, Any]:
    if run is None or not path:
        return {"items": [], "legend": []}
    found = Path(path) if Path(path).is_absolute() else run.folder / path
    return sheets.samples(read_json(found), run.data)


def advice(device: str, space: str) -> tuple[int, str]:
    """Returns a sensible number of minutes for this machine, and a sentence about it."""
    count = os.cpu_count() or 1
    if LENT is not None:
        minutes, text = 5, words.HARDWARE_ZERO
    elif os.environ.get("SPACES_ZERO_GPU"):
        minutes, text = 5, words.counted(words.HARDWARE_ZERO_CPU, count)
    elif device.startswith("cuda"):
        minutes, text = 5, words.HARDWARE_GPU
    else:
        minutes, text = 10 if space else 15, words.counted(words.HARDWARE_CPU, count)
    return minutes, f"{text} {words.HARDWARE_SPACE}" if space else text
