"""The queue of training runs on disk.

All state lies on disk, a folder a job, so a reloaded page or a restarted server finds everything:

    job.json         what was asked and what became of it, replaced atomically
    progress.jsonl   the process's standard output: one JSON object a line
    log.txt          its standard error

Any server process may call `refresh`; a lock file makes sure that only one of them starts the next
job. A run counts as alive while a process with its number *and* its moment of birth exists, since
numbers are used again.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from app import disk, words
from app.jobs.bursts import BURSTING, LENT, Burst, Bursts
from app.jobs.job import ALIVE, Job, State, command_line
from app.jobs.process import STOPPED_EARLY, TAIL_BYTES, ended, find, kill, start, tail
from app.jobs.trail import read_events
from model.errors import ConfigError, InputError

Json = dict[str, Any]

MAX_WAITING = 20
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
_TAIL_LINES = 40


class Jobs:
    """The queue of training runs in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = (sys.executable, "-m", "model.training"),
        grace: float = 120.0,
        burst: Burst | None = LENT,
    ) -> None:
        """Opens a queue; nothing runs until `refresh` is called or `watch` started.

        Args:
            folder: of the queue; created when the first run is submitted.
            command: what the arguments of a job are given to.
            grace: seconds a run may take to save after it was asked to stop.
            burst: lends a GPU to runs that can go on where they were; None where none is lent.
        """
        self.folder = folder.resolve()
        self._command, self._grace, self._burst = tuple(command), grace, burst
        self._lock = FileLock(self.folder / "queue.lock", timeout=30)
        self._children: dict[str, subprocess.Popen[bytes] | Bursts] = {}
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def submit(
        self,
        verb: str,
        options: Mapping[str, object] | None = None,
        paths: Sequence[Path] = (),
        *,
        after: Job | None = None,
    ) -> Job:
        """Puts a run at the end of the queue; see `command_line` for the arguments.

        Args:
            verb: what to do.
            options: of the command line.
            paths: of the command line.
            after: a job that must be done first; if it fails, the new one never starts.

        Raises:
            ConfigError: the queue is full, or a word cannot be passed on.
        """
        return self._enqueue(command_line(verb, options, paths), after.id if after else None)

    def again(self, identifier: str) -> Job:
        """Puts a finished run in the queue once more; training goes on where it was saved.

        Raises:
            InputError: there is none of that id, or it has not ended.
        """
        job = self.get(identifier)
        if not job.finished:
            raise InputError(words.RUN_GOES_ON.format(name=identifier))
        return self._enqueue(job.arguments, None)

    def _enqueue(self, arguments: tuple[str, ...], after: str | None) -> Job:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if sum(job.state is State.WAITING for job in self._read_all()) >= MAX_WAITING:
                raise ConfigError(words.RUNS_MANY.format(most=MAX_WAITING))
            now = time.time()
            stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
            job = Job(f"{stamp}-{secrets.token_hex(4)}", arguments, created=now, after=after)
            (self.folder / job.id).mkdir()
            self._write(job)
        return job

    def all(self) -> list[Job]:
        """Returns all jobs, the oldest first."""
        return self._read_all()

    def get(self, identifier: str) -> Job:
        """Returns one job; raises InputError if there is none of that id."""
        return self._read(self._path(identifier))

    def stop(self, identifier: str) -> Job:
        """Asks a run to save and end, or takes it from the queue; a finished one stays as it is."""
        self._path(identifier)
        with self._lock:
            job = self.get(identifier)
            if job.state is State.WAITING:
                job = replace(job, state=State.STOPPED, ended=time.time(), message=words.RUN_NEVER)
            elif job.state is State.RUNNING:
                job = replace(job, state=State.STOPPING, stop_asked=time.time())
                process = find(job)
                if process is not None:
                    process.send_signal(signal.SIGTERM)
            self._write(job)
        return job

    def delete(self, identifier: str) -> None:
        """Forgets a finished job with its log; raises InputError while it waits or runs."""
        self._path(identifier)
        with self._lock:
            if not self.get(identifier).finished:
                raise InputError(words.RUN_NOT_ENDED.format(name=identifier))
            shutil.rmtree(self._path(identifier))

    def events(self, identifier: str, offset: int = 0) -> tuple[list[Json], int]:
        """Returns what a run reported from `offset` on, and the offset to go on from.

        Only whole lines with a JSON object count; anything else a library may have printed is
        passed over.
        """
        return read_events(self._path(identifier) / "progress.jsonl", offset)

    def log(self, identifier: str, lines: int = _TAIL_LINES) -> str:
        """Returns the last lines a run wrote to its log."""
        return tail(self._path(identifier) / "log.txt", lines)

    def watch(self, every: float = 1.0) -> None:
        """Starts a thread that keeps the queue moving, until `close`."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, args=(every,), daemon=True)
            self._watcher.start()

    def _watch(self, every: float) -> None:
        while not self._closing.wait(every):
            try:
                self.refresh()
            except OSError:  # a full disk or a busy lock now; the next round tries again
                continue

    def close(self) -> None:
        """Ends the thread; runs go on."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()

    def refresh(self) -> None:
        """Notes which run has ended, and starts the next one if none is running."""
        if not self.folder.is_dir():
            return
        with self._lock:
            jobs = [self._settled(job) if job.state in ALIVE else job for job in self._read_all()]
            for job in jobs:
                if job.state is State.WAITING and self._pointless(job):
                    told = words.RUN_POINTLESS
                    self._write(replace(job, state=State.STOPPED, ended=time.time(), message=told))
                elif job.state is State.WAITING:
                    if not any(other.state in ALIVE for other in jobs):
                        self._launch(job)
                    return

    def _pointless(self, job: Job) -> bool:
        """Returns whether the job that must be done first has ended without leaving anything."""
        if job.after is None:
            return False
        try:
            first = self.get(job.after)
        except InputError:  # deleted
            return True
        left = first.state is State.DONE or first.exit_code == STOPPED_EARLY
        return first.finished and not left

    def _launch(self, job: Job) -> None:
        # Written before the process exists: were the server killed in between, the next one finds
        # a running job without number and looks for the process by the job's id.
        job = replace(job, state=State.RUNNING, started=time.time())
        self._write(job)
        folder = self._path(job.id)
        line = [*self._command, *job.arguments]
        if self._burst is not None and job.verb in BURSTING:

            def goes_on() -> bool:
                return self.get(job.id).state is State.RUNNING

            self._children[job.id] = Bursts(self._burst, line, job.id, folder, goes_on)
            return
        try:
            with (
                (folder / "progress.jsonl").open("ab") as out,
                (folder / "log.txt").open("ab") as log,
            ):
                child = start(line, job.id, out, log)
        except OSError as error:
            message = words.RUN_NO_START.format(error=error)
            self._write(replace(job, state=State.FAILED, ended=time.time(), message=message))
            return
        self._children[job.id] = child
        self._write(replace(job, pid=child.pid, born=psutil.Process(child.pid).create_time()))

    def _settled(self, job: Job) -> Job:
        """Returns a running job as it is now, written down if it has ended."""
        child = self._children.get(job.id)
        exit_code = child.poll() if child is not None else None
        process = find(job) if exit_code is None else None
        if process is None and isinstance(child, Bursts) and exit_code is None:
            return job  # between two bursts
        if process is None and exit_code is None and child is not None:
            exit_code = child.poll()  # it ended between the two looks
        if process is not None:
            if job.stop_asked is not None and time.time() > job.stop_asked + self._grace:
                kill(process)
            if job.pid is None and not isinstance(child, Bursts):
                job = replace(job, pid=process.pid, born=process.create_time())
                self._write(job)
            return job
        self._children.pop(job.id, None)
        if exit_code is None:
            exit_code = self._last_words(job)
        job = ended(job, exit_code, self.log(job.id))
        self._write(job)
        return job

    def _last_words(self, job: Job) -> int | None:
        """Returns the exit code a run reported itself, for runs that ended while nobody watched."""
        path = self._path(job.id) / "progress.jsonl"
        start = max(0, path.stat().st_size - TAIL_BYTES) if path.exists() else 0
        events, _ = self.events(job.id, start)
        last = events[-1] if events else {}
        code = last.get("exit_code")
        return code if last.get("event") == "end" and isinstance(code, int) else None

    def _path(self, identifier: str) -> Path:
        if not _ID.fullmatch(identifier) or not (self.folder / identifier).is_dir():
            raise InputError(words.RUN_UNKNOWN.format(name=f"{identifier!r:.40}"))
        return self.folder / identifier

    def _read(self, folder: Path) -> Job:
        try:
            value = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            value |= {"state": State(value["state"]), "arguments": tuple(value["arguments"])}
            return Job(**value)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(words.RUN_UNREADABLE.format(name=folder.name, error=error)) from error

    def _read_all(self) -> list[Job]:
        jobs = []
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            if _ID.fullmatch(folder.name):
                try:
                    jobs.append(self._read(folder))
                except InputError:  # deleted meanwhile, or the disk was full when it was asked for
                    continue
        return sorted(jobs, key=lambda job: (job.created, job.id))

    def _write(self, job: Job) -> None:
        """Replaces a job's file so that it is whole at every moment."""
        disk.write(self.folder / job.id / "job.json", json.dumps(asdict(job), indent=1).encode())
