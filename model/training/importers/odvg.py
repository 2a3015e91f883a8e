"""ODVG, the JSON lines of Grounding DINO's training data: boxes of classes, or of phrases.

Boxes are x0, y0, x1, y1 in pixels. `label_map.json` may name the class numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from model.errors import RecordError
from model.training.importers.draft import (
    Draft,
    DraftObject,
    DraftPhrase,
    Json,
    Rows,
    drafts_of_rows,
    fits_first,
)
from model.training.importers.examples import plain_label
from model.training.importers.source import Source, split_of
from model.training.importers.values import from_corners, label_of, shown, size_of, text_of


def _fits(row: Json) -> bool:
    return "filename" in row and ("detection" in row or "grounding" in row)


class Odvg:
    """Reads ODVG JSON lines."""

    name = "odvg"
    needs = "a .jsonl file of rows with `filename` and `detection` or `grounding`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows have the keys of ODVG."""
        return fits_first(source, _fits)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each row."""
        make = partial(_draft, source, rows, _label_map(source))
        yield from drafts_of_rows(source, rows, _fits, make)


def _label_map(source: Source) -> dict[str, str]:
    """Returns class names by their number as text, of the file that maps numbers to names."""
    for _, value in source.jsons():
        if (
            isinstance(value, dict)
            and value
            and all(key.isdecimal() and isinstance(name, str) for key, name in value.items())
        ):
            return value
    return {}


def _draft(
    source: Source,
    rows: Rows,
    names: dict[str, str],
    row: Json,
    file: PurePosixPath,
    place: str,
) -> Draft:
    draft = Draft(
        source.picture(row["filename"], file),
        file,
        place,
        stated=size_of(row.get("width"), row.get("height")),
        split=split_of(file),
        exhaustive="detection" in row,
    )
    if "detection" in row:
        for number, instance in enumerate(row["detection"]["instances"]):
            num_refused = rows.num_refused
            with rows.guard(file, f"{place}, instance {number + 1}"):
                name = instance.get("category") or names.get(str(instance["label"]))
                bbox = from_corners(instance["bbox"])
                draft.add_object(
                    DraftObject(label_of(name), bbox, f"{place}, instance {number + 1}")
                )
            draft.exhaustive &= rows.num_refused == num_refused
    if "grounding" in row:
        _ground(row["grounding"], draft, rows)
    return draft


def _ground(grounding: Json, draft: Draft, rows: Rows) -> None:
    """Adds a caption and its phrases to a draft."""
    text = text_of(grounding["caption"])
    caption, cursor = draft.add_caption(text), 0
    for number, region in enumerate(grounding["regions"]):
        row = f"{draft.row}, region {number + 1}"
        with rows.guard(draft.file, row):
            phrase = text_of(region["phrase"])
            boxes = region["bbox"]
            boxes = boxes if boxes and isinstance(boxes[0], list) else [boxes]
            objects = [
                draft.add_object(DraftObject(plain_label(phrase), from_corners(box), row))
                for box in boxes
            ]
            spans = _spans(region, text, phrase, cursor)
            for start, end in spans:
                draft.grounded.append(DraftPhrase(caption, start, end, objects))
                cursor = end
            if not spans:
                rows.note("A phrase is not in its caption; only its boxes were used.")


def _spans(region: Json, text: str, phrase: str, cursor: int) -> list[tuple[int, int]]:
    """Returns the characters of a phrase: as stated, else where it comes next in the caption."""
    stated = region.get("tokens_positive")
    if stated:
        spans = [(int(start), int(end)) for start, end in stated]
        if not all(0 <= start < end <= len(text) for start, end in spans):
            raise RecordError(f"tokens_positive {shown(stated)} lies outside the caption.")
        return spans
    folded = text.casefold() if len(text.casefold()) == len(text) else text
    start = folded.find(phrase.casefold(), cursor)
    start = start if start >= 0 else folded.find(phrase.casefold())
    return [(start, start + len(phrase))] if start >= 0 else []
