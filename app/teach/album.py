"""Pictures in rows, some beside each other, each enlarged by a click."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from app.canvas import Component


class Album(Component):
    """Rows of pictures.

    The prop `items` holds rows `{"title", "pictures": [{"src", "alt", "caption"}]}`, `legend` what
    the colours mean: `{"label", "color"}`. Words are shown as text, whatever they say.
    """

    markup = '<div class="album" hidden></div><dialog class="album-one"></dialog>'
    script = Path(__file__).with_name("album.js").read_text("utf-8")
    defaults: ClassVar[dict[str, Any]] = {"items": [], "legend": []}
