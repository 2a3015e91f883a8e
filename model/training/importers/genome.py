"""Visual Genome: `region_descriptions.json`, boxes with a phrase that describes each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from model.training.importers.draft import (
    Draft,
    DraftObject,
    DraftRef,
    Json,
    Rows,
    drafts_of_rows,
    fits_first,
)
from model.training.importers.examples import plain_label
from model.training.importers.source import Source
from model.training.importers.values import bbox_of, text_of


def _fits(row: Json) -> bool:
    regions = row.get("regions")
    return isinstance(regions, list) and any("phrase" in r for r in regions if isinstance(r, dict))


class Genome:
    """Reads Visual Genome's region descriptions."""

    name = "genome"
    needs = "region_descriptions.json, a list of pictures with `regions` and their `phrase`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows have described regions."""
        return fits_first(source, _fits)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each row; a phrase names its box and refers to it."""

        def make(row: Json, file: PurePosixPath, place: str) -> Draft:
            identifier = row.get("id", row.get("image_id"))
            draft = Draft(source.picture_by_id(identifier, file), file, place)
            for number, region in enumerate(row["regions"], 1):
                with rows.guard(file, f"{place}, region {number}"):
                    _add(region, draft, f"{place}, region {number}")
            return draft

        yield from drafts_of_rows(source, rows, _fits, make)


def _add(region: Json, draft: Draft, row: str) -> None:
    phrase = text_of(region["phrase"]).strip()
    bbox = bbox_of([region[key] for key in ("x", "y", "width", "height")])
    index = draft.add_object(DraftObject(plain_label(phrase), bbox, row))
    draft.refs.append(DraftRef(phrase.rstrip(" ."), index, "region"))
