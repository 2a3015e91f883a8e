"""A real server: `transformers serve` with a tiny model, asked through the same door."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.conversation import Conversation
from app.host import Host
from app.session import People
from app.settings import Settings
from model.backends import open_backend
from model.types import Answer, Finish
from tests.fakes import ANNA, last
from tests.model.backends.conftest import Tiny
from tests.model.backends.tiny import picture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("openai") is None,
        reason="transformers serve needs openai: pip install -r requirements-dev.txt",
    ),
]
SECONDS = 900


@pytest.fixture(scope="module")
def served(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts the server and yields what `--model` takes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tiny("llava")
    home = tmp_path_factory.mktemp("hub")
    command = Path(sys.executable).parent / "transformers"
    process = subprocess.Popen(
        [command, "serve", str(folder), "--device", "cpu", "--host", "127.0.0.1",
         "--port", str(port)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"openai:http://127.0.0.1:{port}/v1#{folder}"
    finally:
        process.terminate()
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS):
        assert process.poll() is None, "the server ended"
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    raise AssertionError("the server did not come up")


def test_the_page_chats_with_a_served_model(served: str, tmp_path: Path) -> None:
    backend = open_backend(served)
    backend.max_tokens = 8  # type: ignore[attr-defined]
    host = Host(lambda: backend, "served", SECONDS)
    host.start()
    page, file = Conversation(People(), host, Settings()), tmp_path / "picture.png"
    picture().save(file)
    assert page.open(ANNA, file, "a picture").picture is not None
    end = last(page.ask(ANNA, "What is in the picture?", {}))
    assert not end.trouble
    (exchange,) = page.people.desk(ANNA).exchanges
    assert exchange.answer is not None
    assert exchange.answer.finish in (Finish.STOP, Finish.LENGTH)
    # What a random model says has characters that the page escapes; its letters come through.
    letters = re.findall("[a-z]{2,}", exchange.answer.text)
    assert letters
    assert end.chat is not None
    assert all(word in end.chat[-1]["content"] for word in letters)


def test_a_served_model_answers(served: str) -> None:
    backend = open_backend(served)
    backend.max_tokens = 8  # type: ignore[attr-defined]
    *deltas, answer = backend.stream(picture(), "What is in the picture?")
    assert isinstance(answer, Answer)
    assert answer.finish in (Finish.STOP, Finish.LENGTH)
    assert answer.text == "".join(delta.text for delta in deltas)
