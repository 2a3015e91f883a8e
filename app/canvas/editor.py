"""What stands beside the canvas while correcting: the caption editor and the shelf of examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from app.canvas.component import Component

HERE = Path(__file__).parent


class CaptionEditor(Component):
    """An answer's words, linked to boxes by selecting them.

    It talks to the canvas alone, by events on the document: what it is to show comes from there,
    and what was typed goes there at once, so that a correction is saved in one message.
    """

    markup = (HERE / "editor.html").read_text("utf-8")
    script = (HERE / "editor.js").read_text("utf-8")


class Shelf(Component):
    """Saved examples as thumbnails; the events `reopened` and `deleted` bring an example's id.

    The prop `content` is {"serial", "items": [{"id", "title", "src"}]}; what is older than what is
    shown is not looked at.
    """

    markup = '<div class="shelf"></div>'
    script = (HERE / "shelf.js").read_text("utf-8")
    defaults: ClassVar[dict[str, Any]] = {"content": None}
