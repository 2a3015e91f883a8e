"""How much memory weights need and how much there is, asked before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from model.errors import BackendError, CheckpointError

ROOM = 1.25
"""Free memory asked for, as a multiple of the weights: activations, the picture, the cache."""
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
_CGROUP = Path("/sys/fs/cgroup")


def weight_files(folder: Path) -> list[Path]:
    """Returns the safetensors files that make up a published checkpoint.

    Raises:
        CheckpointError: there are none, or one named in the index is missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        files = [folder / name for name in sorted({Path(name).name for name in listed})]
    else:
        files = [folder / "model.safetensors"]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{folder.name} lacks {', '.join(missing)}. Only safetensors are loaded; pickled "
            "weights (.bin, .pt) can run code and are refused: convert them or choose another "
            "checkpoint."
        )
    return files


def count_weights(folder: Path) -> tuple[int, int]:
    """Returns how many numbers the weight files hold, and how many bytes they take as stored.

    Raises:
        CheckpointError: a file is missing or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    numbers = stored = 0
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="numpy") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a mapping
                    part = tensors.get_slice(name)
                    count = 1
                    for side in part.get_shape():
                        count *= side
                    numbers += count
                    stored += count * _BYTES.get(part.get_dtype(), 1)
        except SafetensorError as error:
            raise CheckpointError(
                f"{file.name} is no readable safetensors file ({error}); fetch it again."
            ) from error
    return numbers, stored


def needed_bytes(numbers: int, stored: int, device: str, *, four_bit: bool = False) -> int:
    """Returns how many bytes weights take, of which there are so many numbers and stored bytes."""
    if four_bit:
        return numbers * 6 // 10
    # On a CPU everything is computed in 32 bits; elsewhere as it is stored.
    return numbers * 4 if device == "cpu" else stored


def free_bytes(device: str) -> int:
    """Returns the memory that is free on a device, on all GPUs together for `cuda`.

    In a container, at most what it still has.
    """
    if device.startswith("cuda"):
        import torch

        every = range(torch.cuda.device_count())
        devices = [f"cuda:{i}" for i in every] if device == "cuda" else [device]
        return sum(torch.cuda.mem_get_info(one)[0] for one in devices)
    import psutil

    free = psutil.virtual_memory().available
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(limit - used, 0))


def check_room(name: str, needed: int, device: str) -> None:
    """Raises BackendError, with the numbers and a remedy, unless weights of a size fit."""
    needed, free = int(needed * ROOM), free_bytes(device)
    if needed > free:
        raise BackendError(
            f"{name} needs about {needed / 1e9:.1f} GB on {device}, but {free / 1e9:.1f} GB are "
            "free. Choose a smaller model, load it in 4 bits (add :4bit to its name), let the "
            "present one go first, or point to a server: openai:http://host:port/v1#model-id."
        )


def placement(needed: int, device: str) -> str:
    """Returns where weights of a size go: one device, or `auto`, spread over all GPUs.

    `cuda` means the first GPU as long as they fit there, with room to work.
    """
    if device == "cuda":
        return "cuda:0" if needed * ROOM <= free_bytes("cuda:0") else "auto"
    return device
