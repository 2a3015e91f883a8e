"""Tries models on a sample picture: whether they answer, and what that takes on this machine.

What they took is remembered on disk, for those who choose a model.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from app import disk, words
from model.backends import measure
from model.backends.base import Cost
from model.errors import BackendError
from model.types import Capability

if TYPE_CHECKING:
    from app.settings import Settings
    from model.backends.base import Backend

CANARY_NAMES = 8
SAMPLE = Path(__file__).parent.parent / "assets" / "samples" / "bus.jpg"
_LOG = logging.getLogger("deixis")


def sample() -> Image.Image:
    """Returns the picture that models are tried and measured on."""
    with Image.open(SAMPLE) as file:
        return file.convert("RGB")


def try_out(backend: Backend) -> Cost:
    """Asks a model about a sample picture and returns what that took.

    Raises:
        BackendError: it finds nothing at all, not even with the lowest score, which is what numbers
            that are not finite end in; or it failed in any other way.
    """
    card, able = backend.card, backend.card.capabilities
    try:
        picture = sample()
        cost = measure(backend, picture)
        names = card.vocabulary[:CANARY_NAMES]
        found = True
        if Capability.DETECT in able and names:
            found = any(g.boxes for g in backend.detect(picture, names, threshold=0.0).groundings)
    except Exception as error:
        raise BackendError(words.CANARY_FAILED.format(name=card.name, error=error)) from error
    if not found:
        raise BackendError(words.CANARY_BLIND.format(name=card.name))
    return cost


def known(settings: Settings) -> dict[str, Cost]:
    """Returns what models took when they were last measured here, by name."""
    try:
        value = json.loads(_file(settings).read_text(encoding="utf-8"))
        return {
            str(name): Cost(float(cost["encode"]), float(cost["ask"]))
            for name, cost in value.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def note(settings: Settings, backend: Backend, cost: Cost) -> None:
    """Writes what a model takes on its card, and remembers it for those who choose one."""
    backend.card = replace(backend.card, cost=cost)
    costs = {**known(settings), backend.card.name: cost}
    path = _file(settings)
    with suppress(OSError):  # then it is measured again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {name: asdict(cost) for name, cost in costs.items()}
        disk.write(path, json.dumps(told, indent=1).encode())


def weigh(settings: Settings, backend: Backend) -> None:
    """Measures a model that has just been loaded; one that fails or is served elsewhere stays."""
    if backend.card.device == "remote":
        return
    try:
        note(settings, backend, measure(backend, sample()))
    except Exception:
        _LOG.exception("%s could not be measured", backend.card.name)


def _file(settings: Settings) -> Path:
    return settings.teaching / "costs.json"
