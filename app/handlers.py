"""Pure decisions of the page: a desk and what arrived go in, a new desk or a clear refusal out.

Nothing here talks to Gradio, to a model or to a disk. Payloads come from strangers' browsers, so
every number and name in them is checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from app import render, words
from app.session import Desk, Exchange
from model.errors import PictureError, QuestionError, RegionError
from model.types import (
    MAX_REGIONS,
    Answer,
    Capability,
    Finish,
    Mask,
    Region,
    Shape,
    Size,
    Turn,
)
from model.turns import shape_from_json

if TYPE_CHECKING:
    from app.intake import Picture

Payload = Mapping[str, Any]

MAX_PLACES = 4_000
"""Places in one stroke; a finger draws some hundreds."""

MAX_STROKES = 200
"""Brush strokes in one mask."""

DETECT_FLOOR = 0.05
"""Detections are asked for down to this score, so that the slider can show more or fewer."""

_MENTION = re.compile(r"(?<![\w@])@(\d{1,3})(?!\w)")
_FIND = re.compile(r"^\s*(?:find|detect|locate)\s+(?:all|every|each)(?:\s+the)?\b[:\s]*", re.I)
_PICTURE_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn on the canvas.

    Attributes:
        picture: key of the picture it is drawn on.
        regions: shapes with their names.
        selected: name of the one in hand; empty if none is.
    """

    picture: str = ""
    regions: tuple[Region, ...] = ()
    selected: str = ""


def read_marks(payload: object, size: Size, limit: int = MAX_REGIONS) -> Marks:
    """Returns what a browser says is drawn.

    Args:
        payload: the canvas's value.
        size: of the picture, for brush masks.
        limit: most marks read.

    Raises:
        RegionError: a mark is malformed, or there are too many.
    """
    if not isinstance(payload, Mapping):
        return Marks()
    value = cast("Payload", payload)
    drawn = value.get("marks") or ()
    if not isinstance(drawn, Sequence) or isinstance(drawn, str):
        raise RegionError(f"Marks are a list; got {str(drawn)[:40]!r}.")
    if len(drawn) > limit:
        raise RegionError(words.MANY_MARKS.format(count=len(drawn), limit=limit))
    regions = tuple(_region(mark, size) for mark in cast("Sequence[object]", drawn))
    return Marks(str(value.get("picture") or ""), regions, str(value.get("selected") or ""))


def _region(mark: object, size: Size) -> Region:
    if not isinstance(mark, Mapping):
        raise RegionError(f"A mark could not be read: {str(mark)[:40]!r}.")
    value = cast("Payload", mark)
    shape = _brush(value["strokes"], size) if "strokes" in value else _shape(value)
    return Region(str(value.get("name") or ""), shape)


def _shape(value: Payload) -> Shape:
    path = value.get("scribble") or value.get("points") or ()
    if isinstance(path, Sequence) and len(cast("Sequence[object]", path)) > MAX_PLACES:
        raise RegionError(f"A mark has more than {MAX_PLACES} places; draw it shorter.")
    return shape_from_json(dict(value))


