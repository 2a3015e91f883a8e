"""Training on ZeroGPU: the GPU is lent for two minutes at a time, so a run is a chain of bursts.

Each burst is stopped early enough to save, and the next one goes on where it was. The `spaces`
package is there on such a Space only; elsewhere nothing here is used. The GPU is lent to a fork of
the server, whose environment names the device; the process of the run inherits it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app import words
from app.jobs.process import STOPPED_EARLY, start

SECONDS = 120.0
"""That a burst asks for."""
SAVING = 30.0
"""Of them are kept to save in."""
BURSTING = ("train",)
"""Verbs that go on where they were; the others run on the CPU."""

Burst = Callable[[Sequence[str], str, str], int]
"""Runs a command for a while: its words, the job's id and folder; returns the exit code."""


def burst(
    command: Sequence[str],
    identifier: str,
    folder: str,
    seconds: float = SECONDS,
    saving: float = SAVING,
) -> int:
    """Runs a command until it ends or its time is nearly up; returns its exit code.

    Args:
        command: that saves and ends with `STOPPED_EARLY` when it is told to.
        identifier: of the job.
        folder: of the job; what the command says is added to its files.
        seconds: the GPU is there for.
        saving: of them, for saving.
    """
    place = Path(folder)
    with (place / "progress.jsonl").open("ab") as out, (place / "log.txt").open("ab") as log:
        process = start(command, identifier, out, log)
        try:
            return process.wait(seconds - saving)
        except subprocess.TimeoutExpired:
            process.terminate()
        try:
            return process.wait(saving * 0.9)
        except subprocess.TimeoutExpired:
            process.kill()  # the last state is whole
            return process.wait()


def lent_burst() -> Burst | None:
    """Returns `burst` with a GPU lent for as long as it takes; None where there is no ZeroGPU."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return None
    try:
        spaces: Any = importlib.import_module("spaces")
    except ImportError:
        return None
    return spaces.GPU(duration=int(SECONDS))(burst)


LENT = lent_burst()
"""Decorated when the server starts, since a ZeroGPU Space without such a function is refused."""


class Bursts:
    """A run in bursts, that stands for its process as far as the queue is concerned.

    Args:
        run: one burst.
        command: the words.
        identifier: of the job.
        folder: of the job.
        goes_on: whether nobody has asked to stop.
    """

    def __init__(
        self,
        run: Burst,
        command: Sequence[str],
        identifier: str,
        folder: Path,
        goes_on: Callable[[], bool],
    ) -> None:
        self._run, self._command, self._id = run, tuple(command), identifier
        self._folder, self._goes_on = folder, goes_on
        self._code: int | None = None
        self._thread = threading.Thread(target=self._work, name="bursts", daemon=True)
        self._thread.start()

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        return None if self._thread.is_alive() else self._code

    def wait(self, timeout: float | None = None) -> int | None:
        """Returns the exit code once it has ended."""
        self._thread.join(timeout)
        return self.poll()

    def _work(self) -> None:
        """Lends the GPU again and again until the run ends, or nothing more is lent."""
        code = STOPPED_EARLY
        saved = False
        while code == STOPPED_EARLY and (self._goes_on() or not saved):
            try:
                code = self._run(self._command, self._id, str(self._folder))
            except Exception as error:  # whatever keeps the GPU away is told, and the run waits
                with (self._folder / "log.txt").open("a", encoding="utf-8") as log:
                    log.write(f"error: {words.RUN_NO_LOAN.format(error=error)}\n")
                code = STOPPED_EARLY if saved else 1
                break
            saved = True
        self._code = code
