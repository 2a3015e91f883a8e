"""Imports a data set: finds the format, reads, checks, divides, and writes one folder.

The folder holds `train.jsonl`, `val.jsonl` and, if the data set brought held-out pictures,
`test.jsonl` (records, as `model.records` reads them), `pictures/`, `report.json`, `report.txt` and
`contact_sheet.json`. It appears whole or not at all.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from model.counts import Forms, counted
from model.errors import ConfigError, RecordError
from model.records import Record, record_from_json
from model.training import split
from model.training.archive import unpack
from model.training.disk import full_disk_told
from model.training.importers import sheet
from model.training.importers.coco import Coco
from model.training.importers.draft import FAULTS, Draft, Importer, Json, Rows, reason_of
from model.training.importers.flickr import FlickrEntities
from model.training.importers.genome import Genome
from model.training.importers.narratives import Narratives
from model.training.importers.odvg import Odvg
from model.training.importers.pictures import store
from model.training.importers.record import RecordWriter
from model.training.importers.refcoco import RefCoco
from model.training.importers.report import MAX_CLASSES, ImportReport, class_counts, contents
from model.training.importers.sharegpt import ShareGpt
from model.training.importers.source import Source
from model.training.importers.turns import Records, Turns
from model.training.importers.voc import Voc
from model.training.importers.yolo import Yolo
from model.vocabulary import LABEL_SPACES

IMPORTERS: tuple[Importer, ...] = (
    *(Records(), Turns(), Odvg(), ShareGpt(), Narratives(), RefCoco(), Genome(), FlickrEntities()),
    *(Coco(), Voc(), Yolo()),
    *(ShareGpt(f"sharegpt-{unit}", unit) for unit in ("pixels", "1000", "unit")),
)
"""Every format, in the order in which a data set is tried: the particular before the general."""

FORMATS = tuple(importer.name for importer in IMPORTERS)

THUMBNAILS = "thumbnails"
"""Folder of small copies beside saved corrections; nobody expects annotations of them."""

_UNUSED: Forms = (
    "{count} picture has no annotations, or refused ones.",
    "{count} pictures have no annotations, or refused ones.",
)
_ASTRAY: Forms = (
    "{count} link that leads out of the folder was ignored.",
    "{count} links that lead out of the folder were ignored.",
)


def import_dataset(
    source: Path,
    out: Path,
    *,
    format: str = "auto",
    val_share: float = 0.2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Writes a data set folder from foreign files and returns what was found.

    Args:
        source: a folder, a ZIP archive, or one annotation file with its pictures beside it.
        out: the new folder; it must not exist, or be empty.
        format: one of `FORMATS`, or `auto` to look at the files.
        val_share: of the pictures that are not held out already, how many become `val`.
        seed: of the split and of the contact sheet.
        progress: called with pictures done and pictures in all.

    Raises:
        ConfigError: `out` is taken, or `format` or `val_share` is impossible.
        RecordError: the whole source cannot be used; single bad rows are in the report instead.
    """
    if not 0.0 <= val_share <= 1.0:
        raise ConfigError(f"val_share is {val_share}; choose a share from 0 to 1.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; choose another folder or delete it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        full_disk_told("make room and import again", RecordError),
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".import-") as made,
    ):
        staging = Path(made, "data")
        (staging / "pictures").mkdir(parents=True)
        if zipfile.is_zipfile(source):
            unpack(source, Path(made, "unpacked"))
            source = Path(made, "unpacked")
        job = _Import(Source(source), staging, _space_name(out.name), seed)
        job.read(format)
        job.write(progress)
        report = job.finish(val_share)
        if out.exists():
            out.rmdir()
        staging.rename(out)
    return report


