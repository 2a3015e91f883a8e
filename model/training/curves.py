"""The curves of a training run as a picture, from its log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SHOWN = ("loss", "text", "retrieval", "score", "giou", "words", "mask", "joints")
WIDTH, HEIGHT, COLUMNS, BORDER = 320, 200, 4, 30
SMOOTHING = 9
INK, PALE = (60, 60, 60), (210, 200, 190)


def read_log(path: Path) -> list[dict[str, float]]:
    """Returns the rows of a run's `log.jsonl`, broken lines left out."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def draw_curves(log: Path, out: Path) -> None:
    """Writes a PNG with one small plot for each loss."""
    rows = read_log(log)
    plots = [_plot(name, rows) for name in SHOWN if any(name in row for row in rows)]
    plots += [np.full((HEIGHT, WIDTH, 3), 255, np.uint8)] * (-len(plots) % COLUMNS)
    lines = [np.hstack(plots[i : i + COLUMNS]) for i in range(0, len(plots), COLUMNS)]
    cv2.imwrite(str(out), np.vstack(lines))


def _plot(name: str, rows: Sequence[dict[str, float]]) -> NDArray[np.uint8]:
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    steps = np.array([row["step"] for row in rows if name in row], float)
    values = np.array([row[name] for row in rows if name in row], float)
    low, high = float(values.min()), float(max(values.max(), values.min() + 1e-6))
    right, bottom = WIDTH - BORDER // 2, HEIGHT - BORDER
    x = BORDER + (steps - steps.min()) / max(1.0, np.ptp(steps)) * (right - BORDER)
    smooth = np.array([values[max(0, i - SMOOTHING) : i + 1].mean() for i in range(len(values))])
    for series, colour in ((values, PALE), (smooth, INK)):
        y = bottom - (series - low) / (high - low) * (bottom - BORDER)
        cv2.polylines(
            picture, [np.stack([x, y], 1).astype(np.int32)], False, colour, 1, cv2.LINE_AA
        )
    font = cv2.FONT_HERSHEY_SIMPLEX
    label = f"{name}: {smooth[-1]:.3f} after {int(steps[-1])} steps"
    cv2.putText(picture, label, (BORDER, 18), font, 0.42, INK, 1, cv2.LINE_AA)
    for text, y in ((f"{high:.2f}", BORDER), (f"{low:.2f}", bottom)):
        cv2.putText(picture, text, (0, y + 4), font, 0.3, INK, 1, cv2.LINE_AA)
    return picture
