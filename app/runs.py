"""Training runs with what they reported, and the comparison that follows each.

teaching/runs/NAME/         the run folder, and in it the board of before and after
teaching/queue/             the queue of jobs that train and compare
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import words
from app.jobs import Job, Jobs, State, Trail, checked_name
from model.checkpoint import is_there
from model.errors import InputError

if TYPE_CHECKING:
    from app.settings import Settings

Json = dict[str, Any]
COMMAND = (sys.executable, "-m", "model.training")
COMPARED = 200
"""Pictures that before and after are measured on, at most."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training run with all that is known of it.

    Attributes:
        name: of the run and of its checkpoint.
        job: the latest job that trained it.
        trail: what it reported.
        comparison: the latest job that compared it, if any.
        compared: what that one reported.
        folder: of the run.
    """

    name: str
    job: Job
    trail: Trail
    comparison: Job | None
    compared: Trail
    folder: Path

    @property
    def parent(self) -> str:
        """Name of the checkpoint it began with."""
        return Path(begun_with(self.job)).name

    @property
    def data(self) -> Path:
        """Folder of its data set."""
        return Path(self.job.options.get("data", ""))

    @property
    def board(self) -> Path:
        """Where its before/after board lies once it is made."""
        return self.folder / "board" / "board.json"

    @property
    def alive(self) -> bool:
        """Whether anything of it still waits or runs."""
        other = self.comparison
        return not self.job.finished or (other is not None and not other.finished)


class Trails:
    """Reads what jobs report; only what is new is read again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Trail, dict[str, int]]] = {}
        self._lock = threading.Lock()

    def read(self, queue: Jobs, key: str, jobs: Sequence[Job]) -> Trail:
        """Returns what jobs reported, one after the other, under a name of its own."""
        with self._lock:
            trail, offsets = self._known.setdefault(key, (Trail(), {}))
            for job in jobs:
                events, end = queue.events(job.id, offsets.get(job.id, 0))
                while events:
                    trail.follow(events)
                    events, end = queue.events(job.id, end)
                offsets[job.id] = end
            return trail

    def forget(self, key: str) -> None:
        """Forgets what is known under a name."""
        with self._lock:
            self._known.pop(key, None)


class Runs:
    """All training runs.

    Args:
        settings: the folders.
        command: what the arguments of a job are given to.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self.queue = Jobs(settings.teaching / "queue", command=command)
        self._trails = Trails()

    def folder(self, name: str) -> Path:
        """Returns the folder of a run."""
        return self._settings.teaching / "runs" / name

    def names(self) -> list[str]:
        """Returns the names of all runs, the newest first."""
        return list(dict.fromkeys(run_name(j) for j in self.queue.all() if j.verb == "train"))[::-1]

    def waiting(self) -> list[str]:
        """Returns the names of runs that wait for their turn."""
        waits = State.WAITING
        return [run_name(j) for j in self.queue.all() if j.verb == "train" and j.state is waits]

    def get(self, name: str) -> Run:
        """Returns one run; raises InputError if there is none."""
        mine = [job for job in self.queue.all() if run_name(job) == name]
        trained = [job for job in mine if job.verb == "train"]
        if not trained:
            raise InputError(words.RUN_UNKNOWN.format(name=f"{name!r:.60}"))
        other = next((job for job in reversed(mine) if job.verb == "compare"), None)
        return Run(
            name=name,
            job=trained[-1],
            trail=self._trails.read(self.queue, name, trained),
            comparison=other,
            compared=self._trails.read(self.queue, other.id, [other]) if other else Trail(),
            folder=self.folder(name),
        )

    def start(self, name: str, options: Json, general: Path | None) -> None:
        """Puts a training run in the queue, and its comparison behind it.

        Args:
            name: of the run.
            options: of `train`.
            general: earlier data that general skill is checked on, too.

        Raises:
            ConfigError: the queue is full.
        """
        training = self.queue.submit("train", {**options, "run-folder": self.folder(name)})
        self._compare(training, general, after=training)

    def go_on(self, name: str) -> None:
        """Lets a run that has ended go on where it was saved, and compares again."""
        run = self.get(name)
        training = self.queue.again(run.job.id)
        before = run.comparison.options.get("general") if run.comparison else None
        self._compare(training, Path(before) if before else None, after=training)

    def compare(self, name: str, general: Path | None) -> None:
        """Compares a checkpoint with what it began with once more, also on earlier data.

        Raises:
            InputError: there is no such run, or it has saved nothing yet.
        """
        self.adopt(name)
        self._compare(self.get(name).job, general)

    def _compare(self, training: Job, general: Path | None, after: Job | None = None) -> None:
        options = training.options
        wanted: Json = {
            "before": begun_with(training),
            "after": Path(options["out"]),
            "data": Path(options["data"]),
            "out": self.folder(run_name(training)) / "board",
            "general": general,
            "limit": COMPARED,
        }
        self.queue.submit("compare", wanted, after=after)

    def stop(self, name: str) -> None:
        """Asks a run to save and end, or takes it from the queue; its comparison still follows."""
        mine = [job for job in self.queue.all() if run_name(job) == name and not job.finished]
        for job in mine[:1] if mine and mine[0].state is not State.WAITING else mine:
            self.queue.stop(job.id)

    def adopt(self, name: str) -> None:
        """Makes a checkpoint of the best that a stopped run has saved, unless there is one.

        Raises:
            InputError: nothing is saved.
        """
        out = self._settings.checkpoints / checked_name(name)
        if is_there(out):
            return
        best = self.folder(name) / "best"
        if not is_there(best):
            raise InputError(words.NOTHING_SAVED.format(name=name))
        staged = out.with_name(f".{name}.staging")
        shutil.rmtree(staged, ignore_errors=True)
        try:
            shutil.copytree(best, staged)
            staged.rename(out)
        except OSError as error:
            raise InputError(words.ADOPT_FAILED.format(name=name, error=error)) from error

    def delete(self, name: str) -> None:
        """Forgets a run that has ended, with its folder."""
        shutil.rmtree(self.folder(name), ignore_errors=True)
        for job in self.queue.all():
            if run_name(job) == name:
                self.queue.delete(job.id)
        self._trails.forget(name)


def begun_with(job: Job) -> str:
    """Returns what a run began with: a path, or the name of a published model."""
    return job.options.get("model") or job.options.get("start", "")


def run_name(job: Job) -> str:
    """Returns the name of the run that a job belongs to."""
    return Path(job.options["out"] if job.verb == "train" else job.options["after"]).name


def read_json(path: Path) -> Mapping[str, Any]:
    """Returns the object in a JSON file; an empty one if it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
