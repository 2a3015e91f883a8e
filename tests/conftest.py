"""Where tests find what may be missing: data beside the repository, a browser, a GPU, a hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

if os.environ.get("PYTEST_XDIST_WORKER"):
    # Workers share the cores among them; each fights the others if it takes all. Set before torch
    # is imported, and for the processes that tests start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No time limits: machines are shared. In CI the same examples every time.
settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The data sets beside the repository; its tests carry the mark of the same name."""
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; its tests carry the mark `browser`."""
    return _browser() or "chromium"


def _browser() -> str | None:
    named = (os.environ.get("CHROMIUM"), *BROWSERS)
    return next(filter(None, (shutil.which(name) for name in named if name)), None)


def _gpu() -> bool:
    import torch  # only where a test asks for a GPU: it takes a second to import

    return torch.cuda.is_available()


# In CI a missing browser is an error of the machine, never a reason to skip.
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "shared": (SHARED.is_dir, "no data sets beside the repository (../shared)"),
    "browser": (lambda: bool(_browser() or os.environ.get("CI")), "no Chromium was found"),
    "gpu": (_gpu, "no NVIDIA GPU was found"),
    "hub": (lambda: os.environ.get("DEIXIS_HUB") == "1", "DEIXIS_HUB=1 is not set"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, with one clear reason, tests whose needs are not met here."""
    for mark, (met, reason) in NEEDS.items():
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and not met():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
