"""A person at the page: what hands do and eyes see, in the words of the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Locator, Page, Route

PATIENCE = 60_000
"""Milliseconds to wait for what will surely come; machines are shared."""


@dataclass
class Visitor:
    """One person with a browser tab.

    Attributes:
        page: the tab.
        errors: what the console complained about.
        outside: addresses elsewhere that the page asked for.
        sample: index of the sample that was opened last.
        touch: the line by which fingers are put down.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sample: int | None = None
    touch: CDPSession | None = None

    def arrive(self, site: str, theme: str = "light") -> None:
        """Opens the page and waits until the model and the first sample are there."""
        self.page.goto(f"{site}/?__theme={theme}", timeout=PATIENCE)
        self.see(".brand .ready")
        self.see(".dx-samples button")
        self.see("#quick button")
        self.see(".dx-status", "ready")
        self.sample = 0

    # --- eyes ------------------------------------------------------------------------------------

    def see(self, selector: str, text: str | None = None) -> Locator:
        """Returns the first such thing once it is visible; waits for it."""
        found = self.page.locator(selector, has_text=text).first
        found.wait_for(state="visible", timeout=PATIENCE)
        return found

    def gone(self, selector: str) -> None:
        """Waits until no such thing is visible."""
        self.page.locator(selector).first.wait_for(state="hidden", timeout=PATIENCE)

    def count(self, selector: str) -> int:
        """Returns how many such things there are."""
        return self.page.locator(selector).count()

    def await_count(self, selector: str, count: int) -> None:
        """Waits until there are so many such things."""
        self.page.wait_for_function(
            "([selector, count]) => document.querySelectorAll(selector).length === count",
            arg=[selector, count],
            timeout=PATIENCE,
        )

    def text(self, selector: str) -> str:
        """Returns the text of the first such thing."""
        return self.page.locator(selector).first.inner_text()

    def answered(self, times: int = 1) -> None:
        """Waits until so many answers stand in the chat and none is growing."""
        self.page.wait_for_function(
            """times => document.querySelectorAll('#chat .user.message').length === times
                 && !document.querySelector('#chat .caret')
                 && document.querySelector('.dx-status').dataset.kind !== 'busy'
                 && document.querySelector('#question .submit-button')""",
            arg=times,
            timeout=PATIENCE,
        )

    def looks_at(self, name: str) -> None:
        """Waits until the picture of that name is on display."""
        self.page.wait_for_function(
            "name => document.querySelector('.dx-picture').alt === name",
            arg=name,
            timeout=PATIENCE,
        )

    def frame(self, selector: str = ".dx-picture") -> dict[str, float]:
        """Returns where the last such thing is on the screen: x, y, width, height.

        Looked up and measured at once: between the two the page may draw it anew.
        """
        return self.page.evaluate(
            """selector => {
                 const r = [...document.querySelectorAll(selector)].at(-1).getBoundingClientRect();
                 return {x: r.x, y: r.y, width: r.width, height: r.height}; }""",
            selector,
        )

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Returns where on the screen a place of the picture is."""
        frame = self.frame()
        return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]

    def ask_about(self, box: tuple[float, float, float, float]) -> dict[str, float]:
        """Draws a box, has it answered, and returns the box of the answer's first phrase."""
        self.take("box")
        self.drag(box[:2], box[2:])
        self.page.click(".dx-menu .dx-first")
        self.answered()
        self.page.hover(".ph.g1")
        self.see(".dx-lit")
        (lit,) = self.lit()
        return lit

    def lit(self) -> list[dict[str, float]]:
        """Returns the boxes that are lit up, as fractions of the picture."""
        return self.page.evaluate(
            """() => { const p = document.querySelector('.dx-picture').getBoundingClientRect();
                 return [...document.querySelectorAll('.dx-lit')].map(box => {
                   const r = box.getBBox(), s = box.ownerSVGElement.getBoundingClientRect();
                   return {x0: (s.x + r.x - p.x) / p.width, y0: (s.y + r.y - p.y) / p.height,
                     x1: (s.x + r.x + r.width - p.x) / p.width,
                     y1: (s.y + r.y + r.height - p.y) / p.height}; }); }"""
        )

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Returns what a script says."""
        return self.page.evaluate(script, argument)

    # --- the wire --------------------------------------------------------------------------------

    def hold_requests(self, pattern: str) -> Callable[[], None]:
        """Holds back what the page sends to such addresses; returns what lets it go."""
        held: list[Route] = []
        self.page.route(pattern, lambda route: held.append(route))

        def release() -> None:
            for route in held:
                route.continue_()
            self.page.unroute(pattern)

        return release

    def hold_answers(self) -> list[Callable[[], None]]:
        """Holds back the next stream of answers.

        Returns a list that is empty until the server has closed the stream; what is in it then
        hands the stream over.
        """
        closed: list[Callable[[], None]] = []

        def hold(route: Route) -> None:
            if closed:
                route.continue_()
            else:
                answers = route.fetch()  # there is an end to it only when the server closes it
                closed.append(lambda: route.fulfill(response=answers))

        self.page.route("**/queue/data*", hold)
        return closed

    # --- hands -----------------------------------------------------------------------------------

    def open_sample(self, index: int = 0) -> None:
        """Chooses a sample and waits for the encoded picture; the first one opens by itself."""
        if index == self.sample:
            return
        self.sample = index
        self.page.locator(".dx-samples button").nth(index).click()
        self.see(".dx-status", "ready")

    def take(self, tool: str) -> None:
        """Takes a tool."""
        self.page.click(f"[data-tool={tool}]")

    def click(self, x: float, y: float, **how: Any) -> None:
        """Clicks on a place of the picture."""
        self.page.mouse.click(*self.place(x, y), **how)

    def drag(self, *places: tuple[float, float], steps: int = 6) -> None:
        """Drags over places of the picture."""
        self.page.mouse.move(*self.place(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.place(*place), steps=steps)
        self.page.mouse.up()

    def fingers(self, kind: str, *places: tuple[float, float]) -> None:
        """Puts fingers down (touchStart), moves them (touchMove) or lifts them (touchEnd)."""
        if self.touch is None:
            self.touch = self.page.context.new_cdp_session(self.page)
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        self.touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def ask(self, text: str) -> None:
        """Types a question and sends it."""
        self.page.fill("#question textarea", text)
        self.page.press("#question textarea", "Enter")
