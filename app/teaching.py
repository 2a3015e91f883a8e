"""Teaching: data sets are imported, checkpoints trained, compared and put to use, all as jobs.

What is known lies on disk, so that a reloaded page or a restarted server goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import words
from app.datasets import CORRECTIONS, Dataset, Datasets
from app.jobs import Job, Jobs, Trail, checked_name
from app.packing import Packing
from app.runs import COMMAND, Run, Runs, Trails
from app.serving import EMBEDDED
from model.backends import is_published
from model.errors import InputError

if TYPE_CHECKING:
    from app.serving import Serving
    from app.settings import Settings

MODES = ("auto", "decoders", "lora", "full")
MOST_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for.

    Attributes:
        data: name of an imported data set.
        name: of the new checkpoint; empty lets it be chosen.
        start: checkpoint to begin with.
        mode: one of `MODES`.
        minutes: of training.
        accepted: whether refused rows are agreed to.
        replay: earlier data that is mixed in, as `Datasets.earlier` names it; empty for none.
        general: earlier data that general skill is checked on; empty for none.
    """

    data: str
    name: str = ""
    start: str = EMBEDDED
    mode: str = "auto"
    minutes: float = 10.0
    accepted: bool = False
    replay: str = ""
    general: str = ""


class Teaching:
    """What people do who teach; whoever calls has checked that they are the admin.

    Args:
        settings: the folders and their limits.
        serving: knows the checkpoints.
        command: what the arguments of a job are given to.
    """

    def __init__(
        self, settings: Settings, serving: Serving, command: Sequence[str] = COMMAND
    ) -> None:
        self.settings, self.serving = settings, serving
        self.datasets = Datasets(settings)
        self.imports = Jobs(settings.teaching / "imports", command=command)
        self.runs = Runs(settings, command)
        self.packing = Packing(settings, command)
        self._trails = Trails()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Keeps all queues moving from now on."""
        for queue in (self.imports, self.runs.queue, self.packing.queue):
            queue.watch()

    # --- data ------------------------------------------------------------------------------------

    def import_file(self, file: Path) -> str:
        """Begins to import an uploaded archive; returns the name its data set will have.

        Raises:
            InputError: it is no ZIP file.
            ConfigError: too many imports wait.
        """
        return self._import(self.datasets.receive(file), file.stem)

    def import_folder(self, text: str) -> str:
        """Begins to import what lies on this machine; returns the name its data set will have.

        Raises:
            InputError: it is not there, or outside the allowed folders.
            ConfigError: too many imports wait.
        """
        path = self.datasets.on_server(text)
        return self._import(path, path.stem)

    def import_corrections(self) -> str:
        """Makes a data set of the corrections as they are now, unless there is one; its name.

        Raises:
            InputError: nothing has been corrected yet.
        """
        folder, name = self.datasets.corrections()
        target = self.datasets.folder / name
        with self._lock:
            if not target.exists() and self.importing(name) is None:
                self._forget_corrections()
                self.imports.submit("import", {"out": target}, [folder])
        return name

    def _forget_corrections(self) -> None:
        """Deletes earlier data sets of corrections that no run needs any more."""
        needed = {Path(job.options.get("data", "")).name for job in self.runs.queue.all()}
        for dataset in self.datasets.all():
            if dataset.name.startswith(f"{CORRECTIONS}-") and dataset.name not in needed:
                self.datasets.delete(dataset.name)

    def _import(self, source: Path, title: str) -> str:
        with self._lock:
            promised = {_out(job) for job in self.imports.all()}
            folder = self.datasets.new_folder(title, promised)
            self.imports.submit("import", {"out": folder}, [source])
        return folder.name

    def importing(self, name: str) -> Job | None:
        """Returns the latest import that makes, made or failed to make this data set."""
        jobs = [job for job in self.imports.all() if _out(job) == name]
        return jobs[-1] if jobs else None

    def imported(self, job: Job) -> Trail:
        """Returns what an import reported."""
        return self._trails.read(self.imports, job.id, [job])

    def pending(self) -> list[str]:
        """Returns the names of data sets that are being imported."""
        return [_out(job) for job in self.imports.all() if not job.finished]

    def delete_data(self, name: str) -> None:
        """Deletes a data set, or forgets one that could not be imported.

        Raises:
            InputError: there is none of this name, or a run needs it.
        """
        for job in self.runs.queue.all():
            if not job.finished and Path(job.options.get("data", "")).name == name:
                raise InputError(words.DATA_NEEDED.format(name=name))
        ended = [job for job in self.imports.all() if job.finished and _out(job) == name]
        if not ended or (self.datasets.folder / name).exists():
            self.datasets.delete(name)
        for job in ended:
            self.imports.delete(job.id)

    # --- runs ------------------------------------------------------------------------------------

    def start(self, wish: Wish) -> str:
        """Puts a training run and its comparison in the queue; returns the run's name.

        Raises:
            InputError: the data cannot be trained on, or something else of the wish is impossible.
            ConfigError: the queue is full.
        """
        dataset = self._checked(wish)
        beginning = self._beginning(wish.start)
        general = self.datasets.place_of(wish.general, self.settings.general, wish.data)
        replay = self.datasets.place_of(wish.replay, self.settings.replay, wish.data)
        with self._lock:
            name = self._name(wish, dataset)
            options = {
                "data": dataset.folder,
                "out": self.settings.checkpoints / name,
                **beginning,
                "mode": wish.mode,
                "minutes": f"{wish.minutes:g}",
                "replay": replay,
                "accept-refused": dataset.report.needs_consent,
            }
            self.runs.start(name, options, general)
        return name

    def _checked(self, wish: Wish) -> Dataset:
        """Returns the data set of a wish; raises InputError unless it can be trained on."""
        dataset = self.datasets.get(wish.data)
        report = dataset.report
        if not report.usable:
            raise InputError(words.data_trouble(report.pictures, report.round_trip_px))
        if report.needs_consent and not wish.accepted:
            raise InputError(words.counted(words.CONSENT_MISSING, report.num_refused))
        if wish.mode not in MODES:
            raise InputError(words.MODE_UNKNOWN.format(mode=f"{wish.mode!r:.40}"))
        if not 0 < wish.minutes <= MOST_MINUTES:
            raise InputError(words.MINUTES_WRONG.format(most=MOST_MINUTES))
        return dataset

    def beginnings(self) -> list[str]:
        """Returns what a run can begin with: our own checkpoints, and the page's published model.

        What was learned on top of a published model is none: nothing is learned on top of that.
        """
        own = [
            item.name
            for item in self.serving.checkpoints()
            if not item.problem and (item.folder / "config.json").is_file()
        ]
        model = self.settings.model
        return [*own, model] if is_published(model) and model not in own else own

    def _beginning(self, name: str) -> dict[str, object]:
        """Returns the option of `train` that says what it begins with."""
        for item in self.serving.checkpoints():
            if item.name == name and name in self.beginnings():
                return {"start": item.folder}
        if name in self.beginnings():
            return {"model": name}
        raise InputError(words.SERVE_UNKNOWN.format(name=f"{name!r:.60}"))

    def _name(self, wish: Wish, dataset: Dataset) -> str:
        """Returns the name of a new run: nobody has it yet."""
        taken = {item.name for item in self.serving.checkpoints()} | {*self.runs.names()}
        wanted = wish.name.strip()
        if wanted:
            if checked_name(wanted) in taken or (self.settings.checkpoints / wanted).exists():
                raise InputError(words.NAME_TAKEN.format(name=wanted))
            return wanted
        stem = CORRECTIONS if dataset.name.startswith(CORRECTIONS) else dataset.name
        return next(name for n in range(1, 10_000) if (name := f"{stem}-{n}") not in taken)

    def current(self) -> Run | None:
        """Returns the run to look at: the one that runs, else the newest."""
        runs = [self.runs.get(name) for name in self.runs.names()]
        return next((run for run in reversed(runs) if run.alive), runs[0] if runs else None)

    def serve(self, name: str, *, alone: bool = False) -> None:
        """Begins to serve a checkpoint, also one whose run was stopped; see `Serving.serve`.

        Raises:
            InputError: there is none, or another one is being tried.
        """
        if name in self.runs.names():
            self.runs.adopt(name)
        self.serving.serve(name, alone=alone)

    def delete(self, name: str) -> None:
        """Deletes a checkpoint with its run.

        Raises:
            InputError: it is needed, or there is none.
        """
        for run in map(self.runs.get, self.runs.names()):
            if run.alive and name in {run.name, run.parent}:
                raise InputError(words.RUN_NEEDED.format(name=name))
        self.serving.delete(name)
        self.runs.delete(name)
        self.packing.forget(name)

    def compare(self, name: str, general: str) -> None:
        """Compares before and after of a run once more.

        Raises:
            InputError: there is no such run, it has saved nothing, or `general` cannot be used.
        """
        data = self.runs.get(name).data.name
        self.runs.compare(name, self.datasets.place_of(general, self.settings.general, data))

    def take_home(self, name: str, repository: str = "") -> None:
        """Begins to pack a checkpoint, and to push it if a repository is named.

        Raises:
            InputError: there is no such checkpoint, or it cannot be pushed.
            ConfigError: too many wait.
        """
        for item in self.serving.checkpoints():
            if item.name == name and not item.problem:
                self.packing.start(item.folder, repository)
                return
        raise InputError(words.SERVE_UNKNOWN.format(name=f"{name!r:.60}"))


def _out(job: Job) -> str:
    return Path(job.options.get("out", "")).name
