"""The pictures to try, listed in assets/samples.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try.

    Attributes:
        file: where it lies.
        title: a few words.
        alt: what it shows, for people who cannot see it.
        questions: up to three to start with.
        point: (x, y) in the unit frame on its main thing.
    """

    file: Path
    title: str
    alt: str
    questions: tuple[str, ...]
    point: tuple[float, float] | None = None


def read_samples(folder: Path = ASSETS) -> tuple[Sample, ...]:
    """Returns the samples of a folder; none if it has no list of them."""
    listing = folder / "samples.json"
    if not listing.is_file():
        return ()
    samples = (_sample(folder, item) for item in json.loads(listing.read_text("utf-8")))
    return tuple(sample for sample in samples if sample.file.is_file())


def _sample(folder: Path, item: dict[str, Any]) -> Sample:
    x, y = item.get("point") or (None, None)
    point = None if x is None or y is None else (float(x), float(y))
    file = folder / "samples" / item["file"]
    return Sample(file, item["title"], item["alt"], tuple(item["questions"])[:3], point)
