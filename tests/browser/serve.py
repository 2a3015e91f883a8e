"""Serves the page on a free port, which it prints: the fake model, or a checkpoint if named."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from app import page, server
from app.settings import Settings
from model.backends.base import Backend
from tests.fakes import FakeBackend


def loader(checkpoint: str) -> Backend:
    """Returns the named checkpoint's engine, or the fake model for no name."""
    if not checkpoint:
        return FakeBackend(pause=0.005)
    from model.engine import load

    return load(checkpoint)


def main(folder: Path, checkpoint: str = "") -> None:
    """Serves until the process is ended, keeping all files in `folder`."""
    settings = Settings(
        port=0,
        cache=folder / "cache",
        corrections=folder / "corrections",
        asks_per_minute=100_000,
        uploads_per_minute=100_000,
    )
    server.prepare(settings)
    host = server.build(page.build(settings, lambda: loader(checkpoint)), settings)
    server.serve(host, settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
