"""Assembles the page: one picture, three verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from app import edits, words
from app.ask import Ask
from app.canvas import Canvas
from app.conversation import Conversation
from app.correct import Correct
from app.correcting import Correcting
from app.corrections import Corrections
from app.endpoints import Endpoints
from app.facts import facts
from app.host import Host
from app.phrases import escape
from app.render import data_url
from app.samples import Sample, read_samples
from app.serving import Opener, Serving, Told
from app.session import People, key_of
from app.takeout import Takeout
from app.teach import Teach
from app.teaching import COMMAND, Teaching
from model.backends import open_backend

if TYPE_CHECKING:
    from app.settings import Settings
    from model.backends.base import Backend

POLL_SECONDS = 0.5
THUMBNAIL = (160, 120)
SWAP_SECONDS = 15
"""Between two looks at which model answers, once it is loaded."""

_LOGO = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="4"/>'
    '<path d="M16 2v7M16 23v7M2 16h7M23 16h7"/></svg>'
)


def build(
    settings: Settings,
    loader: Callable[[], Backend],
    opener: Opener | None = None,
    training: Sequence[str] = COMMAND,
    progress: Callable[[], str] = lambda: "",
) -> gr.Blocks:
    """Returns the page; the model begins to load at once, in the background.

    Args:
        settings: limits and the model's name.
        loader: returns the model; called in a thread.
        opener: returns the model of a checkpoint that is to be served.
        training: the command that trains.
        progress: tells what the loader is doing, in words for people.
    """
    host = Host(loader, Path(settings.model).name, settings.answer_seconds, progress)
    people = People(settings.max_people, settings.session_age)
    samples = read_samples()
    with gr.Blocks(
        title=words.NAME,
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(settings.file_age, settings.file_age),
    ) as page:
        brand = gr.HTML(_brand(host), elem_id="brand")
        with gr.Row(elem_id="work", equal_height=False):
            with gr.Column(scale=3, min_width=320):
                canvas = Canvas(
                    words=words.CANVAS,
                    samples=thumbnails(samples),
                    paints=edits.paints(),
                    elem_id="canvas",
                )
            with gr.Column(scale=2, min_width=320, elem_id="side"), gr.Tabs():
                talk = Conversation(people, host, settings)
                ask = Ask(talk, samples, canvas)
                work = Correcting(talk, Corrections(settings))
                correct, takeout = Correct(work, ask), Takeout(work)
                serving = Serving(host, settings, opener or partial(_open, settings))
                teach = Teach(Teaching(settings, serving, training))
                with gr.Tab(words.ASK, id="ask") as ask_tab:
                    ask.build()
                with gr.Tab(words.CORRECT, id="correct") as correct_tab:
                    correct.build()
                    with gr.Accordion(words.EXPORT, open=False, elem_id="takeout"):
                        takeout.build()
                with gr.Tab(words.TEACH, id="teach") as teach_tab:
                    teach.build()
        ask.wire()
        correct.wire(correct_tab, ask_tab, teach_tab)
        takeout.wire()
        teach.wire(teach_tab)
        Endpoints(talk).build()
        _watch_model(page, host, brand, ask)

        def leave(request: gr.Request) -> None:
            people.forget(key_of(request))

        page.unload(leave)
    host.start()
    teach.work.watch()
    return page


def thumbnails(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Returns small pictures of the samples with their titles, for the canvas."""
    found: list[dict[str, Any]] = []
    for sample in samples:
        with Image.open(sample.file) as picture:
            small = picture.convert("RGB")
        small.thumbnail(THUMBNAIL)
        found.append({"title": sample.title, "src": data_url(small)})
    return found


def _open(settings: Settings, name: str, tell: Told) -> Backend:
    return open_backend(name, settings.device, progress=tell)


def _watch_model(page: gr.Blocks, host: Host, brand: gr.HTML, ask: Ask) -> None:
    """Shows the model's state, what it can do, and now and then whether it is still the same."""
    timer, known = gr.Timer(POLL_SECONDS), gr.State("")
    outputs = [brand, timer, known, ask.canvas, ask.heat, *ask.quick.values()]

    def look(shown: str) -> dict[Any, Any]:
        head = _brand(host)
        if shown == head:
            return {known: head}
        updates: dict[Any, Any] = {brand: head, known: head}
        if host.settled:
            updates |= {timer: gr.Timer(SWAP_SECONDS), **ask.abilities()}
        return updates

    for event in (page.load, timer.tick):
        event(look, [known], outputs, show_progress="hidden", api_visibility="private")


def _brand(host: Host) -> str:
    """Returns the head of the page with the model's name, device and state."""
    card = host.card
    if card is not None:
        state, text = "ready", words.READY.format(name=card.name, device=card.device)
    elif host.error:
        state, text = "failed", words.FAILED.format(name=host.name)
    else:
        state, text = "loading", host.progress() or words.LOADING.format(name=host.name)
    more = facts(card) if card else f"<p>{escape(host.error or words.LOADING_WHY)}</p>"
    return (
        f'<header class="brand"><h1>{_LOGO}{words.NAME}</h1><p>{words.TAGLINE}</p>'
        f'<div role="status"><button type="button" class="model {state}" popovertarget="about" '
        f'title="{words.MODEL_TITLE}"><i></i>{escape(text)}</button></div>'
        f'<section id="about" popover><h2>{words.MODEL_TITLE}</h2>{more}</section></header>'
    )
