"""Questions that wait for one model: whoever comes next takes along all that wait.

Nobody waits for company: a question that finds the model free is answered alone. Those that arrive
meanwhile form the next batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.backends.base import EncodedPicture
from model.backends.streams import Sink

if TYPE_CHECKING:
    import torch

Token = tuple[int, float]
"""The id of a token, and how probable it was."""


@dataclass(slots=True, eq=False)
class Job:
    """A question on its way through a model.

    Attributes:
        encoded: the picture.
        prompt: what the family is asked.
        turns: earlier questions and answers.
        sink: where its tokens go.
        told: whether a token is out; then it cannot be begun anew.
        done: whether it needs no more work, well ended or not.
        error: why it failed.
    """

    encoded: EncodedPicture
    prompt: str
    turns: Sequence[tuple[str, str]]
    sink: Sink[Token]
    told: bool = False
    done: bool = False
    error: Exception | None = None


class Waiting:
    """The questions that wait for a model, oldest first."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Puts a question at the end."""
        with self._guard:
            self._jobs.append(job)

    def take(self, job: Job, most: int) -> list[Job]:
        """Removes and returns `job` and those that wait longest, at most `most` together."""
        with self._guard:
            batch = [job, *(other for other in self._jobs if other is not job)][:most]
            self._jobs = [other for other in self._jobs if other not in batch]
        return batch


def padded(rows: Sequence[torch.Tensor], value: int, *, left: bool = True) -> torch.Tensor:
    """Returns rows int64[1, T] of different lengths as one int64[N, max T].

    Args:
        rows: at least one.
        value: what fills the shorter ones.
        left: fill before, so that all end together, as generating needs it; or after.
    """
    import torch
    from torch.nn.functional import pad

    longest = max(row.shape[1] for row in rows)
    gaps = [longest - row.shape[1] for row in rows]
    sides = [(gap, 0) if left else (0, gap) for gap in gaps]
    return torch.cat([pad(row, side, value=value) for row, side in zip(rows, sides, strict=True)])
