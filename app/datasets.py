"""Data sets to train on: imported ones on disk, what may be imported, and the corrections.

datasets/NAME/     records, pictures, report.json and contact_sheet.json, whole or not there
uploads/           archives that wait to be imported
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import words
from app.corrections import LINES
from model.errors import InputError, RecordError

if TYPE_CHECKING:
    from app.settings import Settings

Json = dict[str, Any]
CORRECTIONS = "my-corrections"
RECORDS = "records:"
"""Stands for the records that the settings name, where earlier data is chosen."""
_UPLOAD_AGE = 86_400


@dataclass(frozen=True, slots=True)
class Class:
    """How often a class of things occurs in a data set, by split."""

    name: str
    boxes: int
    pictures: int
    by_split: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not used: where it stands and why. Hostile text."""

    file: str
    row: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an import found; see `model.training.importers.report` for the fields."""

    format: str
    pictures: Mapping[str, int]
    counts: Mapping[str, int]
    classes: tuple[Class, ...]
    num_classes: int
    duplicates: int
    left_out: int
    refused: tuple[Refused, ...]
    num_refused: int
    num_lost: int
    notes: tuple[str, ...]
    round_trip_px: float
    needs_consent: bool
    usable: bool

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Report:
        """Returns the report of a parsed `report.json`; raises RecordError if it is none."""
        try:
            plain = {key: value[key] for key in cls.__slots__}
            plain["classes"] = tuple(
                Class(c["name"], c["boxes"], c["pictures"], c["boxes_by_split"])
                for c in value["classes"]
            )
            plain["refused"] = tuple(
                Refused(str(row["file"]), str(row["row"]), str(row["reason"]))
                for row in value["refused"]
            )
            plain["notes"] = tuple(map(str, value["notes"]))
            return cls(**plain)
        except (KeyError, TypeError) as error:
            raise RecordError(words.DATA_NO_REPORT.format(error=f"{error!s:.80}")) from error


@dataclass(frozen=True, slots=True)
class Dataset:
    """An imported data set."""

    name: str
    folder: Path
    made: float
    report: Report

    def sheet(self) -> Json:
        """Returns the contact sheet as the import wrote it; empty if it is lost."""
        try:
            return json.loads((self.folder / "contact_sheet.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


class Datasets:
    """The imported data sets, and what may become one.

    Args:
        settings: the folders and their limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.folder = settings.teaching / "datasets"

    def all(self) -> list[Dataset]:
        """Returns the imported data sets, newest first."""
        found = [
            dataset
            for path in self.folder.glob("*/report.json")
            if (dataset := _read(path)) is not None
        ]
        return sorted(found, key=lambda dataset: -dataset.made)

    def get(self, name: str) -> Dataset:
        """Returns one data set; raises InputError if there is none of that name."""
        for dataset in self.all():
            if dataset.name == name:
                return dataset
        raise InputError(words.DATA_UNKNOWN.format(name=f"{name!r:.60}"))

    def new_folder(self, wanted: str, taken: Collection[str] = ()) -> Path:
        """Returns a folder for a data set that is not there yet, named like its source.

        Args:
            wanted: name of a file or folder; hostile text.
            taken: names that are promised already.
        """
        stem = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:40] or "data"
        name, number = stem, 2
        while name in taken or (self.folder / name).exists():
            name, number = f"{stem}-{number}", number + 1
        return self.folder / name

    def delete(self, name: str) -> None:
        """Deletes a data set; raises InputError if there is none of that name."""
        folder = self.get(name).folder
        going = folder.with_name(f".{name}.deleted")
        shutil.rmtree(going, ignore_errors=True)
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)

    # --- earlier data ----------------------------------------------------------------------------

    def earlier(self, records: Path, without: str) -> list[str]:
        """Returns what can be taken as earlier data, the best first: `RECORDS`, or data sets.

        Args:
            records: the settings' own, which may be missing.
            without: name of the data set that is taught.
        """
        names = [item.name for item in self.all() if item.report.usable and item.name != without]
        return [RECORDS] * records.exists() + names

    def place_of(self, chosen: str, records: Path, without: str) -> Path | None:
        """Returns where chosen earlier data lies; None for none.

        Raises:
            InputError: it is what is taught itself, or not there.
        """
        if not chosen:
            return None
        if chosen == RECORDS:
            if not records.exists():
                raise InputError(words.FOLDER_MISSING.format(path=records))
            return records
        if chosen == without:
            raise InputError(words.EARLIER_SAME.format(name=chosen))
        return self.get(chosen).folder

    # --- what may be imported --------------------------------------------------------------------

    def receive(self, file: Path) -> Path:
        """Takes an uploaded archive over from the temporary files, which do not live long.

        Raises:
            InputError: it is no ZIP file, or the disk is full.
        """
        with file.open("rb") as stream:
            magic = stream.read(4)
        if magic not in {b"PK\x03\x04", b"PK\x05\x06"}:
            raise InputError(words.UPLOAD_NO_ZIP)
        folder = self._settings.teaching / "uploads"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.iterdir():
                if old.stat().st_mtime < time.time() - _UPLOAD_AGE:
                    old.unlink()
            target = folder / f"{secrets.token_hex(8)}.zip"
            shutil.move(file, target)
        except OSError as error:
            raise InputError(words.UPLOAD_FAILED.format(error=error.strerror)) from error
        return target

    def on_server(self, text: str) -> Path:
        """Returns a folder or file of this machine that the settings allow to import.

        Raises:
            InputError: it lies outside the allowed folders, or is not there.
        """
        roots = [Path(root).resolve() for root in self._settings.dataset_roots]
        allowed = ", ".join(map(str, roots))
        try:
            path = Path(text.strip()).expanduser().resolve()
            inside = bool(text.strip()) and any(path.is_relative_to(root) for root in roots)
        except (OSError, ValueError, RuntimeError):
            inside, path = False, Path()
        if not inside:
            raise InputError(words.FOLDER_OUTSIDE.format(roots=allowed))
        if not path.exists():
            raise InputError(words.FOLDER_MISSING.format(path=path))
        return path

    def num_corrections(self) -> int:
        """Returns how many examples are saved, without checking them."""
        try:
            with (self._settings.corrections / LINES).open("rb") as file:
                return sum(not line.isspace() for line in file)
        except OSError:
            return 0

    def corrections(self) -> tuple[Path, str]:
        """Returns the folder of corrections and the name of a data set made of them as they are.

        The name changes with every correction, so that a data set is never out of date.

        Raises:
            InputError: nothing has been corrected yet.
        """
        lines = self._settings.corrections / LINES
        try:
            status = lines.stat()
        except OSError as error:
            raise InputError(words.NO_CORRECTIONS) from error
        if not status.st_size:
            raise InputError(words.NO_CORRECTIONS)
        return lines.parent, f"{CORRECTIONS}-{status.st_mtime_ns % 16**8:08x}"


def _read(path: Path) -> Dataset | None:
    """Returns the data set of a report, or None if it is none."""
    folder = path.parent
    if folder.name.startswith("."):
        return None
    try:
        report = Report.of(json.loads(path.read_text(encoding="utf-8")))
        return Dataset(folder.name, folder, path.stat().st_mtime, report)
    except (OSError, ValueError, RecordError):
        return None
