"""From scored boxes to answers; shared by families that write and families that detect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from model.types import Answer, Box, Finish, Grounding, Phrase

Scored = list[tuple[Box, float]]
"""Boxes with their scores."""


def grounding(phrase: Phrase, boxes: Scored, least: float) -> Grounding:
    """Returns a phrase with its boxes that score at least `least`, best first."""
    kept = sorted((pair for pair in boxes if pair[1] >= least), key=lambda pair: -pair[1])
    return Grounding(phrase, tuple(box for box, _ in kept), tuple(score for _, score in kept))


def with_boxes(groundings: Iterable[Grounding]) -> tuple[Grounding, ...]:
    """Returns those that are somewhere."""
    return tuple(item for item in groundings if item.boxes)


def detection(found: Mapping[str, Scored], least: float, limit: int) -> Answer:
    """Returns the best `limit` boxes over all names, a grounding for each name that has any."""
    every = sorted(
        ((score, name, box) for name, boxes in found.items() for box, score in boxes),
        key=lambda item: -item[0],
    )
    kept: dict[str, Scored] = {name: [] for name in found}
    for score, name, box in every[:limit]:
        kept[name].append((box, score))
    groundings = with_boxes(grounding(Phrase(name), boxes, least) for name, boxes in kept.items())
    text = ", ".join(item.phrase.text for item in groundings)
    return Answer(text, groundings, finish=Finish.STOP if groundings else Finish.ABSENT)


def expression(words: str, boxes: Scored, least: float, finish: Finish) -> Answer:
    """Returns where an expression is, as a single phrase; ABSENT if it is nowhere."""
    whole = grounding(Phrase(words, 0, len(words)), boxes, least)
    if whole.boxes:
        return Answer(words, (whole,), finish=finish)
    return Answer("", finish=Finish.ABSENT if finish is Finish.STOP else finish)


def locate(words: str, text: str) -> tuple[int, int] | None:
    """Returns where words first stand in a text as whole words, whatever their case."""
    if not words.strip():
        return None
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE)
    return found.span() if found else None


def anchored(
    caption: str, found: Iterable[tuple[str, Scored]], spans: Sequence[tuple[int, int]] | None
) -> dict[tuple[int, int], Scored]:
    """Returns boxes by the characters of a caption that they belong to.

    Args:
        caption: whose words are meant.
        found: phrases as a model repeats them, with boxes.
        spans: the spans asked about, each gets what overlaps it; None takes the phrases' own.

    Example:
        >>> anchored("A dog runs", [("a dog", [])], None)
        {(0, 5): []}
    """
    places: dict[tuple[int, int], Scored] = {}
    for words, boxes in found:
        own = locate(words, caption)
        if own is None:
            continue
        for span in [own] if spans is None else spans:
            if span[0] < own[1] and own[0] < span[1]:
                places.setdefault(span, []).extend(boxes)
    return places


def captioned(
    caption: str, places: Mapping[tuple[int, int], Scored], least: float, finish: Finish
) -> Answer:
    """Returns a caption with the boxes of its phrases."""
    groundings = (
        grounding(Phrase(caption[start:end], start, end), boxes, least)
        for (start, end), boxes in sorted(places.items())
    )
    return Answer(caption, with_boxes(groundings), finish=finish)


def match_name(label: str, names: Sequence[str]) -> str | None:
    """Returns the class name that a written label means; where one was asked for, that one.

    Example:
        >>> match_name("Dogs", ["cat", "dog"])
        'dog'
    """
    if len(names) == 1:
        return names[0]
    return {_stem(name): name for name in names}.get(_stem(label))


def _stem(name: str) -> str:
    return name.casefold().strip(" .").removesuffix("s")
