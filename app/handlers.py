"""Pure decisions of the page: a desk and what arrived go in, a new desk or a clear refusal out.

Nothing here talks to Gradio, to a model or to a disk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, cast

from app import phrases, questions, render, words
from app.marks import Marks, Payload, fraction
from app.session import Desk, Exchange
from model.errors import PictureError, QuestionError
from model.types import Answer, Capability, Finish, Turn

if TYPE_CHECKING:
    from app.intake import Picture
    from app.samples import Sample


SERIAL = count(1)
"""Numbers that make each message to a browser differ from the one before."""

DETECT_FLOOR = 0.05
"""Detections are asked for down to this score, so that the slider can show more or fewer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one question may bring."""

    text: int = 2_000
    turns: int = 50


def open_picture(desk: Desk, picture: Picture, title: str, sample: Sample | None = None) -> Desk:
    """Returns the desk with another picture and an empty conversation.

    What was encoded before stays, so that coming back to a picture is quick.
    """
    return replace(
        desk, picture=picture, title=title, sample=sample, exchanges=(), shown=None, reopened=None
    )


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
    question = questions.worded(question, marks, limits.text)
    regions = questions.spoken_of(question, marks, desk)
    names = questions.names_to_find(question) if task in (None, Capability.DETECT) else ()
    if task is Capability.DETECT and not names:
        raise QuestionError(words.NAMES_MISSING)
    exchange = Exchange(
        desk.next_number, question, regions, Capability.DETECT if names else task, names
    )
    earlier = tuple(_settled(item) for item in desk.exchanges)
    kept = earlier[max(0, len(earlier) + 1 - limits.turns) :]
    return replace(
        desk, exchanges=(*kept, exchange), next_number=desk.next_number + 1, reopened=None
    )


def _settled(exchange: Exchange) -> Exchange:
    """Returns an exchange that is answered, by what was said so far if it was interrupted."""
    if not exchange.open:
        return exchange
    return replace(exchange, answer=Answer(exchange.text, finish=Finish.CANCELLED))


def close(desk: Desk, number: int) -> Desk:
    """Returns the desk with no loose end in an exchange, however its run ended."""
    exchange = desk.exchange(number)
    return desk if exchange is None else desk.replaced(_settled(exchange))


def grow(desk: Desk, number: int, text: str) -> Desk:
    """Returns the desk with more words in an open exchange."""
    exchange = desk.exchange(number)
    if exchange is None or not exchange.open:
        return desk
    return desk.replaced(replace(exchange, text=exchange.text + text))


def finish(desk: Desk, number: int, answer: Answer, milliseconds: int) -> Desk:
    """Returns the desk with an exchange answered and its boxes on display."""
    exchange = desk.exchange(number)
    if exchange is None or not exchange.open:
        return desk
    if answer.finish is Finish.ABSENT and not answer.text.strip():
        answer = replace(answer, text=words.ABSENT_PLAIN)
    done = replace(exchange, answer=answer, text=answer.text, milliseconds=milliseconds)
    return replace(desk.replaced(done), shown=number)


def fail(desk: Desk, number: int, message: str) -> Desk:
    """Returns the desk with a message in place of an answer."""
    exchange = desk.exchange(number)
    return desk if exchange is None else desk.replaced(replace(exchange, error=message))


def threshold_of(desk: Desk, exchange: Exchange, usual: float) -> float:
    """Returns the score from which an exchange's boxes are shown.

    That is what the person chose, else what the model meant: a detection was asked for down to a
    low floor, so the card's threshold counts; any other answer brings only what it stands by.
    """
    if desk.threshold is not None:
        return desk.threshold
    if exchange.names or exchange.answer is None:
        return usual
    scores = [score for found in exchange.answer.groundings for score in found.scores]
    return min([usual, *scores])


def history(desk: Desk, number: int, threshold: float) -> tuple[Turn, ...]:
    """Returns the whole turns before an exchange, oldest first, as the model takes them."""
    return tuple(
        Turn(
            item.question, phrases.filtered(item, threshold_of(desk, item, threshold)), item.regions
        )
        for item in desk.exchanges
        if item.number < number and item.answer is not None
    )


def show(desk: Desk, number: object) -> Desk:
    """Returns the desk with another answer's boxes on display, or none for an unknown number."""
    known = isinstance(number, int) and desk.exchange(number) is not None
    shown = cast("int", number) if known else None
    return replace(desk, shown=shown, reopened=desk.reopened if shown == desk.shown else None)


def set_threshold(desk: Desk, value: object) -> Desk:
    """Returns the desk with the slider's threshold; nonsense follows the model's card again."""
    try:
        number = fraction(value)
    except (TypeError, ValueError):
        return replace(desk, threshold=None)
    return replace(desk, threshold=number)


def set_screen(desk: Desk, payload: object) -> Desk:
    """Returns the desk with the size at which its picture is shown, as far as the browser says."""
    screen = cast("Payload", payload).get("screen") if isinstance(payload, Mapping) else None
    try:
        side, unit = (float(number) for number in cast("Sequence[float]", screen))
    except (TypeError, ValueError):
        return desk
    if not (math.isfinite(side) and math.isfinite(unit)):
        return desk
    unit = min(max(unit, 1.0), 3.0)
    return replace(desk, screen=(round(min(max(side * unit, 480), render.SENT_SIDE)), unit))


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


def corrected_exchange(desk: Desk, number: object) -> Exchange | None:
    """Returns the exchange a correction is about: the one it names, the one on display, the last.

    None if nothing was asked yet.
    """
    named = desk.exchange(number) if isinstance(number, int) else None
    last = desk.exchanges[-1] if desk.exchanges else None
    return named or desk.exchange(desk.shown) or last


def corrected(desk: Desk, number: int | None, turn: Turn, identity: str) -> Desk:
    """Returns the desk with an answer as a person corrected it.

    Args:
        desk: whose answer it is.
        number: of its exchange; if there is none, the turn becomes a new exchange.
        turn: as it was saved.
        identity: of the saved example, so that saving again replaces it.
    """
    old = desk.exchange(number)
    if old is None:
        return reopen_turns(desk, (turn,), identity)
    new = replace(
        old, question=turn.question, regions=turn.regions, answer=turn.answer, names=(), error="",
        text=turn.answer.text,
    )  # fmt: skip
    return replace(desk.replaced(new), shown=new.number, reopened=identity)


def reopen(desk: Desk, picture: Picture, title: str, turns: Sequence[Turn], identity: str) -> Desk:
    """Returns the desk with a saved example's picture and turns on it."""
    return reopen_turns(open_picture(desk, picture, title), turns, identity)


def reopen_turns(desk: Desk, turns: Sequence[Turn], identity: str) -> Desk:
    """Returns the desk with whole turns as its conversation, the last one on display."""
    numbers = range(desk.next_number, desk.next_number + len(turns))
    exchanges = tuple(
        Exchange(number, turn.question, turn.regions, text=turn.answer.text, answer=turn.answer)
        for number, turn in zip(numbers, turns, strict=True)
    )
    return replace(
        desk, exchanges=exchanges, shown=numbers[-1] if turns else None,
        next_number=numbers.stop, reopened=identity,
    )  # fmt: skip
