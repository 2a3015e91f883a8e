"""Draws the lessons of coming steps while the model learns from the present ones.

On an accelerator a step is over before one process has drawn the next, so several draw.
"""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from model.errors import DeixisError
from model.training.config import Recipe, Stage
from model.training.course import Course

MOST_WORKERS = 14
PROCESS_STRIDE = 97_000_000_019
"""Apart from each other are the seeds of processes that train together."""


def seed_of(recipe: Recipe, step: int, process: int = 0) -> int:
    """Returns the seed of all that is drawn at a step by one of the processes that train."""
    return recipe.seed * 1_000_003 + step + process * PROCESS_STRIDE


def stage_at(recipe: Recipe, step: int) -> tuple[int, int]:
    """Returns the number of the stage a step belongs to, and the step within it."""
    number = 0
    while step >= recipe.stages[number].steps:
        step -= recipe.stages[number].steps
        number += 1
    return number, step


class Steps(Dataset[list[Any]]):
    """What each step of a recipe learns from: the same whoever draws it, and whenever."""

    def __init__(self, recipe: Recipe, course: Course, process: int = 0) -> None:
        self._recipe, self._course, self._process = recipe, course, process

    def __getitem__(self, step: int) -> list[Any]:
        """Returns the parts of a step's batch, as the course draws them."""
        stage: Stage = self._recipe.stages[stage_at(self._recipe, step)[0]]
        chance = random.Random(seed_of(self._recipe, step, self._process))
        count = max(1, stage.batch // self._recipe.accumulate)
        return [self._course.draw(stage, chance, count) for _ in range(self._recipe.accumulate)]


class _Told(Dataset["list[Any] | DeixisError"]):
    """Steps, or their refusals as they are: a process that raises adds its whole traceback."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __getitem__(self, step: int) -> list[Any] | DeixisError:
        try:
            return self._steps[step]
        except DeixisError as refusal:
            return refusal


def draw_from(steps: Steps, start: int, end: int, workers: int) -> Iterator[list[Any]]:
    """Yields what steps `start` to `end` learn from, drawn by so many processes ahead of time.

    Raises:
        DeixisError: what a step should learn from cannot be used, as whoever drew it said.
    """
    for drawn in DataLoader(
        _Told(steps),
        batch_size=None,
        sampler=range(start, end),
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_alone,
        multiprocessing_context="fork" if workers else None,
    ):
        if isinstance(drawn, DeixisError):
            raise drawn
        yield drawn


def workers_for(device: torch.device) -> int:
    """Returns how many processes draw: none beside a CPU, which has the steps themselves to do."""
    if device.type != "cuda" or "fork" not in multiprocessing.get_all_start_methods():
        return 0
    return max(0, min(MOST_WORKERS, len(os.sched_getaffinity(0)) - 1))


def _as_it_is(drawn: Any) -> Any:  # noqa: ANN401
    return drawn


def _alone(worker: int) -> None:
    """Keeps a drawing process to one thread; several are at work."""
    cv2.setNumThreads(0)