def _brush(strokes: object, size: Size) -> Mask:
    """Returns the mask of brush strokes, at most `_PICTURE_SIDE` on its longer side."""
    try:
        read = [_stroke(stroke) for stroke in list(cast("Sequence[Payload]", strokes))]
    except (TypeError, KeyError, ValueError) as error:
        raise RegionError(f"A brush mark could not be read ({error}); draw it again.") from error
    if not 0 < len(read) <= MAX_STROKES:
        raise RegionError(f"A brush mark has 1 to {MAX_STROKES} strokes; got {len(read)}.")
    scale = min(1.0, _PICTURE_SIDE / max(size.width, size.height))
    mask = render.brush_mask(
        read, (max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    )
    if not mask.any():
        raise RegionError("The brush mark is empty; paint over the thing you mean.")
    return Mask(mask)


def _stroke(stroke: Payload) -> tuple[list[tuple[float, float]], float, bool]:
    path = [(_fraction(x), _fraction(y)) for x, y in stroke["path"]]
    if not 0 < len(path) <= MAX_PLACES:
        raise ValueError(f"a stroke has 1 to {MAX_PLACES} places")
    return path, _fraction(stroke["width"]), bool(stroke.get("erase"))


def _fraction(value: object) -> float:
    number = float(cast("float", value))
    if not math.isfinite(number):
        raise ValueError(f"{number} is no place")
    return min(max(number, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one question may bring."""

    text: int = 2_000
    regions: int = MAX_REGIONS
    turns: int = 50


def open_picture(desk: Desk, picture: Picture, title: str) -> Desk:
    """Returns the desk with another picture and an empty conversation.

    What was encoded before stays, so that coming back to a picture is quick.
    """
    return replace(desk, picture=picture, title=title, exchanges=(), shown=None)


def begin(
    desk: Desk, question: str, marks: Marks, task: Capability | None = None,
    limits: Limits | None = None,
) -> Desk:  # fmt: skip
    """Returns the desk with one more open exchange, the last of its list.

    Args:
        desk: whose picture is asked about.
        question: free text; `{number}` in a button's wording stands for the mark in hand.
        marks: what is drawn.
        task: what a button pins.
        limits: how long a text and how many turns.

    Raises:
        PictureError: there is no picture, or the marks belong to another one.
        QuestionError: no text, or too much.
        RegionError: the text names a mark that nobody drew, or none is in hand.
    """
    limits = limits or Limits()
    if desk.picture is None:
        raise PictureError(words.NO_PICTURE)
    if marks.picture not in ("", desk.picture.key):
        raise PictureError(words.OTHER_PICTURE)
    question = _worded(question, marks)
    _check_text(question, limits.text)
    regions = _spoken_of(question, marks, desk)
    names = names_to_find(question) if task in (None, Capability.DETECT) else ()
    if task is Capability.DETECT and not names:
        raise QuestionError(words.NAMES_MISSING)
    exchange = Exchange(
        desk.next_number, question, regions, Capability.DETECT if names else task, names
    )
    kept = tuple(item for item in desk.exchanges if not item.open)[-(limits.turns - 1) :]
    return replace(desk, exchanges=(*kept, exchange), next_number=desk.next_number + 1)


def _worded(question: str, marks: Marks) -> str:
    """Returns a button's wording with the number of the mark in hand filled in."""
    if "{number}" not in question:
        return question.strip()
    chosen = marks.selected or (marks.regions[-1].name if marks.regions else "")
    if not chosen:
        raise RegionError(words.NO_MARK)
    return question.replace("@{number}", chosen).strip()


def _check_text(question: str, limit: int) -> None:
    if not question:
        raise QuestionError(words.NO_TEXT)
    if len(question) > limit:
        raise QuestionError(words.LONG_TEXT.format(length=len(question), limit=limit))


def _spoken_of(question: str, marks: Marks, desk: Desk) -> tuple[Region, ...]:
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


def _remedy(known: Mapping[str, Region]) -> str:
    if not known:
        return words.NO_MARKS_DRAWN
    return words.MARKS_DRAWN.format(names=", ".join(sorted(known, key=lambda name: int(name[1:]))))


def _points(question: str) -> bool:
    """Returns whether a question has a word whose meaning is a gesture."""
    return bool(re.search(r"\b(this|that|it|here|there|these|those)\b", question, re.I))


def names_to_find(question: str) -> tuple[str, ...]:
    """Returns the class names of "Find all dogs, cups and people"; empty for other questions.

    Example:
        >>> names_to_find("find all dogs, cups and the red car.")
        ('dogs', 'cups', 'red car')
    """
    match = _FIND.match(question)
    if not match:
        return ()
    parts = re.split(r",|;|\band\b|\bor\b|&", question[match.end() :].strip(" .!?"))
    named = (re.sub(r"^\s*(?:the|an?|all)\s+", "", part.strip(), flags=re.I) for part in parts)
    return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))[:20]


def grow(desk: Desk, number: int, text: str) -> Desk:
    """Returns the desk with more words in an open exchange."""
    exchange = desk.exchange(number)
    if exchange is None:
        return desk
    return desk.replaced(replace(exchange, text=exchange.text + text))


def finish(desk: Desk, number: int, answer: Answer, milliseconds: int) -> Desk:
    """Returns the desk with an exchange answered and its boxes on display."""
    exchange = desk.exchange(number)
    if exchange is None:
        return desk
    if exchange.names and answer.finish in (Finish.STOP, Finish.ABSENT):
        answer = render.spelled_out(answer, exchange.names)
    elif answer.finish is Finish.ABSENT and not answer.text.strip():
        answer = replace(answer, text=words.ABSENT_PLAIN)
    done = replace(exchange, answer=answer, text=answer.text, milliseconds=milliseconds)
    return replace(desk.replaced(done), shown=number)


def cut_off(exchange: Exchange) -> Answer:
    """Returns what was said so far as an answer that was stopped."""
    return Answer(exchange.text, finish=Finish.CANCELLED)


def fail(desk: Desk, number: int, message: str) -> Desk:
    """Returns the desk with a message in place of an answer."""
    exchange = desk.exchange(number)
    return desk if exchange is None else desk.replaced(replace(exchange, error=message))


def history(desk: Desk, number: int) -> tuple[Turn, ...]:
    """Returns the whole turns before an exchange, oldest first, as the model takes them."""
    return tuple(
        Turn(item.question, item.answer, item.regions)
        for item in desk.exchanges
        if item.number < number and item.answer is not None
    )


def show(desk: Desk, number: object) -> Desk:
    """Returns the desk with another answer's boxes on display, or none for an unknown number."""
    known = isinstance(number, int) and desk.exchange(number) is not None
    return replace(desk, shown=cast("int", number) if known else None)


def set_threshold(desk: Desk, value: object) -> Desk:
    """Returns the desk with the slider's threshold; nonsense follows the model's card again."""
    try:
        number = _fraction(value)
    except (TypeError, ValueError):
        return replace(desk, threshold=None)
    return replace(desk, threshold=number)


def retry(desk: Desk) -> tuple[Desk, Exchange]:
    """Returns the desk without its last exchange, and that exchange, to be asked again.

    Raises:
        QuestionError: nothing was asked yet.
    """
    if not desk.exchanges:
        raise QuestionError(words.NO_TEXT)
    return replace(desk, exchanges=desk.exchanges[:-1]), desk.exchanges[-1]


def rewind(desk: Desk, message: int) -> tuple[Desk, Exchange]:
    """Returns the desk up to the question in chat message `message`, and that question's exchange.

    Args:
        desk: whose conversation it is.
        message: index in the chat, two messages an exchange.

    Raises:
        QuestionError: there is no such message.
    """
    index = message // 2
    if not 0 <= index < len(desk.exchanges):
        raise QuestionError(words.NO_TEXT)
    return replace(desk, exchanges=desk.exchanges[:index]), desk.exchanges[index]


def clear(desk: Desk) -> Desk:
    """Returns the desk with its picture but no conversation."""
    return replace(desk, exchanges=(), shown=None)
