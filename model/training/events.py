"""What a run says to machines: JSON lines on standard output, and nothing else there."""

from __future__ import annotations

import json
import math
import sys
from typing import Any


def tell(event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Writes one event at once; what is not a finite number becomes null."""
    line = json.dumps({"event": event, **_plain(fields)}, ensure_ascii=False, default=str)
    # A reader that went away must not end the run; its log and its state lie on disk.
    try:
        print(line, flush=True)
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
