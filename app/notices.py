"""Messages beside what caused them, and how events behave that people should not notice."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.phrases import escape

QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": None,
}
"""Options of the page's own events: not in the API, no veil, no line to wait in."""


def said(text: str, wrong: bool = False) -> Any:  # noqa: ANN401
    """Returns the update of a `gr.HTML` that says something, or takes it away for no text."""
    kind, role = ("trouble", "alert") if wrong else ("done", "status")
    inside = f'<span class="{kind}" role="{role}">{escape(text)}</span>' if text else ""
    return gr.update(value=inside, visible=bool(text))
