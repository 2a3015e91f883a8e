"""The canvas as a Gradio component: a static template, its own state, props in, events out.

The browser owns what is drawn. Python never sends the component's value, which would erase marks
made meanwhile; it sends the props below, and the scripts merge them:

    picture   what to look at: id, src, width, height, alt, point
    answer    boxes to light up and the rendered picture
    adopt     a mark made by Python, such as a starter question's
    notice    a message beside the picture
    status    a short state of affairs under the picture
    can       what the model can do
    edit      the boxes to correct, and label suggestions; `open` tells whether to correct at all
    saved     changes whenever a correction was kept
    paints    colour and ink of boxes by their number

Events bring plain JSON: `asked`, `opened`, `sampled`, `sifted`, `recalled`, `ready`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
_TEMPLATE = (HERE / "canvas.html").read_text("utf-8")
_SCRIPT = "\n".join(path.read_text("utf-8") for path in sorted(HERE.glob("[0-9]-*.js")))

# Gradio evaluates templates as JavaScript: nothing of ours may look like one.
assert not any(sign in _TEMPLATE for sign in ("${", "{{", "`"))


_PROPS: dict[str, Any] = {
    "words": {},
    "samples": [],
    "paints": [],
    "can": [],
    "picture": None,
    "answer": None,
    "adopt": None,
    "notice": None,
    "status": None,
    "edit": None,
    "saved": None,
}


class Canvas(gr.HTML):
    """A picture with marks, answers and samples; see the module for its props and events."""

    def __init__(self, value: dict[str, Any] | None = None, **props: Any) -> None:  # noqa: ANN401
        # Props are not named as parameters: Gradio would look them up as attributes, and take
        # those that scripts watch for events. It builds the component anew at every update.
        own = {
            "html_template": _TEMPLATE,
            "js_on_load": _SCRIPT,
            "css_template": "",
            "apply_default_css": False,
        }
        super().__init__(value=value or {}, **{**_PROPS, **props, **own})

    def preprocess(self, payload: Any) -> Any:  # noqa: ANN401
        """Returns what the browser says is drawn, unchecked."""
        return payload

    def postprocess(self, value: Any) -> Any:  # noqa: ANN401
        """Returns the value as it is."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Returns the JSON schema of the value."""
        return {"type": "object", "description": "picture, marks, selected, threshold"}

    def example_payload(self) -> dict[str, Any]:
        """Returns a value for documentation."""
        return {"picture": "", "marks": [], "selected": "", "threshold": 0.3}

    def example_value(self) -> dict[str, Any]:
        """Returns a value for documentation."""
        return self.example_payload()

    def get_block_name(self) -> str:
        """Returns the name of the front end that shows it."""
        return "html"
