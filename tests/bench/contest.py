"""Two ways to do the same, measured side by side: A B A B, so that both meet the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared.

    Attributes:
        what: one line for the table.
        against: what the other way is.
        target: what we aim at, as a sentence.
        ours: does it once.
        theirs: does it once, the other way.
        rounds: how often each is measured.
    """

    what: str
    against: str
    target: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    rounds: int = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """Raw seconds of a contest.

    Attributes:
        contest: what was compared.
        ours: seconds of every round.
        theirs: likewise.
    """

    contest: Contest
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times faster ours is, by medians."""
        return statistics.median(self.theirs) / statistics.median(self.ours)

    def row(self) -> str:
        """Returns a line of a Markdown table."""
        ours, theirs = (1e3 * statistics.median(raw) for raw in (self.ours, self.theirs))
        contest = self.contest
        return (
            f"| {contest.what} | {contest.against} | {ours:.1f} ms | {theirs:.1f} ms | "
            f"{self.ratio:.1f} × | {contest.target} |"
        )


def hold(contest: Contest) -> Outcome:
    """Returns the seconds of both ways, interleaved, after one round that does not count."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(contest.rounds + 1):
        for raw, do in ((ours, contest.ours), (theirs, contest.theirs)):
            started = time.perf_counter()
            do()
            if number:
                raw.append(time.perf_counter() - started)
    return Outcome(contest, tuple(ours), tuple(theirs))
