"""The files of a data set as importers see them: an index of regular files, read with limits.

An importer never joins paths by itself. A picture's name in a file is looked up among the files
that are really there, so no name can lead outside.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from model.errors import RecordError
from model.training.importers.pictures import MAX_PIXELS, PICTURE_SUFFIXES, upright_size
from model.training.importers.values import shown
from model.types import Size

_SPLIT_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val", "test": "test", "testa": "test", "testb": "test", "testing": "test"
}  # fmt: skip
_ID = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a data set may cost.

    Attributes:
        files: in the folder.
        annotation_bytes: of one annotation file; JSON takes about six times as much in memory.
        pixels: of one picture, width × height.
        objects: in one picture.
    """

    files: int = 500_000
    annotation_bytes: int = 1024**3
    pixels: int = MAX_PIXELS
    objects: int = 2_000


class Source:
    """A folder of annotation files and pictures.

    Attributes:
        root: the folder; every path handed out is relative to it.
        annotations: files that may hold annotations, sorted.
        pictures: picture files, sorted.
        skipped: links that lead out of the folder.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        """Indexes a folder, or the folder of a single annotation file.

        Raises:
            RecordError: there is nothing to read, or too much.
        """
        self.limits = limits or Limits()
        if not path.exists():
            raise RecordError(f"{path} does not exist; choose a folder, a ZIP archive or a file.")
        only = path.name if path.is_file() else None
        self.root = (path.parent if only else path).resolve()
        self.skipped = 0
        files = sorted(self._walk())
        self.pictures = tuple(f for f in files if f.suffix.lower() in PICTURE_SUFFIXES)
        self.annotations = tuple(
            file
            for file in files
            if file.suffix.lower() not in PICTURE_SUFFIXES and (not only or str(file) == only)
        )
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._by_id: dict[str, list[PurePosixPath]] = defaultdict(list)
        for picture in self.pictures:
            self._by_name[picture.name].append(picture)
            self._by_id[_plain_id(picture.stem)].append(picture)
        self._json: dict[PurePosixPath, Any] = {}
        self._sizes: dict[PurePosixPath, Size] = {}

    def _walk(self) -> Iterator[PurePosixPath]:
        found = 0
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__MACOSX")
            for name in names:
                path = Path(folder, name)
                if name.startswith("."):
                    continue
                if not path.is_file() or not path.resolve().is_relative_to(self.root):
                    self.skipped += 1
                    continue
                found += 1
                if found > self.limits.files:
                    raise RecordError(
                        f"{self.root} holds more than {self.limits.files} files; "
                        "choose the data set's own folder."
                    )
                yield PurePosixPath(path.relative_to(self.root).as_posix())

    def named(self, *suffixes: str) -> list[PurePosixPath]:
        """Returns the annotation files with one of these endings, such as `.json`."""
        return [file for file in self.annotations if file.suffix.lower() in suffixes]

    def read_bytes(self, file: PurePosixPath) -> bytes:
        """Returns an annotation file's content; raises RecordError if it is too long."""
        path = self.root / file
        size = path.stat().st_size
        if size > self.limits.annotation_bytes:
            raise RecordError(
                f"the file has {size / 1e6:.0f} MB; at most "
                f"{self.limits.annotation_bytes / 1e6:.0f} MB are read."
            )
        return path.read_bytes()

    def head(self, file: PurePosixPath, count: int = 4096) -> str:
        """Returns an annotation file's first bytes as text, whatever they are."""
        with (self.root / file).open("rb") as opened:
            return opened.read(count).decode("utf-8-sig", "replace")

    def read_text(self, file: PurePosixPath) -> str:
        """Returns a text file; raises RecordError if it is too long or not UTF-8."""
        try:
            return self.read_bytes(file).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RecordError(f"the file is not UTF-8 text ({error}).") from error

    def json(self, file: PurePosixPath) -> Any:  # noqa: ANN401
        """Returns a JSON file's value, read once; raises RecordError if it is none."""
        if file not in self._json:
            try:
                self._json[file] = json.loads(self.read_text(file))
            except (ValueError, RecursionError) as error:
                raise RecordError(f"the file is no JSON ({error}).") from error
        return self._json[file]

    def jsons(self) -> Iterator[tuple[PurePosixPath, Any]]:
        """Yields every JSON file that can be read, with its value."""
        for file in self.named(".json"):
            try:
                yield file, self.json(file)
            except RecordError:
                continue

    def rows(self, file: PurePosixPath) -> Iterator[tuple[str, Any]]:
        """Yields the rows of a JSON list or of JSON lines, each with its place in words.

        A line that is no JSON comes as the RecordError that says so.
        """
        if file.suffix.lower() == ".json":
            value = self.json(file)
            for index, row in enumerate(value if isinstance(value, list) else []):
                yield f"item {index + 1}", row
            return
        for index, line in enumerate(self.read_text(file).splitlines()):
            if line.strip():
                try:
                    yield f"line {index + 1}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"line {index + 1}", RecordError(f"the line is no JSON ({error}).")

    def first_rows(self, count: int = 20) -> Iterator[tuple[PurePosixPath, list[Any]]]:
        """Yields every file of rows with its first readable objects, to recognise it by."""
        for file in self.named(".jsonl", ".json"):
            try:
                rows = [row for _, row in zip(range(count), self.rows(file), strict=False)]
            except RecordError:
                continue
            yield file, [value for _, value in rows if isinstance(value, dict)]

    def picture(self, name: object, near: PurePosixPath) -> PurePosixPath:
        """Returns the picture that a name in an annotation file means.

        Args:
            name: as written: a file name, or a path that ends like the picture's.
            near: the annotation file; settles which of several pictures of one name is meant.

        Raises:
            RecordError: the name is no plain relative path, or no single picture fits.
        """
        if not isinstance(name, str) or not name or len(name) > 500 or "\0" in name:
            raise RecordError(f"{shown(name)} is no name of a picture.")
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name:
            raise RecordError(
                f"picture {shown(name)} is not a path inside the data set; write it relative to "
                "the annotation file, without '..'."
            )
        found = self._by_name.get(path.name, [])
        exact = [picture for picture in found if picture.parts[-len(path.parts) :] == path.parts]
        return _nearest(exact or found, near, name)

    def picture_by_id(self, number: object, near: PurePosixPath) -> PurePosixPath:
        """Returns the picture whose file name is an id, with or without leading zeros.

        Raises:
            RecordError: no single picture fits.
        """
        if isinstance(number, bool) or not isinstance(number, int | str):
            raise RecordError(f"{shown(number)} is no picture's id.")
        return _nearest(self._by_id.get(_plain_id(str(number)), []), near, str(number))

    def size(self, picture: PurePosixPath) -> Size:
        """Returns a picture's upright size from its header; raises RecordError if it has none."""
        if picture not in self._sizes:
            self._sizes[picture] = upright_size(self.root / picture)
        return self._sizes[picture]


