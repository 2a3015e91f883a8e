"""The process of a training run: started, found again, ended, and its last words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import psutil

from app import words
from app.jobs.job import Job, State

NICENESS = 15
STOPPED_EARLY = 3
"""Exit code of a run that was asked to stop, and saved."""

TAIL_BYTES = 16_000
_ROOT = Path(__file__).resolve().parent.parent.parent
_MARK = "DEIXIS_JOB"
_SECRETS = ("DEIXIS_ADMIN_TOKEN",)
_BIRTH_SLACK = 5.0
"""Seconds by which a process's moment of birth may seem to move when the clock is set."""

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def start(
    command: Sequence[str], identifier: str, out: IO[bytes], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Starts a run with low priority in a session of its own, so that it outlives the server.

    Raises:
        OSError: the program is not there, or the system has no room for it.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _SECRETS}
    environment |= {_MARK: identifier, "PYTHONUNBUFFERED": "1"}
    # A thread-safe way to be nice from the first instruction on; replaced by the command itself.
    nice = shutil.which("nice")
    below_normal = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    return subprocess.Popen(
        [*([nice, "-n", str(NICENESS)] if nice else []), *command],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=log,
        cwd=_ROOT,
        env=environment,
        start_new_session=True,
        creationflags=below_normal,
    )


def find(job: Job) -> psutil.Process | None:
    """Returns the process of a job that is still alive, by its number and moment of birth.

    A job whose server was killed before it could note the number is found by the mark in its
    environment.
    """
    try:
        if job.pid is not None:
            process = psutil.Process(job.pid)
            same = abs(process.create_time() - (job.born or 0.0)) < _BIRTH_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
    return next(filter(None, (_marked(process, job) for process in psutil.process_iter())), None)


def _marked(process: psutil.Process, job: Job) -> psutil.Process | None:
    try:
        mine = process.environ().get(_MARK) == job.id
        return process if mine and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, OSError):
        return None


def kill(process: psutil.Process) -> None:
    """Ends a run at once, with the workers it started."""
    with contextlib.suppress(psutil.Error):
        for worker in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                worker.kill()
    with contextlib.suppress(psutil.Error):
        process.kill()


def ended(job: Job, exit_code: int | None, log: str) -> Job:
    """Returns the job as it stands after its process is gone.

    Args:
        job: as it was while it ran.
        exit_code: None if nobody knows it.
        log: its last lines.
    """
    state, message = _verdict(job, exit_code)
    if state is State.FAILED:
        message = next((line for line in reversed(log.splitlines()) if line.strip()), message)
    elif state is State.CRASHED and log:
        message = words.RUN_LAST_WORDS.format(message=message, log=log)
    return replace(job, state=state, exit_code=exit_code, message=message, ended=time.time())


def _verdict(job: Job, exit_code: int | None) -> tuple[State, str]:
    """Returns what an exit code means for a job."""
    if exit_code == 0:
        return State.DONE, ""
    if exit_code == STOPPED_EARLY:
        return State.STOPPED, words.RUN_SAVED
    if job.stop_asked is not None:
        return State.STOPPED, words.RUN_UNSAVED
    if exit_code is None:
        return State.CRASHED, words.RUN_GONE
    if exit_code == -signal.SIGTERM:
        return State.CRASHED, words.RUN_TOLD_TO_END
    if exit_code < 0:
        text = words.RUN_KILLED if exit_code == -9 else words.RUN_SIGNAL
        return State.CRASHED, text.format(signal=-exit_code)
    if exit_code in (1, 2):
        return State.FAILED, words.RUN_REFUSED
    return State.CRASHED, words.RUN_CODE.format(code=exit_code)


def tail(path: Path, lines: int) -> str:
    """Returns the last lines of a log; of a line that was rewritten, such as a bar, the last."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        text = _ESCAPE.sub("", file.read().decode("utf-8", "replace"))
    rows = [row.rstrip("\r").rsplit("\r", 1)[-1] for row in text.split("\n")]
    shown = ["".join(c if c.isprintable() or c == "\t" else " " for c in row) for row in rows]
    return "\n".join([row for row in shown if row.strip()][-lines:])
