"""The caption editor and the shelf of saved examples, made like the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
_TEMPLATE = (HERE / "editor.html").read_text("utf-8")
_SCRIPT = (HERE / "editor.js").read_text("utf-8")
_OWN = ("html_template", "css_template", "js_on_load", "apply_default_css")


class CaptionEditor(gr.HTML):
    """An answer's words, linked to boxes by selecting them.

    Its value is {"question", "text", "links"}, owned by the browser; the prop `edit` fills it.
    """

    def __init__(
        self,
        value: dict[str, Any] | None = None,
        *,
        words: dict[str, str] | None = None,
        edit: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        for name in _OWN:
            kwargs.pop(name, None)
        super().__init__(
            value=value or {},
            words=words or {},
            edit=edit,
            html_template=_TEMPLATE,
            js_on_load=_SCRIPT,
            apply_default_css=False,
            **kwargs,
        )

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

    def __init__(
        self,
        value: Any = None,  # noqa: ANN401
        *,
        words: dict[str, str] | None = None,
        items: list[dict[str, Any]] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        for name in _OWN:
            kwargs.pop(name, None)
        super().__init__(
            value=value or {},
            words=words or {},
            items=items or [],
            html_template='<div class="shelf"></div>',
            js_on_load=(HERE / "shelf.js").read_text("utf-8"),
            apply_default_css=False,
            **kwargs,
        )

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
