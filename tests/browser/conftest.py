"""A browser, a served page, and visitors; whoever visits must leave a clean console behind."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request, sync_playwright

from tests.browser.visitor import Visitor

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with the fake model."""
    with served(tmp_path_factory.mktemp("site")) as address:
        yield address


@contextmanager
def served(folder: Path, *model: str) -> Iterator[str]:
    """Serves the page in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), str(folder), *model]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found, (folder / "log").read_text()
        yield found.group()
    finally:
        server.terminate()
        server.wait(30)
        if server.stdout is not None:
            server.stdout.close()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    """Opens the page for one more person, in a browser profile of their own."""
    visitors: list[Visitor] = []

    def arrive(
        width: int = 1440, height: int = 900, theme: str = "light", **context: Any
    ) -> Visitor:
        tab = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **context
        ).new_page()
        visitor = Visitor(tab)
        visitors.append(visitor)

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                visitor.errors.append(message.text)

        def watch(request: Request) -> None:
            if not request.url.startswith((site, "data:", "blob:")):
                visitor.outside.append(request.url)

        tab.on("console", note)
        tab.on("pageerror", lambda error: visitor.errors.append(str(error)))
        tab.on("request", watch)
        visitor.arrive(site, theme)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.page.context.close()
    assert [v.errors for v in visitors if v.errors] == []
    assert [v.outside for v in visitors if v.outside] == []
