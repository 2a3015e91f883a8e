"""The chat in HTML: phrases tied to boxes by number, and hostile text made inert.

Everything that a model or a person wrote is escaped here before it becomes HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import words
from app.theme import colour, ink
from model.types import Answer, Finish, Grounding, Phrase

if TYPE_CHECKING:
    from app.session import Exchange


def escape(text: str) -> str:
    """Returns text that neither HTML nor Markdown nor LaTeX reads as markup.

    Every ASCII character that is no letter, digit or space becomes a numeric entity; browsers show
    it as it was, and no parser in between sees a `<`, a `*` or a link.

    Example:
        >>> escape("<b>*hi*")
        '&#60;b&#62;&#42;hi&#42;'
    """
    return re.sub(r"[\x00-\x7f]", _entity, text)


def _entity(match: re.Match[str]) -> str:
    character = match.group()
    if character.isalnum() or character in " \n":
        return character
    return f"&#{ord(character)};" if character.isprintable() else " "


def clip(text: str, limit: int = 48) -> str:
    """Returns one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def numbered(answer: Answer) -> list[tuple[int, Grounding]]:
    """Returns the groundings that have boxes, with the numbers they bear everywhere, from 1."""
    return list(enumerate((g for g in answer.groundings if g.boxes), start=1))


def phrase_html(answer: Answer, exchange: int, threshold: float = 0.0) -> str:
    """Returns an answer's text with its grounded phrases as linked, focusable spans.

    Phrases stay plain that overlap an earlier one, have no place in the text, or whose boxes all
    score less than `threshold`.
    """
    pieces, position = [], 0
    spans = [
        (g.phrase.start, g.phrase.end, number, g.above(threshold))
        for number, g in numbered(answer)
        if g.phrase.start is not None and g.phrase.end is not None
    ]
    for start, end, number, grounding in sorted(spans, key=lambda span: span[:2]):
        if not position <= start < end <= len(answer.text) or not grounding.boxes:
            continue
        pieces.append(_text(answer.text[position:start]))
        pieces.append(_span(answer.text[start:end], exchange, number, grounding))
        position = end
    return "".join(pieces) + _text(answer.text[position:])


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _span(text: str, exchange: int, number: int, grounding: Grounding) -> str:
    label, score = clip(grounding.phrase.text), max(grounding.scores)
    title = words.SPAN_TITLE.format(number=number, label=label, score=score)
    count = f" ×{len(grounding.boxes)}" if len(grounding.boxes) > 1 else ""
    fill = colour(number - 1)
    # The number never stands alone on a line: it stays with the last word.
    head, space, last = text.rpartition(" ")
    return (
        f'<span class="ph x{exchange} g{number}" style="--c:{fill};--i:{ink(fill)}" tabindex="0" '
        f'role="button" title="{escape(title)}">{_text(head + space)}'
        f'<span class="nb">{_text(last)}{count}<span class="id">{number}</span></span></span>'
    )


def question_html(question: str) -> str:
    """Returns a person's question with its @marks as small tags."""
    safe = _text(question)
    return re.sub(r"&#64;(\d{1,3})(?!\d)", r'<span class="mk m\1">&#64;\1</span>', safe)


def chat(
    exchanges: Sequence[Exchange], threshold: Callable[[Exchange], float]
) -> list[dict[str, Any]]:
    """Returns the conversation as `gr.Chatbot` takes it.

    Args:
        exchanges: oldest first.
        threshold: returns the score from which an exchange's boxes count.
    """
    messages: list[dict[str, Any]] = []
    for exchange in exchanges:
        messages.append({"role": "user", "content": question_html(exchange.question)})
        messages.append({"role": "assistant", "content": _reply(exchange, threshold(exchange))})
    return messages


def _reply(exchange: Exchange, threshold: float) -> str:
    if exchange.error:
        return f'<span class="oops" role="alert">{_text(exchange.error)}</span>'
    if exchange.answer is None:
        return f'{_text(exchange.text)}<span class="caret"></span>'
    answer = seen_from(exchange, threshold)
    body = phrase_html(answer, exchange.number, threshold) or _text(words.NO_WORDS)
    match answer.finish:
        case Finish.ABSENT:
            return f'<span class="absent">{words.ABSENT}</span> {body}'
        case Finish.CANCELLED:
            return f'{body} <span class="note">{words.STOPPED}</span>'
        case Finish.LENGTH:
            return f'{body} <span class="note">{words.CUT_SHORT}</span>'
        case _:
            return body


def seen_from(exchange: Exchange, threshold: float) -> Answer:
    """Returns an exchange's answer as it reads at a threshold.

    A detection has no sentence of its own: it is put into words here, so that what falls below the
    threshold is said to be not present. Groundings keep their order, so numbers never change.
    """
    answer = exchange.answer or Answer(exchange.text)
    if not exchange.names or answer.finish not in (Finish.STOP, Finish.ABSENT):
        return answer
    text, groundings = "", []
    for grounding in answer.groundings:
        phrase = Phrase(grounding.phrase.text)
        if any(score >= threshold for score in grounding.scores):
            text += ", " if text else ""
            phrase = Phrase(phrase.text, len(text), len(text) + len(phrase.text))
            text += phrase.text
        groundings.append(replace(grounding, phrase=phrase))
    found = {g.phrase.text.casefold() for g in groundings if g.phrase.start is not None}
    missing = [name for name in exchange.names if name.casefold() not in found]
    if not found:
        text = words.ABSENT_NAMES.format(names=", ".join(exchange.names))
    elif missing:
        text = f"{text}. {words.MISSING_NAMES.format(names=', '.join(missing))}"
    finish = Finish.STOP if found else Finish.ABSENT
    return Answer(text, tuple(groundings), answer.word_boxes, finish)


def filtered(exchange: Exchange, threshold: float) -> Answer:
    """Returns an exchange's answer as it reads at a threshold, without what scores less."""
    answer = seen_from(exchange, threshold)
    kept = tuple(g for g in (g.above(threshold) for g in answer.groundings) if g.boxes)
    return replace(answer, groundings=kept)
