"""A raw output as it grows: its pieces, how probable they were, and what they say in the end."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from model.backends.answers import Scored
from model.backends.grammar import Found, Parsed, Span
from model.types import Delta, Finish


@dataclass(frozen=True, slots=True)
class Step:
    """A further piece of raw output.

    Attributes:
        piece: characters, control marks included.
        probability: of the token; None if unknown.
        finish: why the output ends here; None if it goes on.
    """

    piece: str
    probability: float | None = None
    finish: Finish | None = None


@dataclass(slots=True)
class Draft:
    """A whole output, read, with the probabilities it was written with."""

    parsed: Parsed = field(default_factory=lambda: Parsed(""))
    finish: Finish = Finish.LENGTH
    _ends: list[int] = field(default_factory=list)
    _logs: list[float] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Notes how probable a piece was."""
        self._ends.append((self._ends[-1] if self._ends else 0) + len(step.piece))
        chance = 1.0 if step.probability is None else step.probability
        self._logs.append(math.log(max(chance, 1e-9)))

    def score(self, numbers: Iterable[Span]) -> float:
        """Returns the geometric mean of the probabilities of the tokens that spell coordinates.

        A token of no characters, such as padding between two digits, spells nothing.
        """
        tokens = {
            i
            for start, end in numbers
            for i in range(bisect_right(self._ends, start), bisect_right(self._ends, end - 1) + 1)
            if i < len(self._logs) and self._starts(i) < self._ends[i]
        }
        return math.exp(sum(self._logs[i] for i in tokens) / len(tokens)) if tokens else 1.0

    def _starts(self, i: int) -> int:
        return self._ends[i - 1] if i else 0

    def scored(self, found: Found) -> Scored:
        """Returns the boxes of a phrase with their scores."""
        return [
            (box, self.score(spans)) for box, spans in zip(found.boxes, found.numbers, strict=True)
        ]


def exhaust(draft: Generator[Delta, None, Draft]) -> Draft:
    """Returns the result of a draft whose words nobody reads."""
    while True:
        try:
            next(draft)
        except StopIteration as end:
            return end.value
