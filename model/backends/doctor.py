"""What this machine can run: versions, devices, memory, and what to install for the rest."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from model.backends.catalogue import FAMILIES, PUBLISHED, adapter
from model.backends.memory import free_bytes
from model.errors import CheckpointError

NEEDED = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "pillow", "numpy")
EXTRAS = {
    "httpx": "models served elsewhere",
    "peft": "LoRA fine-tuning",
    "bitsandbytes": "4-bit loading on a GPU",
    "gradio": "the page",
    "supervision": "drawing in the page",
}
IMPORT_SECONDS = 120


class Level(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found, and the remedy if any."""

    level: Level
    what: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {Level.OK: "+", Level.NOTE: " ", Level.PROBLEM: "!"}[self.level]
        line = f"{mark} {self.what:<22} {self.found}"
        return f"{line}\n{'':<26}-> {self.remedy}" if self.remedy else line


def examine() -> Iterator[Finding]:
    """Yields all findings, worst news included."""
    yield Finding(Level.OK, "python", f"{platform.python_version()} on {platform.platform()}")
    yield from packages()
    yield torchvision(_version("torch"), _version("torchvision"), _imports)
    if _version("torch") is None:
        return
    yield from devices()
    yield from models()


def packages() -> Iterator[Finding]:
    """Yields the versions of what is needed and of what is optional."""
    for name in NEEDED:
        version = _version(name)
        if version is None:
            remedy = "pip install -r requirements.txt"
            yield Finding(Level.PROBLEM, name, "not installed", remedy)
        else:
            yield Finding(Level.OK, name, version)
    for name, use in EXTRAS.items():
        version = _version(name)
        remedy = "" if version else f"pip install {name}, for {use}"
        level = Level.OK if version else Level.NOTE
        yield Finding(level, name, version or "not installed", remedy)


def torchvision(
    torch: str | None, version: str | None, imports: Callable[[str], str | None]
) -> Finding:
    """Returns whether torchvision fits torch. None at all is fine; a wrong one breaks everything.

    Args:
        torch: version of torch, with its build, such as `2.13.0+cpu`.
        version: of torchvision; None if it is not installed.
        imports: returns why a module cannot be imported, or None if it can.
    """
    if version is None:
        return Finding(Level.OK, "torchvision", "not installed, and not needed")
    error = imports("torchvision")
    if error is None:
        return Finding(Level.OK, "torchvision", version)
    remedy = (
        "pip uninstall torchvision: nothing here needs it, and a build made for another torch "
        "makes processors and models fail on import with errors that do not name it"
    )
    found = f"{version} does not fit torch {torch}: {error}"
    return Finding(Level.PROBLEM, "torchvision", found, remedy)


def devices() -> Iterator[Finding]:
    """Yields where models can run, and how much memory is free there."""
    import torch

    yield Finding(Level.OK, "memory", f"{free_bytes('cpu') / 1e9:.1f} GB free")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            name = torch.cuda.get_device_name(i)
            free = free_bytes(f"cuda:{i}") / 1e9
            yield Finding(Level.OK, f"cuda:{i}", f"{name}, {free:.1f} GB free")
    elif torch.version.cuda is None:
        yield Finding(
            Level.NOTE, "cuda", f"torch {torch.__version__} is built without CUDA",
            "on a machine with an NVIDIA GPU: make run DEVICE=gpu",
        )  # fmt: skip
    else:
        yield Finding(
            Level.NOTE, "cuda", f"torch is built for CUDA {torch.version.cuda}, but sees no GPU",
            "check the driver with nvidia-smi",
        )  # fmt: skip
    if torch.backends.mps.is_available():
        yield Finding(Level.OK, "mps", "Apple GPU")


def models() -> Iterator[Finding]:
    """Yields which published models fit into the memory that is free now."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    free = free_bytes(device)
    for published in PUBLISHED.values():
        needed = published.need(device)
        found = f"{published.parameters} M parameters, about {needed / 1e9:.1f} GB on {device}"
        if needed <= free:
            yield Finding(Level.OK, published.name, found)
        else:
            remedy = "serve it elsewhere (openai:http://...), or free memory"
            yield Finding(Level.NOTE, published.name, f"{found}: does not fit", remedy)


def catalogue() -> Iterator[str]:
    """Yields one line for each model that can be opened by name."""
    from model.checkpoint import listing

    yield f"{'name':<24} {'parameters':>10}  {'licence':<16} what it can do"
    for own in listing():
        state = own.problem or "our own checkpoint: all tasks it was trained for"
        yield f"{own.name:<24} {own.size / 2e6:>8.0f} M  {'see its card':<16} {state}"
    for published in PUBLISHED.values():
        able = ", ".join(sorted(adapter(published.model_type).capabilities()))
        licence = published.licence if len(published.licence) < 17 else "see its card"
        yield f"{published.name:<24} {published.parameters:>8} M  {licence:<16} {able}"
    yield ""
    yield f"Any checkpoint of these kinds opens by folder or hub id: {', '.join(sorted(FAMILIES))}."
    yield "Served models: openai:http://host:port/v1#model-id. Several work together: a+b+c."


def report() -> int:
    """Prints all findings and returns 1 if there is a problem."""
    problems = 0
    for finding in examine():
        problems += finding.level is Level.PROBLEM
        print(finding, flush=True)
    print(f"\n{problems} problem{'s' * (problems != 1)} found.")
    return int(problems > 0)


def list_models() -> int:
    """Prints the catalogue."""
    try:
        for line in catalogue():
            print(line)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _imports(module: str) -> str | None:
    """Returns why a module cannot be imported; tried elsewhere, as it may leave this one broken."""
    tried = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False,
    )  # fmt: skip
    if tried.returncode == 0:
        return None
    return (tried.stderr.strip().splitlines() or ["it ends without a word"])[-1][:200]
