"""The canvas as a component: static, state owned by the browser, events by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gradio as gr
import pytest

from app import canvas, words
from app.canvas import Canvas, CaptionEditor, Component, Shelf
from app.teach.album import Album
from tests.fakes import in_loop

HERE = Path(canvas.__file__).parent
SCRIPTS = sorted(HERE.glob("*.js"))
EVENTS = ("asked", "opened", "sampled", "sifted", "recalled", "corrected", "nudged")


@pytest.mark.parametrize("kind", [Canvas, CaptionEditor, Shelf, Album])
def test_nothing_of_the_templates_is_evaluated(kind: type[gr.HTML]) -> None:
    for template in (kind().html_template, kind().css_template):
        assert not re.search(r"\$\{|\{\{|`", template)


def test_markup_that_would_be_evaluated_is_refused() -> None:
    with pytest.raises(ValueError, match="would be evaluated"):
        type("Careless", (Component,), {"markup": "<p>${value}</p>"})


@pytest.mark.parametrize("name", EVENTS)
def test_python_can_listen_to_every_event(name: str) -> None:
    def listen() -> None:
        with gr.Blocks(analytics_enabled=False):
            getattr(Canvas(), name)(lambda: None)

    in_loop(listen)


def test_updates_build_it_anew_with_the_same_scripts() -> None:
    first = Canvas(words={"a": "b"})
    again = Canvas(**{**first.constructor_args, "can": ["click"], "html_template": "<p>"})
    assert again.html_template == first.html_template
    assert again.props["can"] == ["click"]
    assert again.props["words"] == {"a": "b"}


def test_its_configuration_is_plain_json() -> None:
    config = Canvas(words=words.CANVAS).get_config()
    assert json.loads(json.dumps(config, default=str))["props"]["words"] == words.CANVAS
    assert not [name for name, value in config.items() if callable(value)]


def test_what_the_browser_says_is_passed_on_unchecked() -> None:
    component = Canvas()
    assert component.preprocess({"marks": 7}) == {"marks": 7}
    assert component.postprocess(None) is None
    assert component.api_info()["type"] == "object"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_make_html_of_text(path: Path) -> None:
    source = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)
    assert "http:" not in source.replace("http://www.w3.org/2000/svg", "")
    assert len(source.splitlines()) <= 360


def test_every_text_the_scripts_ask_for_exists() -> None:
    source = "".join(p.read_text("utf-8") for p in HERE.glob("[0-9]-*.js"))
    asked = set(re.findall(r"say\('(\w+)'[,)]", source))
    template = (HERE / "canvas.html").read_text("utf-8")
    asked |= set(re.findall(r'data-(?:text|aria|tool|act)="(\w+)"', template))
    assert asked - set(words.CANVAS) == set()
    editor = "".join((HERE / name).read_text("utf-8") for name in ("editor.html", "editor.js"))
    asked = set(re.findall(r"""data-(?:text|aria)="(\w+)"|say\('(\w+)'""", editor))
    assert {one or other for one, other in asked} <= set(words.EDITOR)