def _space_name(name: str) -> str:
    """Returns a folder's name as the name of a label space that nobody else has."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "imported"
    return f"{plain}-imported" if plain in LABEL_SPACES else plain


def choose_importer(source: Source, format: str) -> Importer:
    """Returns the importer of a format, or the first that recognises the files.

    Raises:
        ConfigError: the format is unknown.
        RecordError: no importer recognises the files.
    """
    if format != "auto":
        for importer in IMPORTERS:
            if importer.name == format:
                return importer
        raise ConfigError(f"format is {format!r:.40}; choose auto or one of {', '.join(FORMATS)}.")
    for importer in IMPORTERS:
        try:
            if importer.recognises(source):
                return importer
        except FAULTS:
            continue
    needs = "; ".join(f"{importer.name}: {importer.needs}" for importer in IMPORTERS[:11])
    raise RecordError(f"No known format was found among the files. They are known by: {needs}.")


@dataclass(slots=True)
class _Import:
    """One import while it runs."""

    source: Source
    folder: Path
    space: str
    seed: int
    rows: Rows = field(default_factory=Rows)
    format: str = ""
    drafts: dict[PurePosixPath, Draft] = field(default_factory=dict)
    items: list[split.Item] = field(default_factory=list)
    round_trip_px: float = 0.0

    def read(self, format: str) -> None:
        """Reads the annotation files, bringing together what they say about each picture."""
        importer = choose_importer(self.source, format)
        self.format = importer.name
        try:
            for draft in importer.read(self.source, self.rows):
                known = self.drafts.setdefault(draft.picture, draft)
                if known is not draft:
                    with self.rows.guard(draft.file, draft.row, len(draft.objects)):
                        known.merge(draft)
        except FAULTS as error:
            raise RecordError(f"{importer.name}: {reason_of(error)}") from error
        unused = sum(
            picture not in self.drafts and picture.parent.name != THUMBNAILS
            for picture in self.source.pictures
        )
        if unused and self.drafts:
            self.rows.note(counted(_UNUSED, unused))
        if self.source.skipped:
            self.rows.note(counted(_ASTRAY, self.source.skipped))

    def write(self, progress: Callable[[int, int], None] | None) -> None:
        """Stores the pictures and writes the records, still undivided."""
        labels = {t.label for d in self.drafts.values() if d.exhaustive for t in d.objects}
        space = next((n for n, names in LABEL_SPACES.items() if {*names} == labels), self.space)
        writer = RecordWriter(self.rows, space, self.source.limits.objects)
        with self._path().open("w", encoding="utf-8") as lines:
            for number, draft in enumerate(self.drafts.values(), 1):
                with self.rows.guard(draft.file, draft.row, len(draft.objects)):
                    lines.write(self._line(draft, writer, f"{self.space}-{number:06d}"))
                if progress:
                    progress(number, len(self.drafts))
        if writer.num_corners > 0.2 * max(writer.num_objects, 1):
            self.rows.note(
                f"{writer.num_cut} of {writer.num_objects} boxes reach beyond their pictures, but "
                "would fit as x0, y0, x1, y1: the file seems to hold corners where x, y, width, "
                "height are expected. Look at the contact sheet."
            )

    def _path(self) -> Path:
        return self.folder / "undivided.jsonl"

    def _line(self, draft: Draft, writer: RecordWriter, identifier: str) -> str:
        """Stores a draft's picture and returns its record's line."""
        path, folder = self.source.root / draft.picture, self.folder / "pictures"
        stored = store(path, folder, identifier, draft.stated, self.source.limits.pixels)
        try:
            value, boxes_px = writer.write(draft, stored, identifier)
            line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
            record = record_from_json(value, self.folder)
        except FAULTS:
            (folder / stored.name).unlink()
            raise
        off_px = sheet.round_trip_px(record, boxes_px, sheet.side_of_canvas())
        self.round_trip_px = max(self.round_trip_px, off_px)
        labels = Counter(thing.label for thing in record.objects)
        self.items.append(split.Item(identifier, stored.pixels, labels, draft.split))
        return line

    def finish(self, val_share: float) -> ImportReport:
        """Divides the records, draws the contact sheet and writes the report."""
        splits = split.assign(self.items, val_share, self.seed)
        used = [item for item in self.items if splits[item.id]]
        chosen = sheet.choose([frozenset(item.labels) for item in used], self.seed)
        wanted = {used[number].id for number in chosen}
        shown: list[tuple[Record, str]] = []
        counts: Counter[str] = Counter()
        for value in self._divide(splits):
            counts.update(contents(value))
            if value["id"] in wanted:
                shown.append((record_from_json(value, self.folder), value["split"]))
        side = sheet.side_of_canvas()
        painted = (sheet.painted_px(record, side) for record, _ in shown)
        self.round_trip_px = max([self.round_trip_px, *painted])
        report = self._report(splits, counts)
        _write_json(self.folder / "report.json", report.to_json())
        (self.folder / "report.txt").write_text(report.to_text(), encoding="utf-8")
        sheet_json = sheet.sheet_json(shown, side, self.round_trip_px)
        _write_json(self.folder / "contact_sheet.json", sheet_json)
        return report

    def _divide(self, splits: dict[str, str]) -> Iterator[Json]:
        """Writes each record into its split's file and yields it; deletes what is left out."""
        names = [split.TRAIN, split.VAL, *{split.TEST}.intersection(splits.values())]
        files = {n: (self.folder / f"{n}.jsonl").open("w", encoding="utf-8") for n in names}
        try:
            with self._path().open(encoding="utf-8") as lines:
                for line in lines:
                    value = json.loads(line)
                    value["split"] = splits[value["id"]]
                    if not value["split"]:
                        (self.folder / value["image"]).unlink()
                        continue
                    files[value["split"]].write(json.dumps(value, ensure_ascii=False) + "\n")
                    yield value
        finally:
            for file in files.values():
                file.close()
        self._path().unlink()

    def _report(self, splits: dict[str, str], counts: Counter[str]) -> ImportReport:
        used = [item for item in self.items if splits[item.id]]
        classes = class_counts((item.labels, splits[item.id]) for item in used)
        return ImportReport(
            name=self.space,
            format=self.format,
            pictures=dict(Counter(splits[item.id] for item in used)),
            counts=dict(counts),
            classes=tuple(classes[:MAX_CLASSES]),
            num_classes=len(classes),
            duplicates=len(self.items) - len({item.pixels for item in self.items}),
            left_out=len(self.items) - len(used),
            refused=tuple(self.rows.refused),
            num_refused=self.rows.num_refused,
            num_lost=self.rows.num_lost,
            notes=self.rows.notes,
            round_trip_px=round(self.round_trip_px, 4),
        )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def read_lines(folder: Path, names: Iterable[str] = ("train", "val", "test")) -> Iterator[Json]:
    """Yields the lines of a data set folder as JSON, split by split."""
    for name in names:
        path = folder / f"{name}.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as lines:
                yield from (json.loads(line) for line in lines)
