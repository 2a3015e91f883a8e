"""How long answers take while a training job runs beside the page, against a page at rest.

Warm clicks and descriptions, asked one after the other over HTTP, as by one person; the job is
started by the page's own queue, with its own priority.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.jobs import State
from app.runs import COMMAND, Runs
from app.settings import Settings
from tests.bench.warm_click import CLICK, Tab
from tests.browser.conftest import served
from tests.model.training.small_run import coco_squares

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "checkpoints" / "deixis-tiny"
ASKED = {"click": CLICK, "description": {"question": "Describe this picture.", "marks": []}}
NAME, MINUTES = "squares-1", 30
TARGET = 3.0
"""Times as long as at rest an answer may take."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Seconds of every answer to one kind of question.

    Attributes:
        idle: with nothing else to do.
        training: beside a training job.
    """

    idle: tuple[float, ...]
    training: tuple[float, ...]

    @property
    def slower(self) -> float:
        """How many times as long the 95th percentile is beside a training job."""
        return p95(self.training) / p95(self.idle)

    def row(self, what: str) -> str:
        """Returns a line for people."""
        return (
            f"| {what} | {1e3 * p95(self.idle):.0f} ms | {1e3 * p95(self.training):.0f} ms | "
            f"{self.slower:.1f} × | {len(self.idle)} each |"
        )


def p95(seconds: tuple[float, ...]) -> float:
    """Returns the 95th percentile."""
    return float(np.percentile(seconds, 95))


def chat_while_training(rounds: int = 60) -> dict[str, Beside]:
    """Returns what answers take at rest and beside a job, by the kind of question."""
    with TemporaryDirectory() as name, served(Path(name), str(CHECKPOINT)) as site:
        folder = Path(name)
        runs = _runs(folder)
        tab = Tab(site)
        list(tab.event("sampled", {"index": 0}))
        idle = _asked(tab, rounds)
        _start(runs, folder)
        try:
            _until(lambda: bool(runs.get(NAME).trail.steps))
            training = _asked(tab, rounds)
            assert runs.get(NAME).job.state is State.RUNNING, runs.get(NAME).job.message
        finally:
            runs.stop(NAME)
            _until(lambda: runs.get(NAME).job.finished)
        return {what: Beside(idle[what], training[what]) for what in ASKED}


def _asked(tab: Tab, rounds: int) -> dict[str, tuple[float, ...]]:
    """Returns seconds of every answer; the first of each kind is not counted."""
    spent: dict[str, list[float]] = {what: [] for what in ASKED}
    for _ in range(rounds + 1):
        for what, question in ASKED.items():
            started = time.perf_counter()
            for _ in tab.event("asked", question):
                pass
            spent[what].append(time.perf_counter() - started)
    return {what: tuple(values[1:]) for what, values in spent.items()}


def _runs(folder: Path) -> Runs:
    """Returns the page's own runs: its watcher starts what is put in their queue."""
    settings = Settings(teaching=folder / "teaching", checkpoints=folder / "checkpoints")
    return Runs(settings, COMMAND)


def _start(runs: Runs, folder: Path) -> None:
    data = folder / "data"
    command = [sys.executable, "-m", "model.training", "import", "--out", str(data)]
    source = coco_squares(folder / "squares", 24)
    subprocess.run([*command, str(source)], cwd=ROOT, check=True, capture_output=True)
    options = {
        "data": data,
        "out": folder / "checkpoints" / NAME,
        "start": CHECKPOINT,
        "minutes": MINUTES,
        "mode": "full",
        "replay": ROOT / Settings().replay,
    }
    runs.start(NAME, options, None)


def _until(fits: Callable[[], bool]) -> None:
    while not fits():
        time.sleep(0.2)


def main() -> None:
    """Measures and prints the table."""
    print("| answer | p95 at rest | p95 while training | slower | answers |\n|---|---|---|---|---|")
    found = chat_while_training()
    for what, beside in found.items():
        print(beside.row(what), flush=True)
    print(f"\nTarget: {TARGET:g} ×.")
