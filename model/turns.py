"""The JSON form of answers, turns and examples, shared by corrections, importers, predict, export.

Masks are run-length encoded column by column as COCO does it, uncompressed:
`{"size": [H, W], "counts": [...]}`, starting with the zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model.errors import RecordError, RegionError
from model.types import (
    Answer,
    Box,
    Example,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Point,
    Points,
    Region,
    Scribble,
    Shape,
    Size,
    Turn,
    WordBox,
)

Json = dict[str, Any]

MAX_MASK_PIXELS = 100_000_000
"""Largest mask that is read; a few bytes of run lengths can stand for any number of pixels."""


def mask_to_rle(mask: Mask) -> Json:
    """Returns the column-major run lengths of a mask.

    Example:
        >>> mask_to_rle(Mask(np.array([[False, True], [True, True]])))
        {'size': [2, 2], 'counts': [1, 3]}
    """
    flat = mask.pixels.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": list(mask.pixels.shape), "counts": [0, *counts] if flat[0] else counts}


def mask_from_rle(rle: Json) -> Mask:
    """Returns the mask of run lengths.

    Raises:
        RecordError: the run lengths do not add up to the mask's area, or it is too large.
    """
    try:
        height, width = (int(side) for side in rle["size"])
        counts = np.asarray(rle["counts"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"A mask is run lengths and a size; got {rle!r:.80}.") from error
    area = height * width
    if min(height, width) < 1 or area > MAX_MASK_PIXELS:
        raise RecordError(
            f"A mask has 1 to {MAX_MASK_PIXELS:,} pixels; got {height}×{width} (height×width)."
        )
    # Single runs are bounded first, so that the sum cannot overflow.
    if counts.ndim != 1 or ((counts < 0) | (counts > area)).any() or counts.sum() != area:
        raise RecordError(f"Run lengths of a {height}×{width} mask must add up to its area.")
    values = np.arange(len(counts)) % 2 == 1
    return Mask(np.repeat(values, counts).reshape((height, width), order="F"))


def shape_to_json(shape: Shape) -> Json:
    """Returns a drawn shape as JSON with one key that names its kind."""
    match shape:
        case Points(points):
            return {"points": [[p.x, p.y, int(p.positive)] for p in points]}
        case Box():
            return {"box": list(shape.as_tuple())}
        case Scribble(path, width):
            return {"scribble": [list(place) for place in path], "width": width}
        case Mask():
            return {"mask": mask_to_rle(shape)}


def shape_from_json(value: Json) -> Shape:
    """Returns the shape of `shape_to_json`; loose boxes are ordered and clipped.

    Raises:
        RegionError: unknown kind, or numbers that are no shape.
    """
    try:
        if "points" in value:
            return Points(tuple(Point(x, y, bool(positive)) for x, y, positive in value["points"]))
        if "box" in value:
            return Box.parse(value["box"])
        if "scribble" in value:
            return Scribble(
                tuple((x, y) for x, y in value["scribble"]), float(value.get("width", 0.02))
            )
        if "mask" in value:
            return mask_from_rle(value["mask"])
    except (TypeError, ValueError, KeyError, RecordError) as error:
        raise RegionError(f"A region could not be read: {value!r:.80} ({error}).") from error
    raise RegionError(f"A region is one of points, box, scribble or mask; got {value!r:.80}.")


def box_to_json(box: Box) -> list[float]:
    """Returns x0, y0, x1, y1 with five digits, or exactly where that would leave no area."""
    x0, y0, x1, y1 = (round(side, 5) for side in box.as_tuple())
    return [x0, y0, x1, y1] if x0 < x1 and y0 < y1 else list(box.as_tuple())


def grounding_to_json(grounding: Grounding) -> Json:
    """Returns a grounding as predict writes it."""
    phrase = grounding.phrase
    out: Json = {
        "phrase": {"text": phrase.text, "start": phrase.start, "end": phrase.end},
        "boxes": [box_to_json(box) for box in grounding.boxes],
        "scores": [round(score, 5) for score in grounding.scores],
    }
    if grounding.masks:
        out["masks"] = [mask_to_rle(mask) for mask in grounding.masks]
    if grounding.keypoints:
        out["keypoints"] = [
            [[round(v, 5) for v in joint] for joint in pose.points] for pose in grounding.keypoints
        ]
    return out


def grounding_from_json(value: Json) -> Grounding:
    """Returns the grounding of `grounding_to_json`."""
    phrase = value["phrase"]
    return Grounding(
        Phrase(phrase["text"], phrase.get("start"), phrase.get("end")),
        tuple(Box.parse(box) for box in value["boxes"]),
        tuple(float(score) for score in value["scores"]),
        tuple(mask_from_rle(mask) for mask in value.get("masks", ())),
        tuple(
            Keypoints(tuple((float(x), float(y), float(v)) for x, y, v in pose))
            for pose in value.get("keypoints", ())
        ),
    )


def answer_to_json(answer: Answer) -> Json:
    """Returns an answer as JSON."""
    out: Json = {
        "text": answer.text,
        "groundings": [grounding_to_json(grounding) for grounding in answer.groundings],
        "finish": str(answer.finish),
    }
    if answer.word_boxes:
        out["words"] = [
            {
                "text": w.phrase.text,
                "start": w.phrase.start,
                "end": w.phrase.end,
                "box": box_to_json(w.box),
            }
            for w in answer.word_boxes
        ]
    return out


def answer_from_json(value: Json) -> Answer:
    """Returns the answer of `answer_to_json`."""
    return Answer(
        str(value["text"]),
        tuple(grounding_from_json(grounding) for grounding in value.get("groundings", ())),
        tuple(
            WordBox(Phrase(w["text"], w["start"], w["end"]), Box.parse(w["box"]))
            for w in value.get("words", ())
        ),
        Finish(value.get("finish", "stop")),
    )


def turn_to_json(turn: Turn) -> Json:
    """Returns a turn as JSON."""
    return {
        "question": turn.question,
        "regions": [{"name": r.name, **shape_to_json(r.shape)} for r in turn.regions],
        "answer": answer_to_json(turn.answer),
    }


def turn_from_json(value: Json) -> Turn:
    """Returns the turn of `turn_to_json`."""
    return Turn(
        str(value["question"]),
        answer_from_json(value["answer"]),
        tuple(Region(str(r["name"]), shape_from_json(r)) for r in value.get("regions", ())),
    )


def example_to_json(example: Example) -> Json:
    """Returns a picture and its turns as one JSON line."""
    return {
        "picture": example.picture,
        "width": example.size.width,
        "height": example.size.height,
        "turns": [turn_to_json(turn) for turn in example.turns],
    }


def example_from_json(value: Json) -> Example:
    """Returns the example of `example_to_json`.

    Raises:
        RecordError: a field is missing or invalid; the message names it.
    """
    try:
        return Example(
            str(value["picture"]),
            Size(int(value["width"]), int(value["height"])),
            tuple(turn_from_json(turn) for turn in value["turns"]),
        )
    except (KeyError, TypeError, ValueError, RegionError) as error:
        raise RecordError(f"Example {value!r:.80} cannot be read: {error!r:.200}") from error
