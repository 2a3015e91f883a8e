"""A browser, a served page, and visitors; whoever visits must leave a clean console behind."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Request,
    sync_playwright,
)

from tests.browser.visitor import Visitor

KNOWN = "WARN The input spec uses Vega-Lite"
"""What Gradio's own plots complain about: they bring an older specification than their library."""

CLOSED = ("/monitoring/summary", "/gradio_api/mcp/schema")
"""What Gradio's list of calls asks for and does without: both are closed here."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium, gone after the last test of this folder.

    While Playwright runs, no other test could start an event loop.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Visits:
    """Opens the page for people; their consoles must be clean when they leave.

    Args:
        browser: where tabs open.
        site: the page's address.
        profiles: for a mouse (False) and for a finger (True), so that tabs of one kind of device
            share what the browser has loaded already.
    """

    def __init__(self, browser: Browser, site: str, profiles: dict[bool, BrowserContext]) -> None:
        self.browser, self.site, self.profiles = browser, site, profiles
        self.visitors: list[Visitor] = []

    def __call__(
        self,
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        phone: bool = False,
        stranger: bool = False,
    ) -> Visitor:
        """Returns a visitor whose page is there with its model.

        Args:
            width: of the window.
            height: of the window.
            theme: light or dark.
            phone: whether it has a finger in place of a mouse.
            stranger: whether it is somebody else than the visitors before.
        """
        profile = None if stranger else self.profiles.get(phone)
        if profile is None:
            profile = self.browser.new_context(
                accept_downloads=True, has_touch=phone, is_mobile=phone
            )
            self.profiles.setdefault(phone, profile)
        tab = profile.new_page()
        tab.set_viewport_size({"width": width, "height": height})
        visitor = Visitor(tab)
        self.visitors.append(visitor)
        self._watch(visitor)
        visitor.arrive(self.site, theme)
        return visitor

    def _watch(self, visitor: Visitor) -> None:
        def note(message: ConsoleMessage) -> None:
            known = message.text.startswith(KNOWN) or message.location["url"].endswith(CLOSED)
            if message.type in ("error", "warning") and not known:
                visitor.errors.append(message.text)

        def watch(request: Request) -> None:
            if not request.url.startswith((self.site, "data:", "blob:")):
                visitor.outside.append(request.url)

        visitor.page.on("console", note)
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.on("request", watch)

    def leave(self) -> None:
        """Closes all tabs; fails if a console complained or a request left the site."""
        left, self.visitors = self.visitors, []
        for visitor in left:
            visitor.page.close()
        assert [v.errors for v in left if v.errors] == []
        assert [v.outside for v in left if v.outside] == []


@pytest.fixture(scope="package")
def profiles() -> dict[bool, BrowserContext]:
    """Browser profiles that visitors share."""
    return {}


@pytest.fixture(scope="module")
def visits(browser: Browser, site: str, profiles: dict[bool, BrowserContext]) -> Iterator[Visits]:
    """Opens tabs that stay open over the tests of a file."""
    visits = Visits(browser, site, profiles)
    yield visits
    visits.leave()


@pytest.fixture
def visit(visits: Visits) -> Iterator[Visits]:
    """Opens the page for one more person; closes it after the test."""
    yield visits
    visits.leave()
