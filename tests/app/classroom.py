"""A page's teaching as a server that has just started has it, with a stand-in for training."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from app.host import Host
from app.jobs.process import find
from app.serving import Serving, reopen
from app.settings import Settings
from app.teaching import Teaching
from tests.fake_training import __file__ as fake_training
from tests.fake_training import fake_checkpoint
from tests.fakes import FakeBackend

ENDS, GOES_ON, CRASHES, REFUSED = 1.0, 2.0, 3.0, 4.0
"""Minutes, by what the stand-in for training then does."""


def furnished(folder: Path) -> Settings:
    """Returns the settings of a page that has a checkpoint and three pictures to import."""
    fake_checkpoint(folder / "checkpoints" / "fake-tiny", "fake-tiny")
    pictures = folder / "allowed" / "cups"
    pictures.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40 + number, 30), (200, 90, 60)).save(pictures / f"{number}.jpg")
    return Settings(
        model=str(folder / "checkpoints" / "fake-tiny"),
        checkpoints=folder / "checkpoints",
        teaching=folder / "teaching",
        corrections=folder / "corrections",
        dataset_roots=(str(folder / "allowed"),),
    )


def teaching(settings: Settings) -> Teaching:
    """Returns the teaching of a server that has just started."""

    def opened(name: str, tell: object) -> FakeBackend:
        return FakeBackend(name=Path(name).name)

    host = Host(lambda: reopen(settings, opened), "fake", 60)
    host.start()
    host.wait(threading.Event())
    return Teaching(settings, Serving(host, settings, opened), (sys.executable, fake_training))


@contextmanager
def at_work(settings: Settings) -> Iterator[Teaching]:
    """Gives the teaching of a server that has just started; ends what runs at the end."""
    with pytest.MonkeyPatch.context() as patch:
        # The stand-in costs nothing, so it need not wait for whatever else this machine does.
        patch.setattr("app.jobs.process.NICENESS", 0)
        work = teaching(settings)
        try:
            yield work
        finally:
            close(work)


def close(work: Teaching) -> None:
    """Ends what still runs."""
    for job in work.runs.queue.all():
        process = find(job) if not job.finished and job.pid else None
        if process is not None:
            process.kill()
    for child in work.runs.queue._children.values():
        child.wait(60)


def until(work: Teaching, fits: Callable[[], bool]) -> None:
    """Keeps all queues moving until something holds, however slow this machine is just now.

    Only the time limit of the whole test ends it, and then its trace shows what never came.
    """
    while not fits():
        for queue in (work.imports, work.runs.queue, work.packing.queue):
            queue.refresh()
        time.sleep(0.02)


def imported(work: Teaching) -> None:
    """Imports the three pictures."""
    assert work.import_folder(f"{work.settings.dataset_roots[0]}/cups") == "cups"
    until(work, lambda: not work.pending())


def ended(work: Teaching, name: str) -> None:
    """Waits for the end of a run and of its comparison."""
    until(work, lambda: not work.runs.get(name).alive)


def a_dataset(work: Teaching, name: str, **report: object) -> None:
    """Puts a data set in place as an import leaves it."""
    folder = work.datasets.folder / name
    folder.mkdir(parents=True)
    whole = {
        "name": name, "format": "coco", "pictures": {"train": 2, "val": 1}, "counts": {"boxes": 3},
        "classes": [], "num_classes": 0, "duplicates": 0, "left_out": 0, "refused": [],
        "num_refused": 0, "num_lost": 0, "notes": [], "round_trip_px": 0.1,
        "needs_consent": False, "usable": True, **report,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(whole))
