"""Checkpoints to take home: packed into one file, and pushed to a model hub by who has a token.

teaching/packing/      the queue of jobs that pack
teaching/packed/       NAME/, ready to push, and NAME.zip, ready to download
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import words
from app.jobs import Job, Jobs, Trail
from app.runs import Trails
from model.errors import InputError

if TYPE_CHECKING:
    from app.settings import Settings

TOKEN = "HF_TOKEN"
"""Environment variable with the hub's token; whoever starts the page sets it, nobody types it."""


class Packing:
    """What is packed and pushed, one checkpoint at a time.

    Args:
        settings: the folders.
        command: what the arguments of a job are given to.
    """

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        self.queue = Jobs(settings.teaching / "packing", command=command)
        self._folder = settings.teaching / "packed"
        self._trails = Trails()

    @property
    def can_push(self) -> bool:
        """Whether there is a token to push with."""
        return bool(os.environ.get(TOKEN))

    def start(self, checkpoint: Path, repository: str = "") -> None:
        """Begins to pack a checkpoint, and to push it if a repository is named.

        Raises:
            InputError: it is being packed already, or there is no token to push with.
            ConfigError: too many wait, or the repository cannot be passed on.
        """
        if repository and not self.can_push:
            raise InputError(words.PUSH_NO_TOKEN.format(token=TOKEN))
        name = checkpoint.name
        if any(packed_name(job) == name for job in self.pending()):
            raise InputError(words.PACKING_ALREADY.format(name=name))
        self.forget(name)
        self.queue.submit(
            "export",
            {"out": self._folder / name, "archive": True, "repository": repository or None},
            [checkpoint],
        )

    def pending(self) -> list[Job]:
        """Returns the jobs that have not ended."""
        return [job for job in self.queue.all() if not job.finished]

    def latest(self) -> Job | None:
        """Returns the job that was asked for last."""
        jobs = self.queue.all()
        return jobs[-1] if jobs else None

    def report(self, job: Job) -> Trail:
        """Returns what a job reported."""
        return self._trails.read(self.queue, job.id, [job])

    def archive(self, job: Job) -> Path | None:
        """Returns the file that a job packed, once it is whole; a failed push does not harm it."""
        path = self._folder / f"{packed_name(job)}.zip"
        return path if job.finished and path.is_file() else None

    def forget(self, name: str) -> None:
        """Deletes what was packed of a checkpoint; what is being packed stays."""
        for job in self.queue.all():
            if job.finished and packed_name(job) == name:
                self.queue.delete(job.id)
                self._trails.forget(job.id)
        if not any(packed_name(job) == name for job in self.pending()):
            shutil.rmtree(self._folder / name, ignore_errors=True)
            (self._folder / f"{name}.zip").unlink(missing_ok=True)


def packed_name(job: Job) -> str:
    """Returns the name of the checkpoint that a job packs."""
    return Path(job.options["out"]).name
