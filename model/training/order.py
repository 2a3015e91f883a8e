"""What somebody asked a run to do, and what its folder remembers of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from model.errors import ConfigError
from model.training.config import FineTuneConfig

SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for.

    Attributes:
        data: folder of the data set.
        start: folder of our own checkpoint to begin with; empty if it is a published one.
        folder: of the run.
        out: where the result goes.
        config: the settings, with gaps.
        replay: earlier data.
        accept_refused: train although rows were refused.
        resume: refuse to begin anew.
        model: name of the published checkpoint to begin with, as for `open_backend`.
    """

    data: Path
    start: Path
    folder: Path
    out: Path
    config: FineTuneConfig
    replay: Path | None = None
    accept_refused: bool = False
    resume: bool = False
    model: str = ""


def write_settings(order: Order, settings: FineTuneConfig) -> None:
    """Writes what was asked for, and the settings without a gap that it became."""
    order.folder.mkdir(parents=True, exist_ok=True)
    saved = {"asked": order.config.to_json(), "settings": settings.to_json()}
    (order.folder / SETTINGS).write_text(json.dumps(saved, indent=1) + "\n")


def read_settings(order: Order) -> FineTuneConfig | None:
    """Returns the settings of the run in a folder; None if there is none.

    Raises:
        ConfigError: it was started with other settings.
    """
    if not any((order.folder / name).exists() for name in ("state", "state.old")):
        return None
    path = order.folder / SETTINGS
    try:
        saved = json.loads(path.read_text())
        asked = FineTuneConfig.from_json(saved["asked"])
        settings = FineTuneConfig.from_json(saved["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Use a new run folder.") from error
    if asked != order.config:
        raise ConfigError(f"{order.folder} holds a run with other settings; use a new run folder.")
    return settings
