"""Files that are whole at every moment, whatever crashes: forced to the disk before they count."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Puts a whole file in place, or leaves what was there.

    Raises:
        OSError: its folder is missing, or the disk failed or is full.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    _settle(path.parent)


def append(path: Path, line: bytes) -> None:
    """Adds one line with one write; a line that does not fit on the disk is taken back.

    Raises:
        OSError: the disk failed or is full.
    """
    with path.open("ab") as file:
        before = file.tell()
        if before and not _ends_whole(path):
            line = b"\n" + line  # what a crash tore off stays a line of its own
        try:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), before)
            raise
    if not before:
        _settle(path.parent)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _settle(folder: Path) -> None:
    """Forces a folder's names to the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
