"""What a person takes home: COCO JSON, JSONL of examples, CSV, a drawn picture.

All of it starts from `Entry`s: a turn with the name and size of its picture. Names, questions and
answers are hostile text; each format neutralises what could run in whatever opens it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from io import BytesIO, StringIO
from itertools import chain
from typing import Any, NamedTuple

from PIL import Image

from app import render
from model.turns import example_to_json, mask_to_rle
from model.types import Answer, Box, Example, Grounding, Keypoints, Mask, Size, Turn

Json = dict[str, Any]

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's names of a person's key points, in its order."""

SEEN = 0.3
"""Score from which a joint counts as visible."""

_FORMULA = re.compile(r"^[\s\x00-\x1f\u200b-\u200f\ufeff]*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")


class Entry(NamedTuple):
    """A turn of a conversation and the picture it is about.

    Attributes:
        picture: file name or title; the same name means the same picture.
        size: of the picture in pixels.
        turn: question, regions and answer.
    """

    picture: str
    size: Size
    turn: Turn


def examples(entries: Iterable[Entry]) -> list[Example]:
    """Returns one example per picture with all its turns, in order of first mention."""
    found: dict[tuple[str, Size], list[Turn]] = {}
    for entry in entries:
        found.setdefault((entry.picture, entry.size), []).append(entry.turn)
    return [Example(name, size, tuple(turns)) for (name, size), turns in found.items()]


def jsonl(entries: Iterable[Entry]) -> str:
    """Returns one JSON line per picture, as training imports it."""
    return "".join(
        json.dumps(example_to_json(example), ensure_ascii=False, allow_nan=False) + "\n"
        for example in examples(entries)
    )


def coco(entries: Iterable[Entry]) -> Json:
    """Returns a COCO data set: boxes in pixels, masks as run lengths, key points of persons.

    A phrase is a category, in lower case; the same box of the same category is kept once, with its
    best score. Scores lie beside `bbox`, as in COCO's result files.
    """
    images: list[Json] = []
    categories: dict[str, int] = {}
    annotations: list[Json] = []
    for number, example in enumerate(examples(entries), start=1):
        images.append(
            {
                "id": number,
                "file_name": example.picture,
                "width": example.size.width,
                "height": example.size.height,
            }
        )
        for (name, _), best in _best(example).items():
            category = categories.setdefault(name, len(categories) + 1)
            record = {"id": len(annotations) + 1, "image_id": number, "category_id": category}
            annotations.append(record | _annotation(best, example.size))
    return {
        "info": {"description": "Exported from Deixis"},
        "licenses": [],
        "images": images,
        "categories": [
            {"id": number, "name": name, **_pose_fields(name, number, annotations)}
            for name, number in categories.items()
        ],
        "annotations": annotations,
    }


class Found(NamedTuple):
    """One box of a phrase with all that belongs to it."""

    box: Box
    score: float
    mask: Mask | None
    pose: Keypoints | None


def _best(example: Example) -> dict[tuple[str, Box], Found]:
    """Returns what was found on a picture, once for each name and box."""
    best: dict[tuple[str, Box], Found] = {}
    for turn in example.turns:
        for grounding in turn.answer.groundings:
            name = " ".join(grounding.phrase.text.casefold().split()) or "thing"
            for found in founds(grounding):
                known = best.get((name, found.box))
                if known is None or found.score > known.score:
                    best[name, found.box] = found
    return best


def founds(grounding: Grounding) -> Iterable[Found]:
    """Yields the boxes of a phrase."""
    for place, (box, score) in enumerate(zip(grounding.boxes, grounding.scores, strict=True)):
        yield Found(
            box,
            score,
            grounding.masks[place] if place < len(grounding.masks) else None,
            grounding.keypoints[place] if place < len(grounding.keypoints) else None,
        )


def _annotation(found: Found, size: Size) -> Json:
    """Returns the fields of a COCO annotation that say where something is."""
    x, y, width, height = pixels(found.box, size)
    out: Json = {
        "bbox": [x, y, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": round(found.score, 5),
    }
    if found.mask is not None:
        out["segmentation"] = mask_to_rle(found.mask)
        out["area"] = int(found.mask.pixels.sum())
    if found.pose is not None and len(found.pose.points) == len(JOINTS):
        joints = [
            (round(x * size.width, 2), round(y * size.height, 2), 2) if v >= SEEN else (0, 0, 0)
            for x, y, v in found.pose.points
        ]
        out |= {"keypoints": list(chain(*joints)), "num_keypoints": sum(j[2] > 0 for j in joints)}
    return out


def _pose_fields(name: str, category: int, annotations: Sequence[Json]) -> Json:
    """Returns the names and bones of key points, for a category that has any."""
    if not any("keypoints" in a and a["category_id"] == category for a in annotations):
        return {}
    return {
        "keypoints": list(JOINTS),
        "skeleton": [list(edge) for edge in render.COCO_EDGES],
        "supercategory": name,
    }


def pixels(box: Box, size: Size) -> tuple[float, float, float, float]:
    """Returns x, y, width and height of a box in pixels, to a hundredth."""
    x0, y0 = box.x0 * size.width, box.y0 * size.height
    return (
        round(x0, 2),
        round(y0, 2),
        round(box.x1 * size.width - x0, 2),
        round(box.y1 * size.height - y0, 2),
    )


def table(entries: Iterable[Entry]) -> str:
    """Returns CSV with a row for each box, and one for each answer without boxes.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front; all text is in
    quotes, so that other separators do not start cells either.
    """
    out = StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(
        ("picture", "turn", "question", "answer", "phrase", "x", "y", "width", "height", "score")
    )
    turns: dict[str, int] = {}
    for picture, size, turn in entries:
        turns[picture] = turns.get(picture, 0) + 1
        said = [inert(turn.question), inert(turn.answer.text)]
        head = [inert(picture), turns[picture], *said]
        rows = [
            [inert(grounding.phrase.text), *pixels(found.box, size), round(found.score, 5)]
            for grounding in turn.answer.groundings
            for found in founds(grounding)
        ]
        writer.writerows([*head, *row] for row in rows or [["", "", "", "", "", ""]])
    return out.getvalue()


def inert(text: str) -> str:
    """Returns text that no spreadsheet takes for a formula; other text is unchanged."""
    return f"'{text}" if _FORMULA.match(text) else text


def annotated(
    picture: Image.Image,
    answer: Answer,
    kind: str = "PNG",
    threshold: float = 0.0,
    style: render.Style | None = None,
) -> bytes:
    """Returns the picture with the answer drawn on it, as the page shows it; PNG or JPEG."""
    drawn = render.annotate(picture, answer, threshold, style)
    if kind == "JPEG":
        return render.jpeg(drawn, 92)
    out = BytesIO()
    drawn.save(out, "PNG", compress_level=4)
    return out.getvalue()
