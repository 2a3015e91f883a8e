"""Dense captioning: everything that was found, described one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from model import boxes
from model.types import Answer, Box, Delta, Event, Finish, Grounding, Phrase

MOST = 12
"""Things described in one answer."""
SAME_PLACE = 0.7
"""Overlap above which two things, whatever their names, are described once."""


def distinct(found: Answer) -> list[tuple[Box, float]]:
    """Returns the places of a detection and their scores, best first, each place once."""
    every = [
        (box, score)
        for grounding in found.groundings
        for box, score in zip(grounding.boxes, grounding.scores, strict=True)
    ]
    places = torch.tensor([box.as_tuple() for box, _ in every]).view(-1, 4)
    scores = torch.tensor([score for _, score in every])
    return [every[i] for i in boxes.suppress(places, scores, SAME_PLACE, MOST).tolist()]


def describe_all(
    things: Sequence[tuple[Box, float]],
    describe: Callable[[Box], str],
    stop: Callable[[], bool] | None,
) -> Iterator[Event]:
    """Yields a description of each thing, then the whole answer with a grounding for each."""
    text = ""
    groundings: list[Grounding] = []
    for box, score in things:
        if stop is not None and stop():
            yield Answer(text, tuple(groundings), finish=Finish.CANCELLED)
            return
        words = describe(box) or "something"
        piece = f"; {words}" if text else words
        text += piece
        phrase = Phrase(words, len(text) - len(words), len(text))
        groundings.append(Grounding(phrase, (box,), (score,)))
        yield Delta(piece)
    if groundings:
        yield Answer(text, tuple(groundings))
    else:
        yield Answer("Nothing that I know is here.", finish=Finish.ABSENT)
