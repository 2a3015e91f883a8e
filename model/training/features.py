"""Cached sights: the frozen trunk looks at each training picture once, then never again.

A cache is a folder of one `.npy` a field of `Sight` and an `index.json`; floats lie as float16
(boxes as float32). It is valid for one trunk and one preprocessing, named in the index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from model.errors import CheckpointError
from model.preprocess import PREPROCESS_VERSION, Letterbox
from model.published_vision import AnyVision
from model.records import Record
from model.types import Size
from model.vision import Sight

FIELDS = tuple(field.name for field in fields(Sight))


class FeatureStore:
    """Cached sights of a set of pictures, read by picture number."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        self.ids: list[str] = index["ids"]
        self.version: str = index["version"]
        self._arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, numbers: Sequence[int]) -> Sight:
        """Returns the sights of the pictures with these numbers, floats as float32."""
        order = np.asarray(numbers)

        def load(name: str) -> Tensor:
            values = torch.from_numpy(self._arrays[name][order])
            return values.float() if values.is_floating_point() else values

        return Sight(*(load(name) for name in FIELDS))


def version_of(vision: AnyVision) -> str:
    """Returns a name that changes with the trunk's weights, its settings or the preprocessing."""
    digest = hashlib.sha256(repr((vision.config, PREPROCESS_VERSION)).encode())
    for value in vision.state_dict().values():
        digest.update(value.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def canvases_of(sides: Sequence[int], pictures: Sequence[Image.Image]) -> list[Tensor]:
    """Returns upright RGB pictures prepared, uint8[B, 3, side, side] for each canvas side."""
    letterboxes = [Letterbox.fit(Size(*picture.size), sides[0]) for picture in pictures]
    return [
        torch.stack([box.canvas(p, side) for box, p in zip(letterboxes, pictures, strict=True)])
        for side in sides
    ]


def look_at(vision: AnyVision, pictures: Sequence[Image.Image]) -> Sight:
    """Returns what the model sees of upright RGB pictures."""
    device = next(vision.parameters()).device
    with torch.inference_mode():
        canvases = canvases_of(vision.config.sides, pictures)
        return vision([canvas.to(device).float() for canvas in canvases])


def cache_features(
    vision: AnyVision, records: Sequence[Record], folder: Path, *, batch: int = 8
) -> FeatureStore:
    """Looks at every record's picture and writes the sights; goes on where it was stopped.

    Raises:
        CheckpointError: the folder holds the sights of another trunk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version, ids = version_of(vision), [record.id for record in records]
    index, progress = folder / "index.json", folder / "progress.json"
    if index.exists():
        store = FeatureStore(folder)
        if (store.version, store.ids) != (version, ids):
            raise CheckpointError(
                f"{folder} holds cached features of another trunk or data set; delete the folder."
            )
        return store
    start = _done(progress, version, ids)
    vision = vision.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    writer = _Writer(folder, len(ids), resume=start > 0)
    for low, sight in tqdm(
        _looks(vision, records, start, batch), total=-(-(len(ids) - start) // batch), unit="batch"
    ):
        done = writer.write(low, sight)
        progress.write_text(json.dumps({"version": version, "ids": ids, "done": done}))
    writer.close()
    index.write_text(json.dumps({"version": version, "ids": ids}))
    return FeatureStore(folder)


def _done(progress: Path, version: str, ids: list[str]) -> int:
    """Returns how many pictures were looked at before a stop; none if anything has changed."""
    try:
        state = json.loads(progress.read_text())
        return state["done"] if (state["version"], state["ids"]) == (version, ids) else 0
    except (OSError, ValueError, KeyError, TypeError):  # None yet, or cut off while it was written.
        return 0


def _looks(
    vision: AnyVision, records: Sequence[Record], start: int, batch: int
) -> Iterator[tuple[int, Sight]]:
    for low in range(start, len(records), batch):
        yield low, look_at(vision, [record.read_picture() for record in records[low : low + batch]])


class _Writer:
    """Memory-mapped arrays, created when the first sight shows the shapes."""

    def __init__(self, folder: Path, count: int, *, resume: bool) -> None:
        self._folder, self._count, self._resume = folder, count, resume
        self._arrays: dict[str, np.ndarray] = {}

    def write(self, low: int, sight: Sight) -> int:
        """Writes a batch from picture `low` on; returns how many pictures are done."""
        for name in FIELDS:
            value = getattr(sight, name)
            if value.is_floating_point() and name != "boxes":
                value = value.half()
            if name not in self._arrays:
                self._arrays[name] = self._open(name, value)
            self._arrays[name][low : low + len(value)] = value.numpy()
        return low + len(sight.boxes)

    def _open(self, name: str, value: Tensor) -> np.ndarray:
        path, mode = self._folder / f"{name}.npy", "r+" if self._resume else "w+"
        array: Callable[..., np.ndarray] = np.lib.format.open_memmap
        if self._resume:
            return array(path, mode=mode)
        return array(
            path, mode=mode, dtype=value.numpy().dtype, shape=(self._count, *value.shape[1:])
        )

    def close(self) -> None:
        for array in self._arrays.values():
            array.flush()  # type: ignore[attr-defined]
