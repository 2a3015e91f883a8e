"""Serves the page on a free port, which it prints: the fake model, or a checkpoint if named."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from app import page, server
from app.jobs import process
from app.serving import reopen
from app.settings import Settings
from app.teaching import COMMAND
from model.backends.base import Backend
from tests.fake_training import __file__ as fake_training
from tests.fake_training import fake_checkpoint
from tests.fakes import FakeBackend


def loader(checkpoint: str) -> Backend:
    """Returns a checkpoint's engine."""
    from model.engine import load

    return load(checkpoint)


def main(folder: Path, checkpoint: str = "") -> None:
    """Serves until the process is ended, keeping all files in `folder`."""
    own = folder / "checkpoints" / "fake-tiny"
    if not checkpoint and not own.exists():
        fake_checkpoint(own, own.name)
    settings = Settings(
        port=0,
        model=checkpoint or str(own),
        cache=folder / "cache",
        corrections=folder / "corrections",
        teaching=folder / "teaching",
        checkpoints=folder / "checkpoints",
        dataset_roots=(str(folder),),
        asks_per_minute=100_000,
        uploads_per_minute=100_000,
        admin_token=os.environ.get("DEIXIS_ADMIN_TOKEN", ""),
    )
    server.prepare(settings)

    def opened(name: str, tell: object) -> Backend:
        return loader(name) if checkpoint else FakeBackend(0.005, name=Path(name).name)

    if not checkpoint:
        process.NICENESS = 0  # the stand-in costs nothing
    training = COMMAND if checkpoint else (sys.executable, fake_training)
    loading = partial(reopen, settings, opened)
    host = server.build(page.build(settings, loading, opened, training), settings)
    server.serve(host, settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
