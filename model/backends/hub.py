"""Fetching published checkpoints from a hub, telling how far it is."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.errors import CheckpointError

FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
SECONDS = 0.5
"""Between two messages about a download."""


def fetch(hub_id: str, check: Callable[[Path], None], say: Callable[[str], None]) -> Path:
    """Returns the folder of a hub checkpoint; its kind is known before gigabytes are fetched.

    Args:
        hub_id: such as `owner/name`.
        check: called with the folder when `config.json` lies in it; raises if that is no use.
        say: told how far it is, in words for people.

    Raises:
        CheckpointError: it cannot be fetched.
    """
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        say(f"Looking for {hub_id}")
        check(Path(hf_hub_download(hub_id, "config.json")).parent)
        folder = snapshot_download(
            hub_id, allow_patterns=FILES, ignore_patterns=["*/*"], tqdm_class=_bars(hub_id, say)
        )
        return Path(str(folder))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise CheckpointError(
            f"{hub_id} could not be fetched: {type(error).__name__}: {error!s:.200}. Without a "
            "connection, fetch it elsewhere and give its folder."
        ) from error


def _bars(hub_id: str, say: Callable[[str], None]) -> Any:  # noqa: ANN401
    """Returns a class of progress bars that speak to people instead of to a terminal."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        """Tells how many bytes have come; other bars are silent."""

        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            options.pop("name", None)
            super().__init__(*arguments, **{**options, "file": io.StringIO(), "disable": False})
            self._told = 0.0

        def update(self, n: float | None = 1) -> bool | None:
            """Adds what has come, and tells it now and then."""
            moved = super().update(n)
            now, whole = time.monotonic(), self.total or 0
            if self.unit == "B" and whole and (now - self._told > SECONDS or self.n >= whole):
                self._told = now
                say(f"Fetching {hub_id}: {self.n / 1e6:,.0f} of {whole / 1e6:,.0f} MB")
            return moved

    return Bar
