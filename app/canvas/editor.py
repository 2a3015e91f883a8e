"""The caption editor and the shelf of saved examples, made like the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
_TEMPLATE = (HERE / "editor.html").read_text("utf-8")
_SCRIPT = (HERE / "editor.js").read_text("utf-8")
_SHELF = (HERE / "shelf.js").read_text("utf-8")
_OWN: dict[str, Any] = {"css_template": "", "apply_default_css": False}


class CaptionEditor(gr.HTML):
    """An answer's words, linked to boxes by selecting them.

    Its value is {"question", "text", "links"}, owned by the browser; the prop `edit` fills it.
    """

    def __init__(self, value: dict[str, Any] | None = None, **props: Any) -> None:  # noqa: ANN401
        own = {**_OWN, "html_template": _TEMPLATE, "js_on_load": _SCRIPT}
        super().__init__(value=value or {}, **{"words": {}, "edit": None, **props, **own})

    def preprocess(self, payload: Any) -> Any:  # noqa: ANN401
        """Returns what the browser says, unchecked."""
        return payload

    def postprocess(self, value: Any) -> Any:  # noqa: ANN401
        """Returns the value as it is."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Returns the JSON schema of the value."""
        return {"type": "object", "description": "question, text, links"}

    def get_block_name(self) -> str:
        """Returns the name of the front end that shows it."""
        return "html"


class Shelf(gr.HTML):
    """Saved examples as thumbnails; the events `reopened` and `deleted` bring an example's id."""

    def __init__(self, value: dict[str, Any] | None = None, **props: Any) -> None:  # noqa: ANN401
        own = {**_OWN, "html_template": '<div class="shelf"></div>', "js_on_load": _SHELF}
        super().__init__(value=value or {}, **{"words": {}, "items": [], **props, **own})

    def preprocess(self, payload: Any) -> Any:  # noqa: ANN401
        """Returns the payload as it is."""
        return payload

    def postprocess(self, value: Any) -> Any:  # noqa: ANN401
        """Returns the value as it is."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Returns the JSON schema of the value."""
        return {"type": "object"}

    def get_block_name(self) -> str:
        """Returns the name of the front end that shows it."""
        return "html"
