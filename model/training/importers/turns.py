"""Our own forms: corrections (chat turns in JSON lines) and data sets that were imported before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from model.errors import RecordError
from model.training.importers.draft import (
    Draft,
    DraftObject,
    DraftPhrase,
    DraftRef,
    Json,
    Rows,
    drafts_of_rows,
    fits_first,
)
from model.training.importers.examples import draft_of
from model.training.importers.source import Source
from model.training.importers.values import bbox_of, label_of, shown, size_of
from model.turns import example_from_json


class Turns:
    """Reads examples: the JSON lines that corrections are saved as."""

    name = "turns"
    needs = "a .jsonl file of rows with `picture` and `turns`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows are examples."""
        return fits_first(source, _is_example)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each row."""

        def make(row: Json, file: PurePosixPath, place: str) -> Draft:
            example = example_from_json(row)
            return draft_of(example, source.picture(example.picture, file), file, place)

        yield from drafts_of_rows(source, rows, _is_example, make)


def _is_example(row: Json) -> bool:
    return "picture" in row and isinstance(row.get("turns"), list)


class Records:
    """Reads data sets that were imported before; their split is kept."""

    name = "records"
    needs = "a .jsonl file of rows with `image`, `width` and `objects`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows are records with pictures beside it."""
        return fits_first(source, _is_record)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each row."""
        yield from drafts_of_rows(source, rows, _is_record, partial(_draft, source))


def _is_record(row: Json) -> bool:
    return {"image", "width", "height", "objects"} <= row.keys() and "shard" not in row


def _draft(source: Source, row: Json, file: PurePosixPath, place: str) -> Draft:
    split = row.get("split", "")
    if split not in ("", "train", "val", "test"):
        raise RecordError(f"split {shown(split)} is not train, val or test.")
    draft = Draft(
        source.picture(row["image"], file),
        file,
        place,
        stated=size_of(row["width"], row["height"]),
        split=split,
        exhaustive=bool(row.get("exhaustive")),
        captions=list(row.get("captions", ())),
        turns=list(row.get("turns", ())),
    )
    for number, thing in enumerate(row["objects"]):
        draft.objects.append(
            DraftObject(
                label_of(thing["label"]),
                bbox_of(thing["bbox"]),
                f"{place}, object {number + 1}",
                key=str(number),
                crowd=bool(thing.get("crowd", 0)),
                poly=list(thing.get("poly", ())),
                keypoints=list(thing.get("keypoints") or ()),
            )
        )
    draft.grounded = [
        DraftPhrase(g["caption"], g["start"], g["end"], list(g["objects"]), g.get("label", ""))
        for g in row.get("grounded", ())
    ]
    draft.refs = [DraftRef(r["text"], r["object"], str(r["kind"])) for r in row.get("refs", ())]
    return draft
