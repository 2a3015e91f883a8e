"""The page as a whole, without a browser: what it offers and what it hides."""

from __future__ import annotations

import re
import threading
from html import unescape
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from app import page, samples
from app.settings import Settings
from model.errors import CheckpointError
from tests.fakes import FakeBackend, in_loop

APP = Path(page.__file__).parent
CALLS = {"/encode", "/ask", "/detect", "/caption", "/describe_region", "/segment", "/pose", "/draw"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    settings = Settings(teaching=tmp_path_factory.mktemp("page"))
    return in_loop(lambda: page.build(settings, FakeBackend))


def test_programs_see_the_named_calls_and_nothing_else(built: gr.Blocks) -> None:
    named = built.get_api_info()["named_endpoints"]
    assert set(named) == CALLS
    assert [p["parameter_name"] for p in named["/ask"]["parameters"]] == [
        "picture",
        "question",
        "regions",
        "threshold",
    ]
    assert "Answers a question" in str(named["/ask"])


def test_no_rule_of_looks_is_lost_on_its_way() -> None:
    """Gradio writes each rule anew; a browser drops a rule of which it does not know one part."""
    rules = re.findall(
        r"([^{}]+)\{([^{}]*)\}", "".join(file.read_text("utf-8") for file in APP.rglob("*.css"))
    )
    for selector, body in rules:
        assert not ("::-moz-" in selector and "::-webkit-" in selector), selector
        # A shorthand that holds a variable goes where a part of it is said again.
        for name, _ in re.findall(
            r"(?<![\w-])(border|outline|margin|padding):([^;]*var\([^;]*)", body
        ):
            part = re.search(
                rf"(?<![\w-]){name}-(?:top|left|right|bottom|color|width)[\w-]*:", body
            )
            assert part is None, f"{selector.strip()}: {part and part.group()}"
    assert len(rules) > 100


def test_the_page_comes_up_before_the_model(tmp_path: Path) -> None:
    gate = threading.Event()

    def load() -> FakeBackend:
        gate.wait(60)
        return FakeBackend()

    built = in_loop(lambda: page.build(Settings(model="checkpoints/slow", teaching=tmp_path), load))
    assert isinstance(built, gr.Blocks)
    gate.set()


def test_the_head_tells_how_far_loading_is_and_then_what_the_model_is() -> None:
    host = page.Host(FakeBackend, "slow", progress=lambda: "Fetching owner/<b>: 3 of 375 MB")
    head = page._brand(host)
    assert "<b>" not in head
    assert "Fetching owner/<b>: 3 of 375 MB" in unescape(head)
    host.start()
    host.wait(threading.Event())
    head = unescape(page._brand(host))
    assert "fake-tiny · cpu" in head
    assert "<dt>Licence</dt><dd>Apache-2.0</dd>" in head
    assert "<dt>From</dt>" in head
    assert page._brand(page.Host(FakeBackend, "quiet")).count("loading quiet …") == 1


def test_a_model_that_fails_is_named_with_its_reason() -> None:
    def load() -> FakeBackend:
        raise CheckpointError("<b>no such folder</b>")

    host = page.Host(load, "lost")
    host.start()
    while not host.settled:
        pass
    head = page._brand(host)
    assert "lost could not be loaded" in head
    assert "<b>" not in head


def test_a_hostile_model_name_is_inert() -> None:
    host = page.Host(lambda: FakeBackend(name='"><script>x</script>'), "fake")
    host.start()
    while not host.settled:
        pass
    assert "<script>" not in page._brand(host)


def test_samples_without_their_file_are_left_out(tmp_path: Path) -> None:
    assert samples.read_samples(tmp_path) == ()
    (tmp_path / "samples").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "samples" / "here.jpg")
    (tmp_path / "samples.json").write_text(
        '[{"file": "here.jpg", "title": "t", "alt": "a", "questions": ["1", "2", "3", "4"]},'
        ' {"file": "gone.jpg", "title": "t", "alt": "a", "questions": []}]'
    )
    (sample,) = samples.read_samples(tmp_path)
    assert sample.questions == ("1", "2", "3")
    assert sample.point is None
    (thumbnail,) = page.thumbnails((sample,))
    assert thumbnail["src"].startswith("data:image/jpeg")


def test_the_shipped_samples_are_complete() -> None:
    found = samples.read_samples()
    assert 6 <= len(found) <= 12
    for sample in found:
        assert sample.title
        assert sample.alt
        assert len(sample.questions) == 3
        assert sample.point is not None
