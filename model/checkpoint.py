"""Checkpoints on disk: staged, verified, listed. A folder is complete or it does not count.

config.json          sections of the model
model-*.safetensors  weights, shards below 10 MB
tokenizer.json       words
MANIFEST.json        SHA-256 of every file, written last
README.md            model card      metrics.json   measured numbers
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from model.tokens import Vocabulary
    from model.vlm import DeixisModel

MANIFEST = "MANIFEST.json"
UNSIGNED = frozenset({MANIFEST, "README.md", "metrics.json"})
"""Files that may change without the weights changing."""
ADAPTER = "adapter_config.json"
"""Stands where `config.json` would in what was learned on top of a published checkpoint."""
FORBIDDEN = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
SHARD_SIZE, LARGE_SHARD_SIZE = "9MB", "2GB"
"""Shards below 10 MB are what a Space takes; no Space would take a model that needs hundreds."""
LARGE_BYTES = 200_000_000
ROOT = Path("checkpoints")


@dataclass(frozen=True, slots=True)
class Listing:
    """A checkpoint in a folder of checkpoints.

    Attributes:
        name: of its folder.
        folder: where it lies.
        size: bytes of its weights.
        modified: seconds since 1970.
        metrics: what was measured; empty if nothing.
        problem: why it cannot be served; empty if it can.
    """

    name: str
    folder: Path
    size: int
    modified: float
    metrics: dict[str, object]
    problem: str = ""


def resolve(name_or_path: str | Path, root: Path = ROOT, *, adapters: bool = False) -> Path:
    """Returns the folder of a checkpoint given by path or by name under `root`.

    Args:
        name_or_path: of the checkpoint.
        root: folder of checkpoints.
        adapters: whether an adapter of a published checkpoint is one, too.

    Raises:
        CheckpointError: there is none; the message lists those that exist.
    """
    for folder in (Path(name_or_path), root / name_or_path):
        if (folder / "config.json").is_file() or (adapters and is_there(folder)):
            return folder
    known = ", ".join(sorted(path.parent.name for path in root.glob("*/config.json"))) or "none"
    raise CheckpointError(f"There is no checkpoint {str(name_or_path)!r:.200}; known are: {known}.")


def is_there(folder: Path) -> bool:
    """Returns whether a folder holds a checkpoint, or an adapter of a published one."""
    return any((folder / name).is_file() for name in ("config.json", ADAPTER))


def save(model: DeixisModel, vocabulary: Vocabulary, folder: Path, *, half: bool = False) -> None:
    """Writes a complete checkpoint: into a staging folder, synced to disk, then renamed.

    Args:
        model: whose weights are written.
        vocabulary: its words.
        folder: put in place when everything is written.
        half: write float16, half the size; numbers are rounded once. Tensors that would not fit
            its range, such as the variances of a published detector, stay float32.
    """

    def write(staging: Path) -> None:
        weights = model.state_dict()
        if half:
            weights = {name: _halved(value) for name, value in weights.items()}
        size = sum(value.nbytes for value in weights.values())
        model.save_pretrained(
            staging,
            state_dict=weights,
            max_shard_size=SHARD_SIZE if size <= LARGE_BYTES else LARGE_SHARD_SIZE,
            save_original_format=False,  # Published parts keep the names they have in the model.
        )
        vocabulary.save(staging / "tokenizer.json")
        if folder.is_dir():
            for name in ("README.md", "metrics.json"):
                if (folder / name).is_file():
                    shutil.copy2(folder / name, staging / name)
        sign(staging)

    replace_folder(folder, write)


def _halved(value: Tensor) -> Tensor:
    """Returns a tensor in float16, if it is one of numbers that fit."""
    half = value.half() if value.is_floating_point() else value
    return half if bool(half.isfinite().all()) else value


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Fills a staging folder beside `folder`, syncs it and puts it in place of `folder`.

    A crash at any moment leaves the old folder, the new one, or the old one under `.old`, which
    `recover` brings back.
    """
    staging, old = (
        folder.with_name(folder.name + ".staging"),
        folder.with_name(folder.name + ".old"),
    )
    recover(folder)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        write(staging)
        for path in [*staging.iterdir(), staging]:
            _sync(path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(old)
    staging.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Puts the previous version back if a crash struck between the two renames.

    If it struck after both, the new version is in place and the rest of the previous one goes.
    """
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(folder)


def sign(folder: Path) -> None:
    """Writes the manifest of a folder."""
    files = sorted(
        path for path in folder.iterdir() if path.is_file() and path.name not in UNSIGNED
    )
    sums = {path.name: _sha256(path) for path in files}
    (folder / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=1) + "\n")


def verify(folder: Path) -> str:
    """Returns the checkpoint's version, a hash over its manifest.

    Raises:
        CheckpointError: a file is missing, changed, extra, or of a kind that can run code.
    """
    try:
        sums: dict[str, str] = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} has no readable {MANIFEST}; it was not saved completely. Train or copy it "
            "again."
        ) from error
    bad = [path.name for path in folder.iterdir() if path.suffix in FORBIDDEN]
    if bad:
        raise CheckpointError(f"{folder} holds {bad}; only safetensors are loaded.")
    for name, expected in sums.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise CheckpointError(f"{folder} lacks {name}; copy the checkpoint again.")
        if _sha256(path) != expected:
            raise CheckpointError(f"{path} differs from its manifest; copy the checkpoint again.")
    extra = [p.name for p in folder.glob("*.safetensors") if p.name not in sums]
    if extra:
        raise CheckpointError(f"{folder} holds weights {extra} that its manifest does not name.")
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()[:16]


def load(folder: Path, *, grow: bool = False) -> tuple[DeixisModel, Vocabulary, str]:
    """Returns the model in float32, its vocabulary and its version, after verifying all of it.

    Args:
        folder: of the checkpoint.
        grow: let parts that the checkpoint does not have yet start untrained, to be trained.

    Raises:
        CheckpointError: the folder is broken, or its weights are not finite or do not fit.
    """
    from safetensors.torch import load_file

    from model.config import ModelConfig
    from model.tokens import Vocabulary
    from model.vlm import DeixisModel

    recover(folder)
    version = verify(folder)
    weights: dict[str, Tensor] = {}
    try:
        sections = json.loads((folder / "config.json").read_text())["sections"]
        model = DeixisModel.from_tree(ModelConfig.from_json(sections)).float()
        for shard in sorted(folder.glob("*.safetensors")):
            weights |= load_file(shard)
        differing = model.load_state_dict(weights, strict=False)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} could not be loaded: {error}") from error
    if differing.unexpected_keys or (differing.missing_keys and not grow):
        names = [*differing.missing_keys, *differing.unexpected_keys][:3]
        raise CheckpointError(f"{folder} is of another architecture; it differs in {names}.")
    broken = [name for name, value in model.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise CheckpointError(f"{folder} has numbers that are not finite in {broken[:3]}.")
    return model.eval(), Vocabulary.load(folder / "tokenizer.json"), version


def listing(root: Path = ROOT) -> list[Listing]:
    """Returns the checkpoints and adapters below a folder, newest first; broken ones say why."""
    found = []
    for config in [*root.glob("*/config.json"), *root.glob(f"*/{ADAPTER}")]:
        folder, problem = config.parent, ""
        try:
            verify(folder)
        except CheckpointError as error:
            problem = str(error)
        try:
            metrics = json.loads((folder / "metrics.json").read_text())
        except (OSError, ValueError):
            metrics = {}
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        found.append(Listing(folder.name, folder, size, config.stat().st_mtime, metrics, problem))
    return sorted(found, key=lambda item: -item.modified)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
