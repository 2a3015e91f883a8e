"""A warm click as a browser makes it: what the server takes beside the model.

From sending the click to having the whole answer (words, boxes and the drawn picture), over HTTP on
this machine, minus what the model took by the page's own clock.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.browser.conftest import served

ROOT = Path(__file__).resolve().parents[2]
CLICK: dict[str, Any] = {
    "question": "What is @1?", "task": "click", "selected": "@1", "screen": [750, 1],
    "marks": [{"name": "@1", "points": [[0.3, 0.5, 1]]}],
}  # fmt: skip
_CLICKED = re.compile(r"click answered in (\d+) ms")


@dataclass(frozen=True, slots=True)
class WarmClick:
    """Milliseconds of every click.

    Attributes:
        whole: from the request to the end of the answer.
        model: what of that the model took.
    """

    whole: tuple[float, ...]
    model: tuple[float, ...]

    @property
    def beside(self) -> float:
        """The median of what was not the model."""
        pairs = zip(self.whole, self.model, strict=True)
        return statistics.median(whole - model for whole, model in pairs)


class Tab:
    """A browser tab without a browser: one session that sends events and reads answers."""

    def __init__(self, site: str) -> None:
        self._line = httpx.Client(base_url=site, timeout=120)
        self._line.get("/").raise_for_status()  # brings the cookie
        config = self._line.get("/config").json()
        self._canvas = next(
            part["id"] for part in config["components"] if part["props"].get("elem_id") == "canvas"
        )
        self._events = {
            tuple(target): number
            for number, call in enumerate(config["dependencies"])
            for target in call["targets"]
        }
        self._session = "warm" + str(time.monotonic_ns())

    def event(self, name: str, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Sends an event of the canvas; yields what the server says of it until it is done."""
        body = {
            "fn_index": self._events[self._canvas, name],
            "trigger_id": self._canvas,
            "session_hash": self._session,
            "data": [],
            "event_data": data,
        }
        self._line.post("/gradio_api/queue/join", json=body).raise_for_status()
        query = {"session_hash": self._session}
        with self._line.stream("GET", "/gradio_api/queue/data", params=query) as answers:
            for line in answers.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])


def warm_click(*model: str, rounds: int = 30) -> WarmClick:
    """Returns what clicks on an encoded picture take; the first is not counted.

    Args:
        model: a checkpoint; none takes a stand-in without weights.
        rounds: how many clicks.
    """
    with TemporaryDirectory() as folder, served(Path(folder), *model) as site:
        tab = Tab(site)
        list(tab.event("sampled", {"index": 0}))
        whole, spent = [], []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            seen = False
            for message in tab.event("asked", CLICK):
                said = _CLICKED.search(json.dumps(message))
                if said and not seen:
                    seen = True
                    whole.append(1e3 * (time.perf_counter() - started))
                    spent.append(float(said[1]))
    return WarmClick(tuple(whole[1:]), tuple(spent[1:]))


if __name__ == "__main__":
    found = warm_click(str(ROOT / "checkpoints" / "deixis-tiny"))
    print(
        f"A warm click: {statistics.median(found.whole):.0f} ms, of which the model "
        f"{statistics.median(found.model):.0f} ms; the rest {found.beside:.1f} ms "
        "(median of differences, target 20 ms)"
    )
