"""What all published checkpoints share: loading native classes safely, encoding, letting go."""

from __future__ import annotations

import gc
import hashlib
import json
import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from PIL import Image

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.memory import check_room, count_weights, weight_files
from model.errors import BackendError, CheckpointError, DeixisError
from model.types import Capability, Size

if TYPE_CHECKING:
    import torch

Foreign = Any
"""An object of transformers; their classes differ from family to family."""
Progress = Callable[[str], None]
SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
"""For everything that is read: no code from elsewhere, and nothing beyond the folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a published checkpoint is and how it is to be loaded.

    Attributes:
        name: as people typed it.
        folder: local folder with safetensors, tokenizer and configuration.
        licence: SPDX name or a sentence.
        origin: where it comes from, such as a hub id.
        device: `cpu`, `cuda`, `cuda:1` or `mps`.
        four_bit: quantise the weights to 4 bits while loading.
    """

    name: str
    folder: Path
    licence: str = "see its model card"
    origin: str = ""
    device: str = "cpu"
    four_bit: bool = False


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
        check_room(source.name, _needed(numbers, stored, source), source.device)
        say(f"Loading {numbers / 1e6:,.0f} M parameters of {source.name}")
        try:
            model = load_model(cls.auto, source)
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
            version=version_of(source.folder),
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


def _needed(numbers: int, stored: int, source: Source) -> int:
    if source.four_bit:
        return numbers * 6 // 10
    # On a CPU everything is computed in 32 bits; elsewhere as it is stored.
    return numbers * 4 if source.device == "cpu" else stored


def load_model(auto: str, source: Source) -> Foreign:
    """Returns a model in evaluation mode on its device.

    Raises:
        CheckpointError: weights of the model are missing in the files.
    """
    import transformers

    # Its warnings speak to developers; what matters to people is checked below.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    extra: dict[str, Any] = {"dtype": "float32" if source.device == "cpu" else "auto"}
    if source.four_bit:
        extra |= {"device_map": source.device, "quantization_config": _four_bit(source.device)}
    model, report = getattr(transformers, auto).from_pretrained(
        source.folder, use_safetensors=True, output_loading_info=True, **SAFE, **extra
    )
    # The library would fill these with random numbers and only warn.
    if lost := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"{source.name} lacks {len(lost)} weights, such as {lost[0]}; fetch it again."
        )
    return (model if source.four_bit else model.to(source.device)).eval()


def _four_bit(device: str) -> Foreign:
    import importlib.util

    import torch
    import transformers

    if importlib.util.find_spec("bitsandbytes") is None:
        raise BackendError("4-bit loading needs bitsandbytes; `pip install bitsandbytes`.")
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def load_processor(folder: Path) -> Foreign:
    """Returns a processor, without its part for videos where torchvision is not installed.

    That part needs torchvision, is not needed here, and would make the whole processor fail.
    """
    import transformers
    from transformers.utils.import_utils import is_torchvision_available

    if is_torchvision_available():
        return transformers.AutoProcessor.from_pretrained(folder, **SAFE)
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        path = folder / name
        named = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if kind := getattr(transformers, str(named.get("processor_class")), None):
            return without_video(kind).from_pretrained(folder, **SAFE)
    return transformers.AutoProcessor.from_pretrained(folder, **SAFE)


def without_video(kind: Foreign) -> Foreign:
    """Returns a processor class that neither loads nor needs a video processor."""
    parts = [part for part in kind.get_attributes() if "video" not in part]
    if len(parts) == len(kind.get_attributes()):
        return kind
    body = {"get_attributes": classmethod(lambda cls: list(parts)), "__module__": kind.__module__}
    return type(kind.__name__, (kind,), body)


def version_of(folder: Path) -> str:
    """Returns a short digest that changes whenever the files of a checkpoint do.

    Made of names, sizes and times: reading gigabytes of weights would take too long.
    """
    digest = hashlib.sha256()
    for file in [*weight_files(folder), folder / "config.json"]:
        # A hub cache holds links to files named by their content.
        real = file.resolve()
        status = real.stat()
        digest.update(f"{file.name} {real.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


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
