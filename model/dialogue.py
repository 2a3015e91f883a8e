"""From turns to tokens: words, region slots and grounded phrases, one turn behind the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from model.config import DecoderConfig
from model.tokens import Marked, Special, TokenRow, Vocabulary, join, mark, referred
from model.types import Answer, Box, Grounding, Shape, Turn

MAX_RECALLED = 3
"""Earlier turns that are read with a new question; the newest ones."""
MAX_RECALLED_TEXT = 240
"""Characters of an earlier answer; longer ones, such as long lists, are not read again."""


_BACK = re.compile(
    r"\b(it|its|they|them|their|those|these|he|she|him|her|his|others?|another|more|rest|same)\b"
    r"|^and\b|^(whereabouts|how many( are there)?|where( in the picture)?)\W*$",
    re.IGNORECASE,
)


def points_back(question: str) -> bool:
    """Whether a question can only be understood from what was said before.

    Example:
        >>> points_back("And where is it?"), points_back("Where is the dog?")
        (True, False)
    """
    return _BACK.search(question.strip()) is not None


def recalled(question: str, history: Sequence[Turn]) -> list[Turn]:
    """Returns the earlier turns that are read with a new question.

    Only a question that points back has any. The model was taught conversations about one thing;
    whatever is asked, it takes the earlier turns for its subject.
    """
    if not points_back(question):
        return []
    short = [turn for turn in history if len(turn.answer.text) <= MAX_RECALLED_TEXT]
    return short[-MAX_RECALLED:]


def dialogue_row(
    turns: Sequence[Turn],
    vocabulary: Vocabulary,
    config: DecoderConfig,
    drawn_before: Mapping[str, Shape] | None = None,
    write: Callable[[Sequence[Box]], Sequence[int]] | None = None,
) -> tuple[TokenRow, list[Shape]]:
    """Returns the tokens of turns that follow each other, and the shapes of their region slots.

    Args:
        turns: in their order; each may name regions that an earlier one has drawn.
        vocabulary: of the model.
        config: how many tokens a region and a grounded phrase take.
        drawn_before: regions of turns that are not among these.
        write: gives the location tokens of boxes, where phrases are located as text.

    Raises:
        RegionError: a question names a region that nobody has drawn.
    """
    rows: list[TokenRow] = []
    shapes: list[Shape] = []
    known: dict[str, Shape] = dict(drawn_before or {})
    for turn in turns:
        row, slots = _turn_row(turn, known, vocabulary, config, write)
        rows.append(row)
        shapes += slots
        known |= {region.name: region.shape for region in turn.regions}
    return join(rows), shapes


def _turn_row(
    turn: Turn,
    known: Mapping[str, Shape],
    vocabulary: Vocabulary,
    config: DecoderConfig,
    write: Callable[[Sequence[Box]], Sequence[int]] | None,
) -> tuple[TokenRow, list[Shape]]:
    drawn = {region.name: region.shape for region in turn.regions}
    slots = referred(turn.question, list(drawn), list(known))
    question = vocabulary.question(
        turn.question, slots, config.num_region_tokens, config.num_guided
    )
    groundings = kept_groundings(turn.answer)
    spans = [(g.phrase.start or 0, g.phrase.end or 0) for g in groundings]
    located = iter(groundings)
    pieces = [
        _located(piece, next(located), write) if piece.route else piece
        for piece in mark(turn.answer.text, spans, Special.GRD)
    ]
    shapes = {**known, **drawn}
    return vocabulary.turn(question, pieces, config.num_links), [shapes[name] for name in slots]


def _located(
    piece: Marked,
    grounding: Grounding,
    write: Callable[[Sequence[Box]], Sequence[int]] | None,
) -> Marked:
    route = route_of(grounding)
    if write is None or route is not Special.GRD:
        return replace(piece, route=route)
    return replace(piece, route=None, places=tuple(write(grounding.boxes)))


def route_of(grounding: Grounding) -> Special:
    """Returns the routing token that a grounding is written with."""
    if grounding.masks:
        return Special.SEG
    return Special.POSE if grounding.keypoints else Special.GRD


def routed(turns: Sequence[Turn], *, as_text: bool) -> list[Grounding]:
    """Returns the groundings of turns that stand behind a routing token, in the order of those.

    Args:
        turns: as `dialogue_row` reads them.
        as_text: whether boxes are written as text, which has no routing token.
    """
    kept = [grounding for turn in turns for grounding in kept_groundings(turn.answer)]
    return [g for g in kept if not as_text or route_of(g) is not Special.GRD]


def kept_groundings(answer: Answer) -> list[Grounding]:
    """Returns the groundings that `mark` keeps: ordered, the later of two overlapping left out."""
    kept: list[Grounding] = []
    place = 0
    spanned = [g for g in answer.groundings if g.phrase.start is not None and g.phrase.end]
    for grounding in sorted(spanned, key=lambda g: (g.phrase.start or 0, g.phrase.end or 0)):
        start, end = grounding.phrase.start or 0, grounding.phrase.end or 0
        if place <= start < end:
            kept.append(grounding)
            place = end
    return kept
