from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from model.errors import RecordError
from model.training.ahead import Steps, draw_from, seed_of, stage_at, workers_for
from model.training.config import Recipe, Stage

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core

RECIPE = Recipe(
    stages=(Stage("first", steps=3, batch=4), Stage("second", steps=4, batch=6)), accumulate=2
)


class Dice:
    """A course whose lessons are numbers."""

    def draw(self, stage: Stage, chance: random.Random, count: int) -> Any:
        return stage.name, [chance.random() for _ in range(count)]

    def loss(self, model: object, drawn: object) -> Any:
        raise NotImplementedError


def drawn(start: int, workers: int, recipe: Recipe = RECIPE) -> list[Any]:
    return list(draw_from(Steps(recipe, Dice()), start, 7, workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_other_processes_draw_what_this_one_would(workers: int) -> None:
    assert drawn(0, workers) == drawn(0, 0)
    assert drawn(2, workers) == drawn(0, 0)[2:], "a run that goes on draws what it would have"


class Vanished(Dice):
    """A course whose pictures are gone from the second stage on."""

    def draw(self, stage: Stage, chance: random.Random, count: int) -> Any:
        if stage.name == "second":
            raise RecordError("The picture 3.png is gone. Put it back.")
        return super().draw(stage, chance, count)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_refusal_arrives_as_it_was_said(workers: int) -> None:
    steps = draw_from(Steps(RECIPE, Vanished()), 0, 7, workers)
    assert [next(steps) for _ in range(3)] == drawn(0, 0)[:3]
    with pytest.raises(RecordError) as refused:
        next(steps)
    assert str(refused.value) == "The picture 3.png is gone. Put it back."


def test_a_step_learns_from_its_stage_in_parts() -> None:
    steps = drawn(0, 0)
    assert [[name for name, _ in parts] for parts in steps[2:4]] == [["first"] * 2, ["second"] * 2]
    assert [len(numbers) for parts in steps[2:4] for _, numbers in parts] == [2, 2, 3, 3]
    numbers = [number for parts in steps for _, some in parts for number in some]
    assert len(set(numbers)) == len(numbers)


def test_processes_that_train_together_draw_different_things() -> None:
    assert seed_of(RECIPE, 5, process=1) != seed_of(RECIPE, 5)
    assert Steps(RECIPE, Dice(), process=1)[0] != Steps(RECIPE, Dice())[0]
    assert Steps(replace(RECIPE, seed=1), Dice())[0] != Steps(RECIPE, Dice())[0]


def test_stages_follow_each_other() -> None:
    assert [stage_at(RECIPE, step) for step in (0, 2, 3, 6)] == [(0, 0), (0, 2), (1, 0), (1, 3)]


def test_beside_a_cpu_nobody_draws_ahead() -> None:
    assert workers_for(torch.device("cpu")) == 0
