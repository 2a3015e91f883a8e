"""What on the page is new: the parts of a `View`, made from a desk alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app import edits, handlers, phrases, render, words

if TYPE_CHECKING:
    from app.intake import Picture
    from app.session import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What on the page is new; None leaves a part as it is.

    Attributes:
        chat: all messages.
        picture: the picture to look at, with an empty slate.
        answer: boxes and render to show; `{"exchange": None}` for none.
        adopt: a mark the page draws by itself.
        notice: a message on the picture; empty takes it away.
        trouble: a message at the question; empty takes it away.
        status: a short state of affairs, and whether something is going on.
        running: whether an answer is growing.
        taken: whether the question was taken from its box.
        questions: to start with; the page hides them as soon as there is a conversation.
    """

    chat: list[dict[str, Any]] | None = None
    picture: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    adopt: dict[str, Any] | None = None
    notice: str | None = None
    trouble: str | None = None
    status: tuple[str, bool] | None = None
    running: bool | None = None
    taken: bool = False
    questions: tuple[str, ...] | None = None


def chat(desk: Desk, usual: float) -> list[dict[str, Any]]:
    """Returns all messages.

    Args:
        desk: whose conversation it is.
        usual: score from which boxes are shown where nobody chose another.
    """
    return phrases.chat(
        desk.exchanges, lambda exchange: handlers.threshold_of(desk, exchange, usual)
    )


def picture(desk: Desk, opened: Picture) -> dict[str, Any]:
    """Returns the canvas's `picture` for one that was just opened on a desk."""
    sample = desk.sample
    return {
        "id": opened.key,
        "serial": next(handlers.SERIAL),
        "src": render.data_url(opened.image),
        "width": opened.size.width,
        "height": opened.size.height,
        "alt": sample.alt if sample else desk.title,
        "sample": sample.title if sample else "",
        "point": sample.point if sample else None,
    }


def answer(desk: Desk, usual: float) -> dict[str, Any]:
    """Returns the canvas's `answer` for the exchange on display.

    Args:
        desk: whose answer it is.
        usual: score from which boxes are shown where nobody chose another.
    """
    exchange = desk.exchange(desk.shown)
    if exchange is None or exchange.answer is None or desk.picture is None:
        return no_answer(desk)
    threshold, src = handlers.threshold_of(desk, exchange, usual), ""
    if exchange.answer.groundings or (desk.heat and exchange.answer.word_boxes):
        side, unit = desk.screen
        style = render.Style(desk.style, heat=desk.heat, side=side, unit=unit)
        drawn = render.annotate(desk.picture.at(side), exchange.answer, threshold, style)
        src = render.data_url(drawn)
    seen = phrases.seen_from(exchange, threshold)
    return {
        **render.overlay(exchange),
        **no_answer(desk, exchange=exchange.number),
        "src": src,
        "threshold": threshold,
        "edit": edits.editable(exchange.question, seen, threshold),
    }


def no_answer(desk: Desk, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Returns the canvas's `answer` that shows no boxes, for the picture on the desk."""
    key = desk.picture.key if desk.picture else None
    return {"exchange": None, "picture": key, "serial": next(handlers.SERIAL), **more}


def starters(desk: Desk) -> tuple[str, ...]:
    """Returns the questions to start with: of the sample on the desk, or those for any picture."""
    return desk.sample.questions if desk.sample else words.STARTERS
