"""What the page's own components share: a static template, a script, and state in the browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

_BEGIN = Path(__file__).with_suffix(".js").read_text("utf-8")
_EVALUATED = ("${", "{{", "`")
"""Signs that make Gradio run a part of a template as JavaScript."""


class Component(gr.HTML):
    """A `gr.HTML` whose state the browser owns.

    Python sends props and hears of events; it never sends the value, which would erase what a
    person did meanwhile. A kind of component sets the three class variables.

    Attributes:
        markup: HTML without a word of content; texts come in by the script, as text.
        script: JavaScript; `component.js` comes before it.
        defaults: the props it knows, with what they are at first.
    """

    markup: ClassVar[str] = ""
    script: ClassVar[str] = ""
    defaults: ClassVar[dict[str, Any]] = {}

    _quoted: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Raises ValueError for markup that Gradio would evaluate."""
        super().__init_subclass__()
        quoted = re.findall(r"""(?<=['"`])\w+(?=['"`])""", cls.script)
        cls._quoted = frozenset(quoted) - cls.defaults.keys()
        found = [sign for sign in _EVALUATED if sign in cls.markup]
        if found:
            raise ValueError(f"The markup of {cls.__name__} has {found}, which would be evaluated.")

    def __init__(self, value: dict[str, Any] | None = None, **props: Any) -> None:  # noqa: ANN401
        # Props are not named as parameters: Gradio would look them up as attributes, and take
        # those that scripts watch for events. It builds the component anew at every update.
        own: dict[str, Any] = {
            "html_template": self.markup,
            "js_on_load": f"{_BEGIN}\n{self.script}",
            "css_template": "",
            "apply_default_css": False,
        }
        super().__init__(value=value or {}, **{"words": {}, **self.defaults, **props, **own})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Returns what listens to an event that the script names.

        Gradio asks for many names that are none, several times an update, and reads the whole
        script for each; the quoted words of a script are known beforehand. Props are no events.
        """
        if name not in self._quoted:
            raise AttributeError(f"{type(self).__name__} has neither attribute nor event {name!r}.")
        return super().__getattr__(name)

    def preprocess(self, payload: Any) -> Any:  # noqa: ANN401
        """Returns what the browser says, unchecked."""
        return payload

    def postprocess(self, value: Any) -> Any:  # noqa: ANN401
        """Returns the value as it is."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Returns the JSON schema of the value."""
        return {"type": "object"}

    def example_payload(self) -> dict[str, Any]:
        """Returns a value for documentation."""
        return {}

    def example_value(self) -> dict[str, Any]:
        """Returns a value for documentation."""
        return {}

    def get_block_name(self) -> str:
        """Returns the name of the front end that shows it."""
        return "html"
