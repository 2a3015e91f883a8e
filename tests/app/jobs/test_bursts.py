"""Training on ZeroGPU, with a package `spaces` of our own and bursts that take a blink."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.jobs import Job, Jobs, State
from app.jobs import bursts as module
from app.jobs.bursts import Burst, burst, lent_burst

STUB = """
import json, pathlib, signal, sys, time

def say(**event):
    print(json.dumps(event), flush=True)

options = dict(word[2:].split("=", 1) for word in sys.argv[2:] if "=" in word)
place = pathlib.Path(options["out"])

def stop(*_):
    say(event="saved")
    say(event="end", exit_code=3)
    sys.exit(3)

signal.signal(signal.SIGTERM, signal.SIG_IGN if options.get("name") == "stubborn" else stop)
visits = len(place.read_text()) + 1 if place.exists() else 1
place.write_text("." * visits)
say(event="step", step=visits)
if visits < 3 and options.get("name") != "patient":
    signal.raise_signal(signal.SIGTERM)  # as at the end of a burst
if visits < 3:
    time.sleep(600)
say(event="end", exit_code=0)
"""
"""Is done at its third visit; before that it saves and ends, or waits until it is told to."""


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.process.NICENESS", 0)


def queue(folder: Path, run: Burst | None) -> Jobs:
    (folder / "stub.py").write_text(STUB)
    command = [sys.executable, "-S", "-E", str(folder / "stub.py")]
    return Jobs(folder / "jobs", command=command, burst=run)


def until(jobs: Jobs, fits: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not fits():
        assert time.monotonic() < deadline, jobs.all()
        jobs.refresh()
        time.sleep(0.02)


def ended(jobs: Jobs, job: Job) -> Job:
    until(jobs, lambda: jobs.get(job.id).finished)
    return jobs.get(job.id)


def test_a_run_goes_on_burst_after_burst_until_it_is_done(tmp_path: Path) -> None:
    jobs = queue(tmp_path, burst)
    job = ended(jobs, jobs.submit("train", {"out": tmp_path / "visits"}))
    assert (job.state, job.exit_code) == (State.DONE, 0)
    assert (tmp_path / "visits").read_text() == "..."
    events = [event["event"] for event in jobs.events(job.id)[0]]
    assert events == ["step", "saved", "end", "step", "saved", "end", "step", "end"]


def test_a_stop_ends_the_chain_and_keeps_what_was_saved(tmp_path: Path) -> None:
    jobs = queue(tmp_path, burst)
    job = jobs.submit("train", {"out": tmp_path / "visits", "name": "patient"})
    until(jobs, lambda: bool(jobs.events(job.id)[0]))
    jobs.stop(job.id)
    job = ended(jobs, job)
    assert job.state is State.STOPPED
    assert "saved" in job.message
    assert (tmp_path / "visits").read_text() == "."


def test_a_burst_ends_early_enough_to_save(tmp_path: Path) -> None:
    words = ["train", f"--out={tmp_path / 'visits'}", "--name=patient"]
    command = [*queue(tmp_path, burst)._command, *words]
    assert burst(command, "some-id", str(tmp_path), seconds=9.0, saving=5.0) == 3
    assert '{"event": "saved"}' in (tmp_path / "progress.jsonl").read_text()


def test_what_will_not_save_in_time_is_ended(tmp_path: Path) -> None:
    jobs = queue(tmp_path, partial(burst, seconds=1.5, saving=0.5))
    job = ended(jobs, jobs.submit("train", {"out": tmp_path / "v", "name": "stubborn"}))
    assert job.state is State.CRASHED
    assert "signal 9" in job.message


def test_a_share_that_is_used_up_stops_the_run_and_says_so(tmp_path: Path) -> None:
    lent = iter([burst])

    def scarce(*arguments: Any) -> int:
        try:
            return next(lent)(*arguments)
        except StopIteration:
            raise RuntimeError("ZeroGPU quota exceeded") from None

    jobs = queue(tmp_path, scarce)
    job = ended(jobs, jobs.submit("train", {"out": tmp_path / "visits"}))
    assert job.state is State.STOPPED, "what the first burst learned is there"
    assert "quota exceeded" in jobs.log(job.id)
    job = ended(jobs, jobs.submit("train", {"out": tmp_path / "visits"}))
    assert job.state is State.FAILED
    assert "ZeroGPU lends nothing now: ZeroGPU quota exceeded" in job.message


def test_what_cannot_go_on_is_no_burst(tmp_path: Path) -> None:
    def never(*_: Any) -> int:
        raise AssertionError

    jobs = queue(tmp_path, never)
    (tmp_path / "visits").write_text("..")
    job = ended(jobs, jobs.submit("compare", {"out": tmp_path / "visits"}))
    assert job.state is State.DONE


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A package that lends a GPU; notes for how long."""
    lent: list[int] = []

    def gpu(*, duration: int) -> Callable[[Burst], Burst]:
        def decorate(task: Burst) -> Burst:
            @wraps(task)
            def handler(*arguments: Any) -> int:
                lent.append(duration)
                return task(*arguments)

            return handler

        return decorate

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    return lent


def test_the_gpu_is_lent_only_where_there_is_one_to_lend(
    spaces: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert lent_burst() is None
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    lent = lent_burst()
    assert lent is not None
    (tmp_path / "visits").write_text("..")
    jobs = queue(tmp_path, lent)
    job = ended(jobs, jobs.submit("train", {"out": tmp_path / "visits"}))
    assert job.state is State.DONE
    assert spaces == [int(module.SECONDS)]
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert lent_burst() is None
