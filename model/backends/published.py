"""What all published checkpoints share: loading, encoding, letting go."""

from __future__ import annotations

import gc
import hashlib
import threading
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from PIL import Image

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.loading import (
    Foreign,
    Source,
    load_model,
    load_processor,
    version_of,
)
from model.backends.memory import check_room, count_weights, needed_bytes, placement
from model.errors import BackendError, CheckpointError, DeixisError
from model.types import Capability, Size

if TYPE_CHECKING:
    import torch

Progress = Callable[[str], None]


class PublishedBackend(Backend):
    """A checkpoint of a published family. Calls are serialised: the models keep state."""

    family: ClassVar[str]
    mechanism: ClassVar[str]
    auto: ClassVar[str]
    """Name of the Auto class in transformers."""
    scores: ClassVar[str]
    threshold: ClassVar[float] = 0.3
    regions: ClassVar[str] = ""
    """How drawn regions reach the model."""

    def __init__(self, model: Foreign, processor: Foreign, card: Card) -> None:
        """Takes a loaded model in evaluation mode and its processor; see `load`."""
        self.model: Foreign = model
        self.processor: Foreign = processor
        self.card = card
        self._lock = threading.RLock()
        self._preprocessing = _settings_of(processor)

    @classmethod
    def capabilities(cls) -> frozenset[Capability]:
        """Returns what the family can do."""
        raise NotImplementedError

    @classmethod
    def load(cls, source: Source, progress: Progress | None = None) -> Self:
        """Returns the checkpoint, ready to be asked.

        Raises:
            CheckpointError: files are missing, broken, or do not fit the classes.
            BackendError: not enough memory.
        """
        say = progress or (lambda message: None)
        say(f"Checking memory for {source.name}")
        numbers, stored = count_weights(source.folder)
        needed = needed_bytes(numbers, stored, source.device, four_bit=source.four_bit)
        check_room(source.name, needed, source.device)
        say(f"Loading {numbers / 1e6:,.0f} M parameters of {source.name}")
        try:
            model = load_model(cls.auto, source, placement(needed, source.device))
            processor = cls.load_processor(source.folder)
        except DeixisError:
            raise
        except Exception as error:  # whatever a library makes of broken files
            raise CheckpointError(
                f"{source.name} could not be loaded: {type(error).__name__}: {error!s:.300}. "
                "`python -m model doctor` tells what is missing."
            ) from error
        say(f"{source.name} is ready")
        return cls(model, processor, cls._card(source, numbers))

    @classmethod
    def load_processor(cls, folder: Path) -> Foreign:
        """Returns the processor that prepares pictures and text."""
        return load_processor(folder)

    @classmethod
    def _card(cls, source: Source, numbers: int) -> Card:
        return Card(
            name=source.name,
            family=cls.family,
            mechanism=cls.mechanism,
            capabilities=cls.capabilities(),
            threshold=cls.threshold,
            parameters=numbers,
            device=source.device,
            licence=source.licence,
            source=source.origin or str(source.folder),
            scores=cls.scores,
            version=version_of(source.folder, source.adapter),
            regions=cls.regions,
        )

    @abstractmethod
    def _encode(self, picture: Image.Image) -> object:
        """Returns the family's state for a picture; called under the lock, without gradients."""

    def encode(self, picture: Image.Image) -> EncodedPicture:
        """Returns the picture ready to be asked; tries half its size if memory runs out."""
        import torch

        key = picture_key(picture, self.card.version, self._preprocessing)
        with self._lock, torch.inference_mode():
            state = or_smaller(self._encode, picture)
        return EncodedPicture(key, Size(*picture.size), state)

    def encoded(self, picture: Image.Image | EncodedPicture) -> EncodedPicture:
        """Returns the picture encoded, if it is not yet."""
        return picture if isinstance(picture, EncodedPicture) else self.encode(picture)

    def close(self) -> None:
        """Frees the weights; the backend cannot be used afterwards."""
        with self._lock:
            self.model = self.processor = None
            release()


def picture_key(picture: Image.Image, version: str, preprocessing: str) -> str:
    """Returns the cache key of a picture: pixels, shape, model version and preprocessing."""
    digest = hashlib.sha256(f"{version} {preprocessing} {picture.mode} {picture.size} ".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def _settings_of(processor: Foreign) -> str:
    part = getattr(processor, "image_processor", processor)
    return part.to_json_string() if hasattr(part, "to_json_string") else ""


def or_smaller(encode: Callable[[Image.Image], object], picture: Image.Image) -> object:
    """Returns `encode(picture)`, or of half its size if the device runs out of memory.

    Raises:
        BackendError: that does not fit either.
    """
    import torch

    try:
        return encode(picture)
    except torch.OutOfMemoryError:
        release()
    try:
        return encode(picture.resize((max(picture.width // 2, 1), max(picture.height // 2, 1))))
    except torch.OutOfMemoryError as error:
        release()
        raise BackendError(
            f"The device has too little memory for this picture of {picture.width}×"
            f"{picture.height} pixels, even at half its size; try a smaller one or another model."
        ) from error


def release() -> None:
    """Gives memory that nobody uses back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def to_device(inputs: Foreign, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Returns a processor's tensors on a device; the floating ones in the model's type."""
    return {
        name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for name, value in inputs.items()
    }
