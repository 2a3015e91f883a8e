"""Records and chat turns, each from the other.

Stored is the record: it is what the trainer and the scorer read, and boxes, outlines and phrases
have one place in it. Turns that a person wrote or corrected are kept in the record word for word
(`turns`), so nothing of them is lost; what they say about boxes is also written into `objects`,
`captions`, `grounded` and `refs`, so that it teaches detection, naming and referring too.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from random import Random

from model.backends.base import INSTRUCTIONS
from model.errors import RecordError
from model.records import record_from_json
from model.training.importers.draft import Draft, DraftObject, DraftPhrase, DraftRef, Json
from model.training.importers.outlines import outlines_of
from model.training.importers.values import MAX_LABEL, Bbox
from model.training.lessons import LessonConfig, lessons
from model.turns import turn_from_json, turn_to_json
from model.types import Box, Capability, Example, Finish, Grounding, Mask, Size, Turn

_DESCRIBES = re.compile(r"\b(describe|description|caption|what do you see|happening)\b", re.I)
_NAMES = re.compile(
    r"^\s*(what|who)( is|'s) (in |inside |at |this |that )?@(\d+)\s*\?*\s*$"
    r"|^\s*(name|describe|caption) @(\d+)\s*\.?\s*$", re.I,
)  # fmt: skip
_ARTICLE = re.compile(r"^(a|an|the|some|this|that)\s+", re.I)


def example_of(value: Json) -> Example:
    """Returns a record's line as an example: its own turns, or else those a teacher would ask.

    The same line always gives the same turns.

    Raises:
        RecordError: the line is no record.
    """
    record = record_from_json(value, Path())
    turns = stored_turns(value) or tuple(lessons(record, LessonConfig(), Random(record.id)))
    return Example(str(value["image"]), record.size, turns)


def stored_turns(value: Json) -> tuple[Turn, ...]:
    """Returns the turns that people wrote or corrected, as they stand in a record's line."""
    return tuple(turn_from_json(turn) for turn in value.get("turns", ()))


def draft_of(example: Example, picture: PurePosixPath, file: PurePosixPath, row: str) -> Draft:
    """Returns what an example's turns say about its picture.

    Args:
        example: from a correction or a chat data set.
        picture: path of its picture within the source.
        file: the file it comes from.
        row: where in it.
    """
    draft = Draft(picture, file, row, stated=example.size)
    for number, turn in enumerate(example.turns):
        draft.turns.append(turn_to_json(turn))
        _learn(turn, draft, example.size, f"{row}, turn {number + 1}")
    return draft


def _learn(turn: Turn, draft: Draft, size: Size, row: str) -> None:
    """Adds a turn's boxes, caption and expressions to a draft."""
    if turn.answer.finish is Finish.ABSENT:
        return
    _name_regions(turn, draft, size, row)
    describes = not turn.regions and _DESCRIBES.search(turn.question) is not None
    caption = (
        draft.add_caption(turn.answer.text) if describes and turn.answer.text.strip() else None
    )
    for grounding in turn.answer.groundings:
        objects = _objects(grounding, draft, size, row)
        phrase = grounding.phrase
        if not objects or phrase.start is None or phrase.end is None:
            continue
        if caption is not None:
            draft.grounded.append(DraftPhrase(caption, phrase.start, phrase.end, objects))
        elif len(objects) == 1 and " " in phrase.text.strip():
            draft.refs.append(DraftRef(phrase.text, objects[0], "turn"))


def _objects(grounding: Grounding, draft: Draft, size: Size, row: str) -> list[int]:
    """Returns the indices of a grounding's boxes among the draft's objects."""
    indices = []
    label = plain_label(grounding.phrase.text)
    for number, box in enumerate(grounding.boxes):
        thing = DraftObject(label, bbox_px(box, size), row)
        if grounding.masks:
            thing.poly = outlines_of(grounding.masks[number].pixels, size)
        if grounding.keypoints:
            joints = grounding.keypoints[number].points
            thing.keypoints = [
                side
                for x, y, score in joints
                for side in (x * size.width, y * size.height, 2 if score >= 0.5 else 0)
            ]
        indices.append(draft.add_object(thing))
    return indices


def _name_regions(turn: Turn, draft: Draft, size: Size, row: str) -> None:
    """Adds a drawn region as an object if the turn does nothing but name it."""
    asked = (
        _NAMES.match(turn.question) is not None or turn.question == INSTRUCTIONS[Capability.REGION]
    )
    if not asked or len(turn.regions) != 1 or turn.answer.groundings:
        return
    shape, label = turn.regions[0].shape, plain_label(turn.answer.text)
    if isinstance(shape, Mask):
        ys, xs = shape.pixels.nonzero()
        if not len(xs):
            raise RecordError("a drawn mask is empty.")
        height, width = shape.pixels.shape
        shape = Box(
            xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height
        )
    if isinstance(shape, Box) and 0 < len(label) <= MAX_LABEL:
        draft.add_object(DraftObject(label, bbox_px(shape, size), row))


def bbox_px(box: Box, size: Size) -> Bbox:
    """Returns x, y, width, height in pixels of a box in the unit frame."""
    return (
        box.x0 * size.width,
        box.y0 * size.height,
        (box.x1 - box.x0) * size.width,
        (box.y1 - box.y0) * size.height,
    )


def plain_label(phrase: str) -> str:
    """Returns a phrase as a name: without article, capital and full stop.

    Example:
        >>> plain_label("The red bus.")
        'red bus'
    """
    name = _ARTICLE.sub("", " ".join(phrase.split()).rstrip(" ."))
    return name if name[:2].isupper() else name[:1].lower() + name[1:]
