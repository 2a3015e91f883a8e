"""One example of each task, learned by heart by a tiny model: made once, asked by many tests."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from model.config import ModelConfig
from model.engine import Engine
from model.training.collate import Collator, Lesson
from model.training.losses import LossConfig, total
from model.types import (
    Answer,
    Box,
    Finish,
    Keypoints,
    Mask,
    Point,
    Points,
    Region,
    Size,
    Turn,
)
from tests.model import tiny

SIZE = Size(96, 64)
CLICK = Points((Point(0.7, 0.6),))
CAPTION = "a red square and a blue square."
STEPS, RATE = 300, 8e-3
QUESTIONS = (
    ("How many squares are there?", "two", ()),
    ("Is there a square?", "yes", ()),
    ("Is there a dog?", "no", ()),
    ("What colour is @1?", "blue", (tiny.RIGHT,)),
    ("Where in the picture is @1?", "left", (tiny.LEFT,)),
    ("Is @1 left or right of @2?", "left", (tiny.LEFT, tiny.RIGHT)),
    ("Is @1 left or right of @2?", "right", (tiny.RIGHT, tiny.LEFT)),
    ("What is the capital of France?", "I can't tell.", ()),
)
"""Questions about `picture`, their answers and the boxes of `@1`, `@2`."""


def cut_out() -> Mask:
    """Returns the left half of the blue square."""
    pixels = np.zeros((64, 96), bool)
    pixels[19:58, 53:70] = True
    return Mask(pixels)


def joints() -> Keypoints:
    """Returns a row of joints across the red square."""
    return Keypoints(tuple((0.12 + 0.015 * i, 0.25 + 0.02 * i, 2.0) for i in range(17)))


def _inside(text: str, box: Box, mask: Mask | None = None, pose: Keypoints | None = None) -> Answer:
    answer = tiny.grounded(text, (text, box))
    drawn = replace(
        answer.groundings[0], masks=(mask,) if mask else (), keypoints=(pose,) if pose else ()
    )
    return replace(answer, groundings=(drawn,))


def drawn(*boxes: Box) -> tuple[Region, ...]:
    """Returns boxes as the regions `@1`, `@2`, ..."""
    return tuple(Region(f"@{number}", box) for number, box in enumerate(boxes, 1))


def moved(box: Box) -> Box:
    """Returns a box as a detector might see it: not quite the true one."""
    return Box(box.x0 - 0.03, box.y0 - 0.02, box.x1 - 0.04, box.y1 + 0.03)


def lesson() -> Lesson:
    """Returns one example of each task about one picture."""
    here, there = drawn(tiny.LEFT), drawn(tiny.RIGHT)
    squares = (("squares", tiny.LEFT), ("squares", tiny.RIGHT))
    caption = (("a red square", tiny.LEFT), ("a blue square", tiny.RIGHT))
    turns = [
        Turn("the red square", tiny.grounded("the red square", ("the red square", tiny.LEFT))),
        Turn("Find all squares.", tiny.grounded("squares", *squares)),
        Turn("What is @1?", Answer("red square"), here),
        Turn("Describe @1.", Answer("the red one"), here),
        Turn("Describe @1.", Answer("the blue one"), there),
        Turn("Describe @1.", Answer("the red one"), drawn(moved(tiny.LEFT))),
        Turn("Describe @1.", Answer("the blue one"), drawn(moved(tiny.RIGHT))),
        Turn("What is @1?", tiny.grounded("blue square", ("blue square", tiny.RIGHT)),
             (Region("@1", CLICK),)),
        Turn("Describe this picture.", tiny.grounded(CAPTION, *caption)),
        Turn("Where is the zebra?", Answer("Not present.", finish=Finish.ABSENT)),
        Turn("Segment @1.", _inside("blue square", tiny.RIGHT, mask=cut_out()), there),
        Turn("Show the pose of @1.", _inside("red square", tiny.LEFT, pose=joints()), here),
        *(Turn(question, Answer(answer), drawn(*boxes)) for question, answer, boxes in QUESTIONS),
    ]  # fmt: skip
    names = [("dog", [tiny.LEFT]), ("bird", [tiny.RIGHT]), ("cat", list[Box]())]
    return Lesson(SIZE, turns, names, talks())


def talks() -> list[list[Turn]]:
    """Returns two talks that begin differently and end with the same question."""
    return [
        [
            Turn("What is @1?", Answer("red square"), drawn(tiny.LEFT)),
            Turn("And what is right of it, @1?", Answer("the blue one")),
        ],
        [
            Turn("What is @1?", Answer("blue square"), drawn(tiny.RIGHT)),
            Turn("And what is right of it, @1?", Answer("nothing")),
        ],
    ]


@cache
def engine() -> Engine:
    """Returns the engine of a model that was taught `lesson` and nothing else."""
    return teach(tiny.tree(), lesson(), LossConfig(smoothing=0.0), STEPS)


def teach(config: ModelConfig, lesson: Lesson, weights: LossConfig, steps: int) -> Engine:
    """Returns the engine of a new model that was taught one lesson again and again."""
    model = tiny.build(config=config).requires_grad_(True)
    batch, targets = Collator(tiny.vocabulary(), config)([lesson], tiny.sight(of=model))
    learned = [value for name, value in model.named_parameters() if not name.startswith("vision")]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0, betas=(0.9, 0.98))
    for step in range(steps):
        left = 1 - step / steps
        optimizer.param_groups[0]["lr"] = RATE * min(1, 10 * (1.1 - left), 2 * left)
        loss, _ = total(model, batch, model(batch), targets, weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
    model.requires_grad_(False)
    return Engine(model, tiny.vocabulary(), name="taught", version="1", device="cpu")
