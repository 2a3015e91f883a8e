from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.jobs import Job, Jobs, State, checked_name
from app.jobs.job import command_line
from app.jobs.process import find, start, tail
from model.errors import ConfigError, InputError

STUB = """
import json, os, pathlib, signal, sys, time

def say(**event):
    print(json.dumps(event), flush=True)

def stop(*_):
    say(event="saved")
    say(event="end", exit_code=3)
    os._exit(3)

options = dict(word[2:].split("=", 1) for word in sys.argv[2:] if "=" in word)
how = options.get("name", "wait")
signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "stubborn" else stop)
print("some library says hello")
say(event="step", loss=0.5, verb=sys.argv[1], nice=os.nice(0), secret=os.environ.get(
    "DEIXIS_ADMIN_TOKEN", "none"))
if how == "crash":
    print("a bar 10%\\ra bar 20%\\nthe last words \\x1b[31mof the run", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)
if how == "refuse":
    print("error: the data set is empty; import another.", file=sys.stderr)
    sys.exit(1)
gate = pathlib.Path(options["out"])
while not gate.exists():
    time.sleep(0.02)
say(event="end", exit_code=0)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    queue = _queue(tmp_path)
    yield queue
    for job in queue.all():
        process = find(job) if job.state in {State.RUNNING, State.STOPPING} else None
        if process is not None:
            process.kill()
    for child in queue._children.values():
        child.wait(60)


def _queue(folder: Path, grace: float = 60.0) -> Jobs:
    stub = folder / "stub.py"
    stub.write_text(STUB)
    return Jobs(folder / "jobs", command=[sys.executable, "-S", "-E", str(stub)], grace=grace)


def _until(jobs: Jobs, fits: Callable[[], bool]) -> None:
    """Keeps the queue moving until something holds."""
    deadline = time.monotonic() + 120
    while not fits():
        assert time.monotonic() < deadline, jobs.all()
        jobs.refresh()
        time.sleep(0.02)


def _started(jobs: Jobs, job: Job) -> None:
    _until(jobs, lambda: bool(jobs.events(job.id)[0]))


def _ended(jobs: Jobs, job: Job) -> Job:
    _until(jobs, lambda: jobs.get(job.id).finished)
    return jobs.get(job.id)


def test_one_runs_while_the_other_waits_and_then_takes_its_place(
    jobs: Jobs, tmp_path: Path
) -> None:
    first = jobs.submit("train", {"out": tmp_path / "one"})
    second = jobs.submit("train", {"out": tmp_path / "two"})
    _started(jobs, first)
    jobs.refresh()
    assert [job.state for job in jobs.all()] == [State.RUNNING, State.WAITING]
    (tmp_path / "one").touch()
    _started(jobs, second)
    assert [job.state for job in jobs.all()] == [State.DONE, State.RUNNING]
    (tmp_path / "two").touch()
    assert _ended(jobs, second).exit_code == 0


def test_a_stopped_run_saves_and_a_waiting_one_never_starts(jobs: Jobs, tmp_path: Path) -> None:
    running = jobs.submit("train", {"out": tmp_path / "never"})
    waiting = jobs.submit("train", {"out": tmp_path / "never"})
    _started(jobs, running)
    jobs.stop(waiting.id)
    assert jobs.stop(running.id).state is State.STOPPING
    job = _ended(jobs, running)
    assert job.state is State.STOPPED
    assert "saved" in job.message
    assert {"event": "saved"} in jobs.events(running.id)[0]
    assert jobs.get(waiting.id).state is State.STOPPED
    assert jobs.get(waiting.id).started is None


def test_a_run_that_needs_another_starts_only_if_that_one_is_done(
    jobs: Jobs, tmp_path: Path
) -> None:
    good = jobs.submit("train", {"out": tmp_path / "gate"})
    served = jobs.submit("compare", {"out": tmp_path / "gate"}, after=good)
    bad = jobs.submit("train", {"name": "refuse"})
    lost = jobs.submit("compare", {"out": tmp_path / "never"}, after=bad)
    (tmp_path / "gate").touch()
    assert _ended(jobs, served).state is State.DONE
    ended = _ended(jobs, lost)
    assert (ended.state, ended.started) == (State.STOPPED, None)
    assert "did not end well" in ended.message
    assert jobs.get(lost.id).options == {"out": str(tmp_path / "never")}
    assert lost.verb == "compare"


def test_a_run_that_will_not_end_is_ended_after_the_grace(tmp_path: Path) -> None:
    jobs = _queue(tmp_path, grace=0.0)
    job = jobs.submit("train", {"name": "stubborn", "out": tmp_path / "never"})
    _started(jobs, job)
    jobs.stop(job.id)
    ended = _ended(jobs, job)
    assert ended.state is State.STOPPED
    assert ended.exit_code == -signal.SIGKILL
    assert "without saving" in ended.message


def test_a_crash_reports_the_signal_and_the_last_words(jobs: Jobs) -> None:
    job = _ended(jobs, jobs.submit("train", {"name": "crash"}))
    assert job.state is State.CRASHED
    assert "signal 9" in job.message
    assert job.message.endswith("a bar 20%\nthe last words of the run")


def test_a_refusal_is_told_in_the_runs_own_words(jobs: Jobs) -> None:
    job = _ended(jobs, jobs.submit("train", {"name": "refuse"}))
    assert job.state is State.FAILED
    assert job.message == "error: the data set is empty; import another."


def test_a_run_that_ends_between_two_looks_keeps_its_exit_code(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.submit("train", {"name": "refuse"})
    jobs.refresh()
    child = jobs._children[job.id]
    assert isinstance(child, subprocess.Popen)
    child.wait(60)
    looks = iter([None])  # at the first one it still ran
    poll = child.poll
    monkeypatch.setattr(child, "poll", lambda: next(looks, poll()))
    jobs.refresh()
    assert (jobs.get(job.id).state, jobs.get(job.id).exit_code) == (State.FAILED, 1)


def test_progress_is_read_from_where_one_left_off(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("train", {"out": tmp_path / "gate"})
    _started(jobs, job)
    events, offset = jobs.events(job.id)
    assert [event["event"] for event in events] == ["step"]
    assert events[0]["verb"] == "train"
    assert jobs.events(job.id, offset) == ([], offset)
    with (jobs.folder / job.id / "progress.jsonl").open("ab") as file:
        file.write(b'not json\n[1]\n{"event": "half')
    assert jobs.events(job.id, offset) == ([], offset + len(b"not json\n[1]\n"))
    (tmp_path / "gate").touch()
    _ended(jobs, job)


def test_a_run_is_nice_and_is_told_no_secret(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEIXIS_ADMIN_TOKEN", "correct horse battery")
    (tmp_path / "gate").touch()
    job = jobs.submit("train", {"out": tmp_path / "gate"})
    _ended(jobs, job)
    (step, _), _ = jobs.events(job.id)
    assert step["secret"] == "none"
    assert step["nice"] > 10


def test_a_restarted_server_finds_the_run_and_how_it_ended(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("train", {"out": tmp_path / "gate"})
    _started(jobs, job)
    restarted = _queue(tmp_path)
    restarted.refresh()
    assert restarted.get(job.id).state is State.RUNNING
    (tmp_path / "gate").touch()
    ended = _ended(restarted, job)
    assert (ended.state, ended.exit_code) == (State.DONE, 0)


def test_a_run_that_vanished_while_nobody_watched_has_crashed(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("train", {"out": tmp_path / "never"})
    _started(jobs, job)
    os.kill(jobs.get(job.id).pid or 0, signal.SIGKILL)
    restarted = _queue(tmp_path)
    ended = _ended(restarted, job)
    assert (ended.state, ended.exit_code) == (State.CRASHED, None)


def test_a_process_number_that_is_used_again_is_not_mistaken_for_the_run(jobs: Jobs) -> None:
    job = jobs.submit("train")
    jobs._write(replace(job, state=State.RUNNING, pid=os.getpid(), born=1.0))
    jobs.refresh()
    assert jobs.get(job.id).state is State.CRASHED
    assert psutil.Process().is_running()


def test_a_run_whose_number_was_never_noted_is_found_again(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("train", {"out": tmp_path / "never"})
    jobs._write(replace(job, state=State.RUNNING))
    with (tmp_path / "out").open("wb") as out:
        command = [sys.executable, "-S", str(tmp_path / "stub.py"), *job.arguments]
        child = start(command, job.id, out, out)
    jobs.refresh()
    assert jobs.get(job.id).pid == child.pid
    child.kill()
    child.wait(60)


RACER = """
import sys
from pathlib import Path
from app.jobs import Jobs
assert "gradio" not in sys.modules
jobs = Jobs(Path(sys.argv[1]), command=[sys.executable, "-S", "-E", sys.argv[2]])
for _ in range(20):
    jobs.refresh()
