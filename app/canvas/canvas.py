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


class Canvas(gr.HTML):
    """A picture with marks, answers and samples; see the module for its props and events."""

    def __init__(
        self,
        value: dict[str, Any] | None = None,
        *,
        words: dict[str, str] | None = None,
        samples: list[dict[str, Any]] | None = None,
        picture: dict[str, Any] | None = None,
        answer: dict[str, Any] | None = None,
        adopt: dict[str, Any] | None = None,
        notice: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        can: list[str] | None = None,
        edit: dict[str, Any] | None = None,
        paints: list[list[str]] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        # Gradio builds the component anew from its arguments at every update.
        for name in ("html_template", "css_template", "js_on_load", "apply_default_css"):
            kwargs.pop(name, None)
        super().__init__(
            value=value or {},
            words=words or {},
            samples=samples or [],
            picture=picture,
            answer=answer,
            adopt=adopt,
            notice=notice,
            status=status,
            can=can or [],
            edit=edit,
            paints=paints or [],
            html_template=_TEMPLATE,
            js_on_load=_SCRIPT,
            apply_default_css=False,
            **kwargs,
        )

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
