"""The canvas as a Gradio component: its own state, props in, events out.

The browser owns what is drawn. Python sends the props below, and the scripts merge them:

    picture   what to look at: id, src, width, height, alt, point
    answer    boxes to light up, the same to correct, and the rendered picture
    adopt     a mark made by Python, such as a starter question's
    notice    a message beside the picture
    status    a short state of affairs under the picture
    can       what the model can do
    labels    words it knows, offered where a box is named
    saved     what came of a correction that was sent: the exchange that has it, None if refused
    paints    colour and ink of boxes by their number

Events bring plain JSON: `asked`, `opened`, `sampled`, `sifted`, `recalled`, `corrected`; `nudged`
asks for nothing, see `0-stream.js`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from app.canvas.component import Component

HERE = Path(__file__).parent


class Canvas(Component):
    """A picture with marks, answers and samples; see the module for its props and events."""

    markup = (HERE / "canvas.html").read_text("utf-8")
    script = "\n".join(path.read_text("utf-8") for path in sorted(HERE.glob("[0-9]-*.js")))
    defaults: ClassVar[dict[str, Any]] = {
        "samples": [],
        "paints": [],
        "can": [],
        "labels": [],
        "picture": None,
        "answer": None,
        "adopt": None,
        "notice": None,
        "status": None,
        "saved": None,
    }
