"""What a question means: the marks it speaks of, and the names it wants to be found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from app import words
from app.marks import Marks, Payload
from app.session import Desk
from model.errors import QuestionError, RegionError
from model.types import Region

_MENTION = re.compile(r"(?<![\w@])@(\d{1,3})(?!\w)")
_GESTURE = re.compile(
    r"\b(?:this|these|those|it|here)\b(?!\s+(?:picture|image|photo|photograph|scene)\b)"
    r"|(?:^|\b(?:is|was|of|about|near|by|with|to|behind|beside|on|under|describe|segment)\s+)that\b",
    re.I,
)
"""Words whose meaning is a gesture; not "this picture", nor "the man that ..."."""

_FIND = re.compile(r"^\s*(?:find|detect|locate)\s+(?:all|every|each)(?:\s+the)?\b[:\s]*", re.I)


def worded(question: str, marks: Marks, limit: int) -> str:
    """Returns a question as it is asked: a button's with the number of the mark in hand filled in.

    Args:
        question: free text; `{number}` in a button's wording stands for the mark in hand.
        marks: what is drawn.
        limit: most characters.

    Raises:
        QuestionError: no text, or too much.
        RegionError: no mark is in hand.
    """
    if "{number}" in question:
        chosen = marks.selected or (marks.regions[-1].name if marks.regions else "")
        if not chosen:
            raise RegionError(words.NO_MARK)
        question = question.replace("@{number}", chosen)
    question = question.strip()
    if not question:
        raise QuestionError(words.NO_TEXT)
    if len(question) > limit:
        raise QuestionError(words.LONG_TEXT.format(length=len(question), limit=limit))
    return question


def spoken_of(question: str, marks: Marks, desk: Desk) -> tuple[Region, ...]:
    """Returns the regions a question names, or the mark in hand if it only says "this".

    Raises:
        RegionError: a name belongs to no mark of the canvas nor of the conversation.
    """
    known = {r.name: r for exchange in desk.exchanges for r in exchange.regions}
    known |= {region.name: region for region in marks.regions}
    mentioned = list(dict.fromkeys(f"@{int(number)}" for number in _MENTION.findall(question)))
    for name in mentioned:
        if name not in known:
            raise RegionError(words.UNKNOWN_MARK.format(name=name, remedy=_remedy(known)))
    if not mentioned and _points(question):
        mentioned = [name for name in (marks.selected,) if name in known]
    return tuple(known[name] for name in mentioned)


def starter_mark(desk: Desk, text: str, payload: object) -> dict[str, Any] | None:
    """Returns a mark on the sample's main thing for a first "What is this?"; None otherwise."""
    sample = desk.sample
    drawn = cast("Payload", payload).get("marks") if isinstance(payload, Mapping) else None
    if sample is None or sample.point is None or desk.exchanges or drawn or not _points(text):
        return None
    if not re.match(r"what is (this|that|it)\b", text, re.I):
        return None
    return {"name": "@1", "points": [[*sample.point, 1]]}


def _remedy(known: Mapping[str, Region]) -> str:
    if not known:
        return words.NO_MARKS_DRAWN
    return words.MARKS_DRAWN.format(names=", ".join(sorted(known, key=lambda name: int(name[1:]))))


def _points(question: str) -> bool:
    """Returns whether a question has a word whose meaning is a gesture."""
    return bool(_GESTURE.search(question))


def names_to_find(question: str) -> tuple[str, ...]:
    """Returns the class names of "Find all dogs, cups and people"; empty for other questions.

    Example:
        >>> names_to_find("find all dogs, cups and the red car.")
        ('dogs', 'cups', 'red car')

    Raises:
        QuestionError: it says "find all", but not what.
    """
    match = _FIND.match(question)
    if not match:
        return ()
    parts = re.split(r",|;|\band\b|\bor\b|&", question[match.end() :].strip(" .!?"))
    named = (re.sub(r"^\s*(?:the|an?|all)\s+", "", part.strip(), flags=re.I) for part in parts)
    names = tuple(dict.fromkeys(name.strip() for name in named if name.strip()))[:20]
    if not names:
        raise QuestionError(words.NAMES_MISSING)
    return names
