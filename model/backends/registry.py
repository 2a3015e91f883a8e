"""Models by name: aliases, hub ids, local folders, served models, and several joined with `+`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from model.backends.catalogue import PUBLISHED, Published, adapter
from model.backends.hub import fetch
from model.backends.memory import check_room
from model.checkpoint import ADAPTER, MANIFEST, ROOT, is_there, verify
from model.errors import BackendError, CheckpointError
from model.types import Capability

if TYPE_CHECKING:
    from model.backends.base import Backend

SERVED, FOUR_BIT = "openai:", ":4bit"

Progress = Callable[[str], None]
"""Told what is being done, in words for people."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def open_backend(
    name_or_path: str,
    device: str = "auto",
    *,
    progress: Progress | None = None,
) -> Backend:
    """Returns a model, loaded and ready.

    Args:
        name_or_path: a folder (a checkpoint, or an adapter learned on top of one), the name of one
            of our checkpoints, a short name, a hub id, or `openai:http://host:port/v1#model-id`.
            A published model whose name ends in `:4bit` is quantised to 4 bits, which needs
            bitsandbytes. Several joined with `+`, such as
            `qwen3-vl-2b:4bit+grounding-dino-tiny+sam2-tiny`, work together.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best there is.
        progress: told what is being done, in words for people.

    Raises:
        BackendError: no such model or device, or not enough memory.
        CheckpointError: the checkpoint is broken, incomplete or of an unknown kind.
    """
    if "+" in name_or_path and not Path(name_or_path).exists():
        parts = [part.strip() for part in name_or_path.split("+")]
        return _join([open_backend(part, device, progress=progress) for part in parts])
    if name_or_path.startswith(SERVED):
        from model.backends.openai_server import OpenAIServerBackend

        return OpenAIServerBackend.open(name_or_path)
    device = pick_device(device)
    plain = name_or_path.removesuffix(FOUR_BIT)
    known = PUBLISHED.get(plain.lower())
    say = progress or (lambda message: None)
    four_bit = plain != name_or_path
    folder, adapter_folder = _folder(plain, known, device, say, four_bit=four_bit), None
    if not (folder / "config.json").is_file():
        adapter_folder, base = folder, _base(folder)
        known = PUBLISHED.get(base.lower())
        folder = _folder(base, known, device, say, four_bit=four_bit)
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"{adapter_folder.name} was learned on {folder.name}, an adapter itself; only "
                "adapters of whole checkpoints are opened."
            )
    model_type = _model_type(folder)
    if model_type is None:
        from model.engine import load

        return load(str(folder), device)
    from model.backends.loading import Source

    named = adapter_folder or folder
    here = Path(plain) == named
    source = Source(
        # Not the path: visitors see it.
        name=named.name + name_or_path[len(plain) :] if here else name_or_path,
        folder=folder,
        licence=known.licence if known else _licence(folder),
        origin="a local folder" if here else known.hub_id if known else name_or_path,
        device=device,
        four_bit=four_bit,
        adapter=adapter_folder,
    )
    return adapter(model_type).load(source, say)


def is_published(name_or_path: str) -> bool:
    """Returns whether a name stands for one whole published checkpoint, without looking at a hub.

    Our own checkpoints, adapters, served models and several joined ones are none.
    """
    plain = name_or_path.removesuffix(FOUR_BIT)
    if plain.startswith(SERVED) or "+" in plain:
        return False
    here = _here(plain)
    if here is not None:
        return (here / "config.json").is_file() and _model_type(here) is not None
    return plain.lower() in PUBLISHED or _HUB_ID.fullmatch(plain) is not None


def pick_device(device: str) -> str:
    """Returns a device that is there; `auto` takes CUDA, then Apple's, then the CPU.

    Raises:
        BackendError: the device asked for is not there.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    there = {"cpu": True, "cuda": cuda, "mps": mps}.get(device.split(":")[0], False)
    if there and device.startswith("cuda:"):
        there = device[5:].isdecimal() and int(device[5:]) < torch.cuda.device_count()
    if not there:
        raise BackendError(
            f"There is no device {device!r:.20} here; use --device cpu, or see why with "
            "`python -m model doctor`."
        )
    return device


def _folder(
    name: str, known: Published | None, device: str, say: Progress, *, four_bit: bool
) -> Path:
    """Returns the local folder of a model, fetching a published one if it is not too large."""
    here = _here(name)
    if here is not None:
        return here
    hub_id = known.hub_id if known else name
    if _HUB_ID.fullmatch(hub_id) is None or ".." in hub_id or "--" in hub_id:
        raise BackendError(
            f"There is no model {name!r:.80}. Give a folder, a hub id such as owner/name, or one "
            f"of: {', '.join(PUBLISHED)}."
        )
    if known is not None:
        check_room(known.name, known.weights(device, four_bit=four_bit), device)
    return fetch(hub_id, _known_kind, say)


def _known_kind(folder: Path) -> None:
    """Raises CheckpointError unless an adapter knows the kind of a checkpoint."""
    adapter(_model_type(folder) or "unknown")


def _here(name: str) -> Path | None:
    """Returns the local folder of a checkpoint or adapter; None if there is none."""
    for path in (Path(name), ROOT / name):
        # A name may be too long, or otherwise none for the file system.
        with contextlib.suppress(OSError):
            if is_there(path):
                return path
    return None


def _base(folder: Path) -> str:
    """Returns the name of the checkpoint that an adapter was learned on.

    Raises:
        CheckpointError: the adapter names none, or its files are not those that were signed.
    """
    if (folder / MANIFEST).is_file():
        verify(folder)
    try:
        settings = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        return str(settings["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.name} names no checkpoint it was learned on.") from error


def _model_type(folder: Path) -> str | None:
    """Returns the kind of a published checkpoint; None if the folder is one of our own."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} has no readable config.json: {error!s:.200}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    return str(kind) if kind is not None and kind != "deixis" else None


def _licence(folder: Path) -> str:
    """Returns the licence that a model card states."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")[:4000]
    except (OSError, ValueError):
        return "see its model card"
    match = re.search(r"^license:\s*([\w.-]{1,60})\s*$", text, re.MULTILINE)
    return match[1] if match else "see its model card"


def _join(parts: list[Backend]) -> Backend:
    """Returns several models as one: the first answers, the others find or mask.

    Raises:
        BackendError: the first cannot answer, or a further one can neither find nor mask.
    """
    from model.backends.composed import MaskedBackend, RetrievalBackend
    from model.backends.sam import SamBackend

    whole, *others = parts
    if isinstance(whole, SamBackend):
        raise BackendError(f"{whole.card.name} reads no words; name it after the others.")
    for part in others:
        if isinstance(part, SamBackend):
            whole = MaskedBackend(whole, part)
        elif Capability.DETECT in part.card.capabilities:
            whole = RetrievalBackend(whole, part)
        else:
            raise BackendError(
                f"{part.card.name} can neither find things nor mask them, so it adds nothing to "
                f"{whole.card.name}."
            )
    return whole
