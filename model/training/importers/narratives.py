"""Localized Narratives: spoken captions with a mouse trace, also the form PixelLLM trains on.

Each utterance gets the box around the trace while it was spoken, so that every word has a place.
Nobody drew boxes: these are kept as word places of a caption turn, not as objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from model.backends.base import INSTRUCTIONS
from model.training.importers.draft import Draft, Json, Rows, drafts_of_rows, fits_first
from model.training.importers.source import Source, split_of
from model.training.importers.values import number, text_of
from model.turns import turn_to_json
from model.types import Answer, Box, Capability, Phrase, Turn, WordBox

_LEAST = 0.01
"""Shortest side of a word's box, a share of the picture; a mouse at rest has no extent."""

Trace = list[tuple[float, float, float]]
"""Places x, y in the unit frame, and seconds."""


def _fits(row: Json) -> bool:
    return "caption" in row and "timed_caption" in row and "traces" in row


class Narratives:
    """Reads Localized Narratives."""

    name = "narratives"
    needs = "a .jsonl file of rows with `image_id`, `caption`, `timed_caption` and `traces`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows are narratives."""
        return fits_first(source, _fits)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each narrative."""
        yield from drafts_of_rows(source, rows, _fits, partial(_draft, source, rows))


def _draft(source: Source, rows: Rows, row: Json, file: PurePosixPath, place: str) -> Draft:
    draft = Draft(source.picture_by_id(row["image_id"], file), file, place, split=split_of(file))
    caption = text_of(row["caption"])
    draft.add_caption(caption)
    words = tuple(_word_boxes(caption, row, rows))
    answer = Answer(caption, word_boxes=words)
    draft.turns.append(turn_to_json(Turn(INSTRUCTIONS[Capability.CAPTION], answer)))
    return draft


def _word_boxes(caption: str, row: Json, rows: Rows) -> Iterator[WordBox]:
    trace: Trace = [
        (number(place["x"]), number(place["y"]), number(place["t"]))
        for stroke in row["traces"]
        for place in stroke
    ]
    folded, cursor = caption.casefold(), 0
    if len(folded) != len(caption):
        folded = caption
    for spoken in row["timed_caption"]:
        utterance = text_of(spoken["utterance"]).strip().strip(".,").casefold()
        start = folded.find(utterance, cursor)
        if not utterance or start < 0:
            rows.note("An utterance is not in its caption and was passed over.")
            continue
        cursor = start + len(utterance)
        box = _box(trace, number(spoken["start_time"]), number(spoken["end_time"]))
        if box is not None:
            yield WordBox(Phrase(caption[start:cursor], start, cursor), box)


def _box(trace: Trace, begin: float, end: float) -> Box | None:
    """Returns the box around the trace between two moments; None where the mouse was not there."""
    xs = [min(max(x, 0.0), 1.0) for x, _, moment in trace if begin <= moment <= end]
    ys = [min(max(y, 0.0), 1.0) for _, y, moment in trace if begin <= moment <= end]
    if not xs:
        return None
    (x0, x1), (y0, y1) = _widened(min(xs), max(xs)), _widened(min(ys), max(ys))
    return Box(x0, y0, x1, y1)


def _widened(low: float, high: float) -> tuple[float, float]:
    """Returns a range within [0, 1] that is at least `_LEAST` long."""
    short = max(0.0, _LEAST - (high - low)) / 2
    low = min(max(low - short, 0.0), 1.0 - _LEAST)
    return low, min(max(high + short, low + _LEAST), 1.0)
