"""A cold start: from `python app.py` to the first answer, and the most memory it took."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from gradio_client import Client, handle_file

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "bus.jpg"


@dataclass(frozen=True, slots=True)
class Start:
    """What a cold start took.

    Attributes:
        ready: seconds until the page answered.
        answered: seconds until the first question was answered.
        peak: most megabytes in memory.
    """

    ready: float
    answered: float
    peak: float


def cold_start() -> Start:
    """Starts the page in a process of its own, asks one question, ends it."""
    started = time.perf_counter()
    command = [sys.executable, "-u", "app.py", "--port", "0"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        address = next(
            found.group() for line in server.stdout if (found := re.search(r"http://[^\s/]+", line))
        )
        client = Client(address, verbose=False)
        ready = time.perf_counter() - started
        client.predict(handle_file(str(SAMPLE)), api_name="/caption")
        answered = time.perf_counter() - started
        peak = psutil.Process(server.pid).memory_info()
        return Start(ready, answered, getattr(peak, "peak_wset", peak.rss) / 1e6)
    finally:
        server.terminate()
        server.wait(30)
