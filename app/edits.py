"""From an answer to something a person can correct, and back to a turn that can teach.

Pure functions. A corrected turn says of every box that it is certain; words that were linked to
boxes become phrases with a place, boxes without words become class names. So does the label that a
person gave to a box whose words say something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from app import words
from app.phrases import clip, numbered
from app.theme import colour, ink
from model.errors import QuestionError, RegionError
from model.types import Answer, Box, Finish, Grounding, Phrase, Region, Turn

Json = dict[str, Any]
MAX_BOXES = 500
MAX_LABEL = 120
CERTAIN = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a question or answer may be, in characters."""

    text: int = 2_000


def editable(question: str, answer: Answer, threshold: float) -> Json:
    """Returns an answer's boxes, words and links as the canvas and the caption editor take them.

    A box that several phrases of the text share is one box here, linked from each of them; so is
    one that a person also gave a label.
    """
    boxes: list[Json] = []
    links: list[Json] = []
    shared: dict[tuple[float, ...], str] = {}
    for _, grounding in numbered(answer):
        kept = grounding.above(threshold)
        placed = kept.phrase.start is not None
        label = _label(kept.phrase.text)
        names: list[str] = []
        for box, score in zip(kept.boxes, kept.scores, strict=True):
            sides = tuple(round(side, 5) for side in box.as_tuple())
            name = shared.get(sides) if placed or score == CERTAIN else None
            if name is None:
                name = str(len(boxes) + 1)
                boxes.append({"id": name, "label": label, "box": list(sides)})
            elif not placed:
                boxes[int(name) - 1] |= {"label": label, "named": True}
            names.append(name)
            if placed:
                shared[sides] = name
        if names and placed:
            ids = list(dict.fromkeys(names))
            links.append({"start": kept.phrase.start, "end": kept.phrase.end, "ids": ids})
    return {"question": question, "text": answer.text, "boxes": boxes, "links": links}


def _label(phrase: str) -> str:
    """Returns a phrase without its article, as a label reads."""
    head, _, rest = phrase.strip().partition(" ")
    noun = rest if head.lower() in {"a", "an", "the", "some"} and rest else phrase.strip()
    return clip(noun, MAX_LABEL)


def paints(count: int = 24) -> list[list[str]]:
    """Returns colours and ink for boxes in the order of their numbers."""
    return [[colour(i), ink(colour(i))] for i in range(count)]


def corrected(
    boxes: object, caption: object, regions: Sequence[Region] = (), limits: Limits | None = None
) -> Turn:
    """Returns the turn a person corrected.

    Args:
        boxes: the canvas's list of {"id", "label", "box", "named"}; named where a person did.
        caption: the editor's {"question", "text", "links": [{"start", "end", "ids"}]}.
        regions: what the question speaks of; stays as it was.
        limits: how long texts may be.

    Raises:
        QuestionError: a text is missing or too long.
        RegionError: a box or a link cannot be used.
    """
    limits = limits or Limits()
    value = cast("Mapping[str, Any]", caption) if isinstance(caption, Mapping) else {}
    question, text = str(value.get("question") or "").strip(), str(value.get("text") or "")
    if not question:
        raise QuestionError(words.QUESTION_EMPTY)
    longest = max(len(question), len(text))
    if longest > limits.text:
        raise QuestionError(words.TEXT_TOO_LONG.format(length=longest, limit=limits.text))
    drawn = _drawn(boxes)
    links = _links(value.get("links"), text, drawn)
    said: dict[str, set[str]] = {}
    for start, end, names in links:
        for name in names:
            said.setdefault(name, set()).add(_label(text[start:end]).casefold())
    groundings = [
        _grounding(Phrase(text[start:end], start, end), [drawn[name].box for name in names])
        for start, end, names in links
    ]
    by_label: dict[str, list[Box]] = {}
    for name, item in drawn.items():
        if name not in said and not item.label:
            raise RegionError(words.BOX_UNNAMED.format(name=name))
        if name not in said or (item.named and item.label.casefold() not in said[name]):
            by_label.setdefault(item.label, []).append(item.box)
    groundings += [_grounding(Phrase(label), found) for label, found in by_label.items()]
    if not text and not groundings:
        raise QuestionError(words.CORRECTION_EMPTY)
    finish = Finish.STOP if text or groundings else Finish.ABSENT
    return Turn(question, Answer(text, tuple(groundings), finish=finish), tuple(regions))


def _grounding(phrase: Phrase, boxes: Sequence[Box]) -> Grounding:
    return Grounding(phrase, tuple(boxes), (CERTAIN,) * len(boxes))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A box as it was drawn, its label, and whether a person chose that."""

    box: Box
    label: str
    named: bool


def _drawn(boxes: object) -> dict[str, _Drawn]:
    """Returns boxes by their numbers."""
    if not isinstance(boxes, list | tuple):
        raise RegionError(words.NOTHING_TO_SAVE)
    items = cast("Sequence[object]", boxes)
    if len(items) > MAX_BOXES:
        raise RegionError(words.MANY_BOXES.format(count=len(items), limit=MAX_BOXES))
    found: dict[str, _Drawn] = {}
    for item in items:
        if not isinstance(item, Mapping):
            raise RegionError(words.BOX_UNREADABLE.format(given=clip(repr(item))))
        value = cast("Mapping[str, Any]", item)
        label = " ".join(str(value.get("label") or "").split())[:MAX_LABEL]
        named = bool(label) and value.get("named") is True
        found[str(value.get("id"))] = _Drawn(Box.parse(value.get("box") or ()), label, named)
    return found


def _links(
    links: object, text: str, drawn: Mapping[str, object]
) -> list[tuple[int, int, list[str]]]:
    """Returns links in reading order; those to boxes that were deleted are left out."""
    found: list[tuple[int, int, list[str]]] = []
    items = cast("Sequence[object]", links) if isinstance(links, list | tuple) else ()
    for item in items:
        if not isinstance(item, Mapping):
            raise RegionError(words.LINK_UNREADABLE.format(given=clip(repr(item))))
        value = cast("Mapping[str, Any]", item)
        start, end = _place(value.get("start")), _place(value.get("end"))
        if not 0 <= start < end <= len(text):
            raise RegionError(words.LINK_OUTSIDE.format(start=start, end=end, length=len(text)))
        given = value.get("ids")
        names = [str(name) for name in cast("Sequence[object]", given or ())]
        kept = [name for name in dict.fromkeys(names) if name in drawn]
        if kept:
            found.append((start, end, kept))
    return sorted(found, key=lambda link: link[:2])


def _place(value: object) -> int:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise RegionError(words.NO_PLACE.format(given=clip(repr(value))))
    return int(value)
