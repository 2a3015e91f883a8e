"""The way back: places written as a family would write them, to teach it, checked by reading them.

`Grammar.read` says what an output means; `write_answer` says what output means that, and refuses
what the family could not say, such as a box thinner than its coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from model.backends.grammar import Grammar
from model.errors import BackendError
from model.types import Box, Size

Places = Sequence[tuple[str, Sequence[Box]]]
"""Phrases with their boxes, in the order they are written."""


class UnwritableError(BackendError):
    """A family cannot say this."""


def write_answer(grammar: Grammar, text: str, places: Places, shown: Size) -> str:
    """Returns an answer as the family writes it.

    Args:
        grammar: the family's.
        text: plain words; where the family puts boxes into the words themselves, its phrases only.
        places: phrases with boxes; phrases without are left out.
        shown: pixel size of the picture as the model sees it.

    Raises:
        UnwritableError: reading it again does not give the same phrases and boxes, each coordinate
            within one step of the family's.
    """
    places = [(" ".join(phrase.split()), boxes) for phrase, boxes in places if boxes]
    match grammar.phrase:
        case _ if not places:
            # The families that list things as JSON say that there are none.
            written = text or ("[]" if grammar.phrase == "inside" else "")
        case "before":
            written = "".join(
                phrase + "".join(grammar.write(box, shown) for box in boxes)
                for phrase, boxes in places
            )
        case "after":
            written = " ; ".join(
                f"{grammar.write(box, shown)} {phrase}" for phrase, boxes in places for box in boxes
            )
        case "inside":
            written = f"{text}\n{_fenced(grammar, places, shown)}".strip()
        case _:
            raise UnwritableError(f"{grammar.family} cannot be taught places yet.")
    _check(grammar, written, places, shown)
    return written


def _fenced(grammar: Grammar, places: Places, shown: Size) -> str:
    key = "box_2d" if grammar.frame.y_first else "bbox_2d"
    rows = ",\n".join(
        f'\t{{"{key}": {grammar.write(box, shown)}, '
        f'"label": {json.dumps(phrase, ensure_ascii=False)}}}'
        for phrase, boxes in places
        for box in boxes
    )
    return f"```json\n[\n{rows}\n]\n```"


def _check(grammar: Grammar, written: str, places: Places, shown: Size) -> None:
    """Raises UnwritableError unless reading gives back what was written."""
    parsed = grammar.read(written, shown)
    read = [(found.phrase.text, box) for found in parsed.found for box in found.boxes]
    meant = [(phrase, box) for phrase, boxes in places for box in boxes]
    # JSON names each label once, wherever it stands; its boxes are read in that label's order.
    same = len(read) == len(meant) and all(
        any(name == phrase and _near(box, seen, grammar, shown) for name, seen in read)
        for phrase, box in meant
    )
    if parsed.failures or not same:
        raise UnwritableError(f"{grammar.family} cannot say {written!r:.200} in its coordinates.")


def _near(box: Box, seen: Box, grammar: Grammar, shown: Size) -> bool:
    across, down = grammar.frame.step(shown)
    steps = (across, down, across, down)
    pairs = zip(box.as_tuple(), seen.as_tuple(), steps, strict=True)
    return all(abs(a - b) <= step + 1e-9 for a, b, step in pairs)
