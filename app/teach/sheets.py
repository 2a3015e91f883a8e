"""Pictures of a data set with boxes drawn: contact sheet, validation samples, before and after.

What is drawn comes from JSON that an import or a run has written; a picture or box that cannot be
read is left out, so that a damaged file never keeps the rest from being seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from app import render, words
from app.phrases import clip
from app.theme import colour
from model.errors import DeixisError, RegionError
from model.types import Box

Json = dict[str, Any]
SIDE = 420
"""Longer side in pixels at which the pictures are drawn."""

LABELS = 10
"""With more boxes than this in a picture only the colours tell what they are."""

MOST_PICTURES, NUM_SAMPLES = 12, 6
_GREY = (114, 114, 114)
_FAULTS = (KeyError, TypeError, ValueError, AttributeError, OSError, DeixisError)


@dataclass(slots=True)
class _Legend:
    """Gives each label a number, and so a colour, that is the same in all pictures."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, label: str) -> int:
        return self.numbers.setdefault(label, len(self.numbers) + 1)

    def to_json(self) -> list[Json]:
        return [
            {"label": clip(label), "color": colour(number - 1)}
            for label, number in list(self.numbers.items())[:24]
        ]


def contact_sheet(value: Mapping[str, Any], folder: Path) -> Json:
    """Returns an album of pictures as the model is shown them: in its square, boxes redrawn.

    Args:
        value: a parsed `contact_sheet.json`.
        folder: of the data set.
    """
    legend = _Legend()
    items: list[Json] = []
    for item in _each(value):
        try:
            canvas = [float(side) for side in item["canvas"]]
            things = [
                replace(thing, box=_inside(thing.box, canvas))
                for thing in _things(item["boxes"], legend, 0.0)
            ]
            scene = _letterboxed(_picture(folder, item), canvas)
            alt = words.counted(words.SHEET_ALT, len(things), split=item["split"])
            items.append({"title": "", "pictures": [_shot(scene, things, alt, "")]})
        except _FAULTS:
            continue
    return {"items": items, "legend": legend.to_json()}


def samples(value: Mapping[str, Any], folder: Path) -> Json:
    """Returns an album of validation pictures: what is true beside what was predicted."""
    columns = (("truth", words.TRUTH), ("prediction", words.PREDICTION))
    return _columns(value, folder, columns, float(value.get("threshold") or 0.0), NUM_SAMPLES)


def board(value: Mapping[str, Any], folder: Path) -> Json:
    """Returns an album of the same pictures before and after, the worst regression first."""
    columns = (("truth", words.TRUTH), ("before", words.BEFORE), ("after", words.AFTER))
    return _columns(value, folder, columns, 0.0, MOST_PICTURES)


def _columns(
    value: Mapping[str, Any],
    folder: Path,
    columns: Sequence[tuple[str, str]],
    threshold: float,
    most: int,
) -> Json:
    legend, items = _Legend(), []
    for item in _each(value)[:most]:
        try:
            picture = _picture(folder, item)
            shots = []
            for key, caption in columns:
                things = list(_things(item[key], legend, threshold))
                alt = words.counted(words.SHOT_ALT, len(things), what=caption)
                shots.append(_shot(picture, things, alt, caption))
            items.append({"title": _change(item), "pictures": shots})
        except _FAULTS:
            continue
    return {"items": items, "legend": legend.to_json()}


def _each(value: Mapping[str, Any]) -> Sequence[Any]:
    pictures = value.get("pictures")
    return pictures[:MOST_PICTURES] if isinstance(pictures, list) else []


def _things(rows: Sequence[Any], legend: _Legend, threshold: float) -> Iterator[render.Thing]:
    for row in rows:
        label, score = str(row["label"]), row.get("score")
        if score is not None and float(score) < threshold:
            continue
        text = label if score is None else f"{clip(label, 18)} {float(score):.2f}"
        try:
            box = Box.parse(row["box"]).as_tuple()
        except RegionError:  # a box without area
            continue
        yield render.Thing(legend.number(label), box, text)


def _change(item: Mapping[str, Any]) -> str:
    if "before_f1" not in item:
        return ""
    before, after = float(item["before_f1"]), float(item["after_f1"])
    verdict = words.WORSE if after < before else words.BETTER if after > before else words.SAME
    return words.CHANGE.format(before=before, after=after, verdict=verdict)


def _picture(folder: Path, item: Mapping[str, Any]) -> Image.Image:
    """Returns a picture of a data set; raises ValueError for a path that leads out of it."""
    path = (folder / str(item["image"])).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(words.DATA_OUTSIDE)
    with Image.open(path) as file:
        file.draft("RGB", (2 * SIDE, 2 * SIDE))
        return file.convert("RGB")


def _letterboxed(picture: Image.Image, canvas: Sequence[float]) -> Image.Image:
    """Returns the square that the model is shown.

    Args:
        picture: of any size.
        canvas: where it lies in the square, x, y, width, height as shares of the side.
    """
    x, y, width, height = (round(share * SIDE) for share in canvas)
    square = Image.new("RGB", (SIDE, SIDE), _GREY)
    square.paste(picture.resize((max(1, width), max(1, height)), Image.Resampling.BILINEAR), (x, y))
    return square


def _inside(
    box: tuple[float, float, float, float], canvas: Sequence[float]
) -> tuple[float, float, float, float]:
    x, y, width, height = canvas
    x0, y0, x1, y1 = box
    return x + x0 * width, y + y0 * height, x + x1 * width, y + y1 * height


def _shot(picture: Image.Image, things: list[render.Thing], alt: str, caption: str) -> Json:
    style = render.Style("box", labels=len(things) <= LABELS, side=SIDE, unit=0.9)
    drawn = render.draw_boxes(picture, things, style)
    return {"src": render.data_url(drawn), "alt": alt, "caption": caption}
