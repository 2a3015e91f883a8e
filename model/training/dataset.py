"""The data that a checkpoint is taught: a folder that `import` made, and earlier data beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.counts import Forms, counted
from model.errors import ConfigError, RecordError
from model.records import Record, read_records
from model.training.importers import ImportReport
from model.training.scenes import Scene, read_scenes

_REFUSED: Forms = ("{count} row of {folder} was refused", "{count} rows of {folder} were refused")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is taught.

    Attributes:
        name: of the data set.
        scenes: to learn from.
        val: to choose the checkpoint by.
        replay: earlier data.
        identity: changes with any of them.
    """

    name: str
    scenes: Sequence[Scene]
    val: Sequence[Record]
    replay: Sequence[Scene]
    identity: str


def read_dataset(folder: Path, replay: Path | None = None, *, accept_refused: bool) -> Dataset:
    """Returns a data set that may be trained on.

    Args:
        folder: as `import` wrote it.
        replay: a file of records, or a folder of such files, of earlier data.
        accept_refused: train on the valid rows although others were refused.

    Raises:
        ConfigError: nobody agreed to train without the refused rows.
        RecordError: the data set cannot be used.
    """
    report = read_report(folder)
    if not report.usable:
        raise RecordError(
            f"{folder} cannot be trained on: {report.pictures.get('train', 0)} pictures to learn "
            f"from, boxes come back within {report.round_trip_px} px; see its report.txt."
        )
    if report.needs_consent and not accept_refused:
        raise ConfigError(
            counted(_REFUSED, report.num_refused, folder=folder)
            + ", see its report.txt; give --accept-refused to train on the others."
        )
    files = [folder / "train.jsonl", folder / "val.jsonl"]
    earlier = record_files(replay) if replay is not None else []
    digest = hashlib.sha256()
    for path in [*files, *earlier]:
        digest.update(path.read_bytes())
    return Dataset(
        report.name,
        read_scenes(files[0]),
        list(read_records(files[1])),
        [scene for path in earlier for scene in read_scenes(path, new=False)],
        digest.hexdigest()[:16],
    )


def read_report(folder: Path) -> ImportReport:
    """Returns the report of an imported data set; raises RecordError if there is none."""
    try:
        return ImportReport.from_json(json.loads((folder / "report.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{folder} is no imported data set: {error}. Import it first.") from error


def record_files(path: Path) -> list[Path]:
    """Returns a file of records, or those of a folder that are there to learn from.

    Raises:
        RecordError: there are none.
    """
    if path.is_file():
        return [path]
    found = sorted(path.glob("*train.jsonl*"))
    if not found:
        raise RecordError(
            f"{path} holds no file of records called *train.jsonl or *train.jsonl.gz."
        )
    return found


def judged_records(
    folder: Path, split: str | None, limit: int | None = None
) -> tuple[str, list[Record]]:
    """Returns the split that a data set is judged on and its records: `test` if there is one.

    Raises:
        RecordError: there is no such split, or it is empty.
    """
    names = [split] if split else ["test", "val"]
    for name in names:
        path = folder / f"{name}.jsonl"
        if path.is_file() and (records := list(read_records(path, limit))):
            return name, records
    raise RecordError(f"{folder} has no pictures in {' or '.join(names)}; import it again.")


def earlier_records(path: Path, limit: int | None = None) -> list[Record]:
    """Returns records of earlier data to judge by: of a file, or of a data set that was imported.

    Raises:
        RecordError: there are none.
    """
    if path.is_dir():
        return judged_records(path, None, limit)[1]
    return list(read_records(path, limit))