def split_of(path: PurePosixPath) -> str:
    """Returns `train`, `val` or `test` if a path says so, the file's own name first; else empty.

    Example:
        >>> split_of(PurePosixPath("annotations/instances_val2017.json"))
        'val'
    """
    for part in (path.stem, *reversed(path.parts[:-1])):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in _SPLIT_WORDS:
                return _SPLIT_WORDS[word]
    return ""


def _plain_id(stem: str) -> str:
    """Returns a stem without leading zeros; of COCO's names, such as COCO_val2014_0042, the id."""
    if stem.startswith("COCO_"):
        stem = stem.rsplit("_", 1)[-1]
    return stem.lstrip("0") or "0" if _ID.fullmatch(stem) else stem


def _nearest(found: list[PurePosixPath], near: PurePosixPath, name: str) -> PurePosixPath:
    """Returns the one picture, of several the one whose folders resemble the annotation's name."""
    if not found:
        raise RecordError(f"picture {shown(name)} is not among the files.")
    if len(found) == 1:
        return found[0]
    words = {*near.parts[:-1]}

    def closeness(picture: PurePosixPath) -> int:
        own = picture.parts[:-1]
        return 2 * len(words.intersection(own)) + sum(part in near.stem for part in own)

    best = max(map(closeness, found))
    fitting = [picture for picture in found if closeness(picture) == best]
    if len(fitting) > 1:
        raise RecordError(
            f"{len(fitting)} pictures are called {shown(name)}; write the folder in front."
        )
    return fitting[0]
