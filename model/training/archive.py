"""Unpacks an uploaded ZIP archive, or refuses it whole: nothing of a suspicious archive is kept.

Names are judged before a byte is written; sizes are counted while reading, because the sizes an
archive states about itself are the attacker's words.
"""

from __future__ import annotations

import errno
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.errors import RecordError

MIB = 1024**2
_CHUNK = 64 * 1024
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ArithmeticError),
    *(NotImplementedError, RuntimeError, ValueError),
)
"""What zipfile raises on bytes that are no archive."""

_IGNORED = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file managers leave behind; passed over without a word."""

_NESTED = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".7z", ".rar", ".zst", ".lz4"}
    | {".lzma", ".cab", ".iso", ".jar", ".whl"}
)
_NESTED_MAGIC = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!"),
)
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
)
"""Names that are devices on Windows, whatever their extension."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may cost.

    Attributes:
        entries: files and folders.
        bytes: of everything unpacked.
        ratio: unpacked bytes to one packed byte, over the whole archive; pictures hardly pack,
            plain annotation text packs about 20 times.
        free_bytes: unpacked bytes below which the ratio is not looked at.
        depth: folders above a file.
    """

    entries: int = 200_000
    bytes: int = 20 * 1024 * MIB
    ratio: float = 100.0
    free_bytes: int = 10 * MIB
    depth: int = 12


def unpack(archive: Path, folder: Path, limits: ArchiveLimits | None = None) -> int:
    """Writes the regular files of a ZIP archive below `folder`, which must be empty.

    Args:
        archive: the file.
        folder: where to; after an error what was written there is to be deleted.
        limits: None takes the defaults.

    Returns:
        How many files were written.

    Raises:
        RecordError: it is no ZIP archive, is damaged, or holds anything but plain files within
            the limits; the message names the entry and the reason.
    """
    limits = limits or ArchiveLimits()
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened.infolist(), limits)
            budget = _Budget(limits, archive.stat().st_size)
            for entry, path in entries:
                _write(opened, entry, folder / path, budget)
    except _DAMAGE as error:
        # A place that no file has is damage too; a full disk is the caller's to tell.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise RecordError(
            f"{archive.name!r:.80} is no sound ZIP archive ({error}); pack the folder again as ZIP."
        ) from error
    return len(entries)


def _checked(
    entries: list[zipfile.ZipInfo], limits: ArchiveLimits
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Returns the files of an archive with their paths, if every entry may be unpacked."""
    if len(entries) > limits.entries:
        raise RecordError(
            f"The archive has {len(entries)} entries; at most {limits.entries} are allowed."
        )
    names, files = _Names(), []
    for entry in entries:
        path = _path(entry, limits)
        names.claim(path, entry)
        if path.name in _IGNORED or "__MACOSX" in path.parts or entry.is_dir():
            continue
        if path.suffix.lower() in _NESTED:
            raise _refused(entry, "is an archive within the archive; unpack it first")
        files.append((entry, path))
    return files


def _path(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> PurePosixPath:
    """Returns where an entry wants to lie, relative; raises RecordError for any trick."""
    # zipfile cuts names at NUL and turns backslashes into slashes; what was written counts.
    name = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise _refused(entry, "is a symbolic link")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _refused(entry, "is no regular file")
    if entry.flag_bits & _ENCRYPTED:
        raise _refused(entry, "is encrypted; pack the folder without a password")
    if entry.compress_type not in _METHODS:
        raise _refused(entry, "is packed by an unusual method; use plain ZIP")
    if "\\" in name or any(unicodedata.category(character)[0] == "C" for character in name):
        raise _refused(entry, "has a backslash or control character in its name")
    if name.startswith("/") or ":" in name:
        raise _refused(entry, "has an absolute path, a drive or a colon in its name")
    parts = name.rstrip("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _refused(entry, "leaves its folder")
    if len(parts) > limits.depth or any(len(part.encode()) > 200 for part in parts):
        raise _refused(entry, "has a name that is too long or too deep")
    if any(part != part.rstrip(". ") or _is_device(part) for part in parts):
        raise _refused(entry, "has a name that some systems cannot store")
    return PurePosixPath(*parts)


def _is_device(part: str) -> bool:
    return part.split(".")[0].casefold() in _RESERVED


class _Names:
    """Paths of an archive so far; none may be the same file as another on any system."""

    def __init__(self) -> None:
        self._spelling: dict[str, PurePosixPath] = {}
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def claim(self, path: PurePosixPath, entry: zipfile.ZipInfo) -> None:
        """Takes a path for an entry; raises RecordError if it is taken."""
        folders = [self._key(step, entry) for step in path.parents if step.name]
        key = self._key(path, entry)
        if key in self._files or self._files.intersection(folders):
            raise _refused(entry, "comes twice, or is both a file and a folder")
        if entry.is_dir():
            self._folders.add(key)
        elif key in self._folders:
            raise _refused(entry, "is both a file and a folder")
        else:
            self._files.add(key)
        self._folders.update(folders)

    def _key(self, path: PurePosixPath, entry: zipfile.ZipInfo) -> str:
        """Returns a path without case or accents' spelling, under which only one may exist."""
        key = unicodedata.normalize("NFC", str(path)).casefold()
        if self._spelling.setdefault(key, path) != path:
            raise _refused(entry, "differs from another entry only in case or accents")
        return key


class _Budget:
    """Bytes that may still be unpacked."""

    def __init__(self, limits: ArchiveLimits, packed_bytes: int) -> None:
        self._limits, self._packed, self._used = limits, max(packed_bytes, 1), 0

    def spend(self, count: int, entry: zipfile.ZipInfo) -> None:
        """Counts bytes that were read; raises RecordError once they are too many."""
        self._used += count
        if self._used > self._limits.bytes:
            raise _refused(
                entry, f"brings the archive over {self._limits.bytes // MIB} MiB unpacked"
            )
        packs = self._used / self._packed
        if self._used > self._limits.free_bytes and packs > self._limits.ratio:
            raise _refused(entry, f"packs more than {self._limits.ratio:g} times, like a bomb")


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, budget: _Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as packed:
        chunk = packed.read(_CHUNK)
        if chunk.startswith(_NESTED_MAGIC):
            raise _refused(entry, "is an archive within the archive; unpack it first")
        with path.open("xb") as file:
            while chunk:
                budget.spend(len(chunk), entry)
                file.write(chunk)
                chunk = packed.read(_CHUNK)


def _refused(entry: zipfile.ZipInfo, reason: str) -> RecordError:
    return RecordError(
        f"The archive is refused: {ascii(entry.orig_filename)[:100]} {reason}. "
        "It may hold plain files and folders only."
    )
