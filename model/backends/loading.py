"""Loading native classes safely: safetensors only, no code from elsewhere, nothing made up."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.backends.memory import weight_files
from model.errors import BackendError, CheckpointError

Foreign = Any
"""An object of transformers; their classes differ from family to family."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""The weights of a LoRA adapter."""
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
        adapter: folder with what was learned on top of the weights; None if nothing.
    """

    name: str
    folder: Path
    licence: str = "see its model card"
    origin: str = ""
    device: str = "cpu"
    four_bit: bool = False
    adapter: Path | None = None


def load_model(auto: str, source: Source, place: str) -> Foreign:
    """Returns a model in evaluation mode.

    Args:
        auto: name of the Auto class.
        source: where it lies.
        place: the device it goes to, or `auto` to spread it over all GPUs.

    Raises:
        CheckpointError: weights of the model are missing in the files.
    """
    import transformers

    # Its warnings speak to developers; what matters to people is checked below.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    extra: dict[str, Any] = {"dtype": "float32" if source.device == "cpu" else "auto"}
    if source.four_bit:
        extra["quantization_config"] = _four_bit(source.name)
    if source.four_bit or source.device != "cpu":
        extra["device_map"] = place
    model, report = getattr(transformers, auto).from_pretrained(
        source.folder, use_safetensors=True, output_loading_info=True, **SAFE, **extra
    )
    # The library would fill these with random numbers and only warn.
    if lost := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"{source.name} lacks {len(lost)} weights, such as {lost[0]}; fetch it again."
        )
    if source.adapter is not None:
        model = adapted(model, source.adapter, merge=not source.four_bit)
    return model.eval()


def adapted(model: Foreign, folder: Path, *, merge: bool) -> Foreign:
    """Returns a model with what a LoRA adapter learned, merged into its weights if that is exact.

    Raises:
        CheckpointError: the adapter has no safetensors.
    """
    from peft import PeftModel

    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder.name} lacks {ADAPTER_WEIGHTS}; only safetensors are loaded."
        )
    with quiet_peft():
        found: Foreign = PeftModel.from_pretrained(model, folder)
    return found.merge_and_unload() if merge else found.get_base_model()


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Keeps peft 0.21 quiet about names that transformers 5 is giving up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _four_bit(name: str) -> Foreign:
    import importlib.util

    import torch
    import transformers

    if importlib.util.find_spec("bitsandbytes") is None:
        raise BackendError(
            f"{name} is to be loaded in 4 bits, but bitsandbytes is not installed here; "
            "`pip install bitsandbytes`, or leave :4bit out of the name."
        )
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


def version_of(folder: Path, adapter: Path | None = None) -> str:
    """Returns a short digest that changes whenever the files of a checkpoint or its adapter do.

    Made of names, sizes and times: reading gigabytes of weights would take too long.
    """
    digest = hashlib.sha256()
    learned = [] if adapter is None else [adapter / ADAPTER_WEIGHTS]
    for file in [*weight_files(folder), folder / "config.json", *learned]:
        # A hub cache holds links to files named by their content.
        real = file.resolve()
        status = real.stat()
        digest.update(f"{file.name} {real.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
