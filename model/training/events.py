"""What a run says to machines: JSON lines on standard output, and nothing else there."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model.training.scenes import classes_of

if TYPE_CHECKING:
    from model.training.config import FineTuneConfig
    from model.training.dataset import Dataset

NO_LOSSES = frozenset({"step", "stage", "loss", "rate"})
"""What a row of the log holds beside the parts of its loss."""


def tell(event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Writes one event at once; what is not a finite number becomes null."""
    line = json.dumps({"event": event, **_plain(fields)}, ensure_ascii=False, default=str)
    # A reader that went away must not end the run; its log and its state lie on disk.
    try:
        print(line, flush=True)
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115


def tell_plan(
    config: FineTuneConfig, data: Dataset, reasons: Sequence[str], *, parameters: int, trained: int
) -> None:
    """Tells what will be taught, and how.

    Args:
        config: settings without a gap.
        data: what is taught.
        reasons: sentences why the settings are as they are.
        parameters: numbers in the model.
        trained: those that learn.
    """
    tell(
        "plan",
        settings=config.to_json(),
        reasons=reasons,
        steps=config.steps,
        minutes=config.minutes or None,
        pictures={"train": len(data.scenes), "val": len(data.val), "replay": len(data.replay)},
        classes=list(classes_of(data.scenes)),
        parameters=parameters,
        trained=trained,
    )


def tell_step(row: Mapping[str, Any], progress: float, seconds: float) -> None:
    """Tells a step, how many there will be, and the seconds that are left.

    Args:
        row: of the log: "step", "loss", "rate", and the parts of the loss if it has any.
        progress: how far the run is, in [0, 1].
        seconds: it has taken so far.
    """
    step, spent = row["step"], max(1e-9, progress)
    tell(
        "step",
        step=step,
        steps=max(step, round(step / spent)),
        loss=row["loss"],
        parts={key: value for key, value in row.items() if key not in NO_LOSSES},
        rate=row["rate"],
        eta=round(seconds / spent - seconds, 1),
        seconds=round(seconds, 1),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