"""


def test_servers_that_race_start_only_one_run(jobs: Jobs, tmp_path: Path) -> None:
    for _ in range(4):
        jobs.submit("train", {"out": tmp_path / "gate"})
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", RACER, str(jobs.folder), str(tmp_path / "stub.py")]
    servers = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [server.wait(120) for server in servers] == [0, 0, 0]
    running = [job for job in jobs.all() if job.state is State.RUNNING]
    assert len(running) == 1
    assert len({process.pid for process in map(find, running) if process}) == 1
    for job in jobs.all():
        if job.state is State.WAITING:
            jobs.stop(job.id)
    (tmp_path / "gate").touch()
    _ended(jobs, running[0])


def test_a_watched_queue_moves_by_itself(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    job = jobs.submit("train", {"out": tmp_path / "gate"})
    jobs.watch(every=0.02)
    deadline = time.monotonic() + 120
    while not jobs.get(job.id).finished and time.monotonic() < deadline:
        time.sleep(0.02)
    jobs.close()
    assert jobs.get(job.id).state is State.DONE


def test_a_finished_run_can_be_asked_for_again_or_deleted(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("train", {"name": "refuse"})
    with pytest.raises(InputError, match="not ended"):
        jobs.delete(job.id)
    with pytest.raises(InputError, match="not ended"):
        jobs.again(job.id)
    _ended(jobs, job)
    copy = jobs.again(job.id)
    assert copy.arguments == job.arguments
    jobs.stop(copy.id)
    jobs.delete(job.id)
    assert [job.id for job in jobs.all()] == [copy.id]


def test_the_queue_is_bounded(jobs: Jobs) -> None:
    for _ in range(20):
        jobs.submit("train")
    with pytest.raises(ConfigError, match="20 runs are waiting"):
        jobs.submit("train")


def test_a_half_written_state_never_counts(jobs: Jobs) -> None:
    job = jobs.submit("train")
    (jobs.folder / job.id / ".job.json.0").write_text('{"id": "')
    (jobs.folder / "20260101-000000-00000000").mkdir()
    assert [item.id for item in jobs.all()] == [job.id]


@pytest.mark.parametrize("identifier", ["../..", "", "x", "20260101-000000-0000000g", "a/b"])
def test_only_ids_of_runs_lead_anywhere(jobs: Jobs, identifier: str) -> None:
    with pytest.raises(InputError, match="no run"):
        jobs.get(identifier)


def test_options_become_words_that_no_value_can_forge(tmp_path: Path) -> None:
    words = command_line(
        "import",
        {"name": "--recipe", "resume": True, "seed": 3, "start": None, "minutes": False},
        [tmp_path],
    )
    assert words == ("import", "--name=--recipe", "--resume", "--seed=3", str(tmp_path.resolve()))
    (inside,) = command_line("train", {}, [Path("-rf")])[1:]
    assert inside.startswith("/")


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("rm", {}),
        ("train; ls", {}),
        ("train", {"--x": 1}),
        ("train", {"a=b": 1}),
        ("train", {"name": "a\nb"}),
        ("train", {"name": "a\0b"}),
        ("train", {"name": "x" * 2000}),
    ],
)
def test_hostile_words_are_refused(verb: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        command_line(verb, options)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "/etc", "-x", "--opt", "a b", "http://a", "a\n", "é"]
)  # fmt: skip
def test_names_are_no_paths_and_no_options(name: str) -> None:
    with pytest.raises(InputError, match="is no name"):
        checked_name(name)


def test_a_plain_name_is_returned() -> None:
    assert checked_name("cells-2.1_b") == "cells-2.1_b"


def test_the_tail_of_a_long_log_is_short(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"\xff" * 50_000 + b"\n" + b"".join(b"line %d\n" % i for i in range(100)))
    assert tail(log, 2) == "line 98\nline 99"
    assert tail(tmp_path / "none", 2) == ""


def test_state_on_disk_is_plain_json(jobs: Jobs) -> None:
    job = jobs.submit("train", {"seed": 1})
    value = json.loads((jobs.folder / job.id / "job.json").read_text())
    assert value["arguments"] == ["train", "--seed=1"]
    assert value["state"] == "waiting"
