"""Pictures in rows, some beside each other, each enlarged by a click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_SCRIPT = Path(__file__).with_name("album.js").read_text("utf-8")
_TEMPLATE = '<div class="album" hidden></div><dialog class="album-one"></dialog>'


class Album(gr.HTML):
    """Rows of pictures.

    The prop `items` holds rows `{"title", "pictures": [{"src", "alt", "caption"}]}`, `legend` what
    the colours mean: `{"label", "color"}`. Words are shown as text, whatever they say.
    """

    def __init__(self, value: dict[str, Any] | None = None, **props: Any) -> None:  # noqa: ANN401
        own: dict[str, Any] = {
            "html_template": _TEMPLATE,
            "js_on_load": _SCRIPT,
            "css_template": "",
            "apply_default_css": False,
        }
        super().__init__(
            value=value or {}, **{"words": {}, "items": [], "legend": [], **props, **own}
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
