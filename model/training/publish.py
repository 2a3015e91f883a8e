"""A checkpoint as a folder ready to push, as one file, and the push itself, which needs a token."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

from model import checkpoint
from model.errors import CheckpointError, ConfigError
from model.training.disk import full_disk_told

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
TOKEN = "HF_TOKEN"


def export(folder: Path, out: Path) -> None:
    """Copies a verified checkpoint or adapter into a new folder, without what else lies beside it.

    Raises:
        CheckpointError: it is broken or has no model card, or the disk is full.
        ConfigError: the folder exists already.
    """
    if (folder / "config.json").is_file():
        # Numbers that are not finite are found here, not by whoever gets it.
        checkpoint.load(folder)
    else:
        checkpoint.verify(folder)
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another folder or delete it.")
    if not (folder / "README.md").is_file():
        raise CheckpointError(f"{folder} has no README.md, its model card; write one first.")

    def write(staging: Path) -> None:
        for path in folder.iterdir():
            if path.is_file() and path.suffix in (".json", ".safetensors", ".md"):
                shutil.copy2(path, staging / path.name)
        checkpoint.verify(staging)

    with full_disk_told("nothing was exported. Make room and try again"):
        out.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.replace_folder(out, write)


def pack(folder: Path) -> Path:
    """Writes an exported folder as one ZIP beside it, replaces an older one, and returns it.

    Weights do not get smaller by packing, so they are only put together.

    Raises:
        CheckpointError: the disk is full.
    """
    archive = folder.with_name(f"{folder.name}.zip")
    staged = archive.with_name(f".{archive.name}")
    try:
        with (
            full_disk_told(f"{folder} is whole. Make room and try again"),
            zipfile.ZipFile(staged, "w", zipfile.ZIP_STORED) as file,
        ):
            for path in sorted(folder.iterdir()):
                file.write(path, f"{folder.name}/{path.name}")
        return staged.replace(archive)
    finally:
        staged.unlink(missing_ok=True)


def push(folder: Path, repository: str) -> str:
    """Uploads an exported folder to a model hub and returns its address.

    Raises:
        ConfigError: the repository's name is none, or there is no token.
        CheckpointError: the hub refused it.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"{repository!r:.80} is no OWNER/NAME.")
    token = os.environ.get(TOKEN)
    if not token:
        raise ConfigError(f"Pushing needs a token in {TOKEN}; the folder {folder} is ready.")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=token)
    try:
        api.create_repo(repository, exist_ok=True)
        return str(api.upload_folder(folder_path=folder, repo_id=repository))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointError(f"{repository} was not pushed: {error}") from error
