"""Settings that nobody chose, from the data set, the checkpoint and the machine; each with why."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from model.config import ModelConfig
from model.counts import counted
from model.errors import RecordError
from model.tokens import Vocabulary
from model.training import exam
from model.training.config import FineTuneConfig, Recipe, Stage
from model.training.scenes import Scene
from model.trunk import STRIDES
from model.vlm import DeixisModel

FOUND = 0.2
"""AP50 from which a checkpoint sees what is taught already, and only has to learn its names."""
LOOKED_AT = 16
VISITS, MOST_VISITS = 40, 16_000
"""Visits to each new picture, and to all of them, if nobody said how long."""
MOST_EPOCHS = 400
FEW, WIDE, GENTLE = 50, 2.4, 0.5
"""Pictures that are few: they show things at few sizes, so they are seen in wider margins, too; and
they are soon learned, so the trunk learns at a gentler rate and forgets less."""
MINUTES = "{count} minute", "{count} minutes"
STEPS = "{count} step", "{count} steps"
NEW = "the new picture", "each of {count} new pictures"
TIMES = "once", "{count} times"
RATES = {"full": 8e-4, "lora": 1e-3, "decoders": 1e-3}
DECODERS = ("objects", "context", "links", "box_decoder", "word_locator")
READERS = ("projector", "region_encoder", "prefixed", "findings")
PROPOSERS = tuple(
    f"vision.trunk.heads.{level}.{part}"
    for level in range(len(STRIDES))
    for part in ("box", "objectness")
)
"""What of the trunk learns: where things are and that they are there. What they are stays;
a trunk that learned as a whole forgot its classes within 20 steps, replay or not."""


def fill_in(
    config: FineTuneConfig,
    scenes: Sequence[Scene],
    replay: Sequence[Scene],
    skilled: Callable[[], float],
) -> tuple[FineTuneConfig, list[str]]:
    """Returns settings without a gap, and a sentence for every one that was chosen here.

    Args:
        config: what was asked for.
        scenes: what is taught.
        replay: earlier data.
        skilled: returns `skill`, which takes a few seconds; asked only if it matters.

    Raises:
        RecordError: there is nothing to learn from.
    """
    if not any(scene.record.objects or scene.turns for scene in scenes):
        raise RecordError("No picture to learn from has a box or a turn; mark something first.")
    chosen: dict[str, Any] = {}
    reasons: list[str] = []
    cuda = torch.cuda.is_available()
    if config.mode == "auto":
        found = skilled()
        chosen["mode"] = "lora" if found >= FOUND or not replay else "full"
        reasons.append(_about_mode(chosen["mode"], found))
    if not config.batch:
        chosen["batch"] = 16 if cuda else 8
        reasons.append(f"batch {chosen['batch']}: for a {'GPU' if cuda else 'CPU'}.")
    if config.precision == "auto":
        chosen["precision"] = "bf16" if cuda and torch.cuda.is_bf16_supported() else "no"
    if not config.learning_rate:
        chosen["learning_rate"] = RATES[chosen.get("mode", config.mode)]
    if not replay:
        chosen["replay_share"] = 0.0
        reasons.append("Without --replay, what was known before may be forgotten.")
    if not config.trunk_rate:
        chosen["trunk_rate"] = GENTLE if len(scenes) < FEW else 1.0
    if len(scenes) < FEW and not config.views.widest:
        chosen["views"] = replace(config.views, widest=WIDE)
        reasons.append(f"views: so few ({len(scenes)}) pictures are seen in wider margins, too.")
    config = replace(config, **chosen)
    if not config.steps:
        config = replace(config, steps=_steps(config, len(scenes)))
        reasons.append(_about_steps(config, len(scenes)))
    return config, reasons


def _about_mode(mode: str, found: float) -> str:
    before = f"mode {mode}: before training, AP50 is {100 * found:.1f} on a few of the pictures"
    if found >= FOUND:
        return f"{before}, so the names are what has to be learned."
    if mode == "full":
        return f"{before}, so the trunk learns to propose such things, too."
    return (
        f"{before}. The trunk should learn to propose such things, too, but would forget others: "
        "give --replay, such as assets/replay.jsonl, or --mode full."
    )


def _steps(config: FineTuneConfig, count: int) -> int:
    fresh = config.batch * (1 - config.replay_share)
    if config.epochs:
        visits = config.epochs * count
    elif config.minutes:
        visits = max(MOST_EPOCHS * count, MOST_VISITS)
    else:
        visits = min(max(VISITS * count, 50 * config.batch), MOST_VISITS)
    return max(1, math.ceil(visits / fresh))


def _about_steps(config: FineTuneConfig, count: int) -> str:
    if config.minutes and not config.epochs:
        return f"{in_minutes(config.minutes)}, at most {counted(STEPS, config.steps)}."
    epochs = config.steps * config.batch * (1 - config.replay_share) / count
    return in_visits(config.steps, count, round(epochs))


def in_minutes(minutes: float) -> str:
    """Returns a budget in words."""
    return counted(MINUTES, _number(minutes))


def in_visits(steps: int, pictures: int, visits: float) -> str:
    """Returns in words how long a run without a budget is."""
    seen = counted(TIMES, _number(visits))
    return f"{counted(STEPS, steps)}: {counted(NEW, pictures)} is seen about {seen}."


def _number(value: float) -> int | str:
    """Returns a number as it is counted: whole, or in digits."""
    return int(value) if value == int(value) else f"{value:g}"


def skill(model: DeixisModel, vocabulary: Vocabulary, scenes: Sequence[Scene], seed: int) -> float:
    """Returns the AP50 with which a checkpoint finds the named things of a few pictures already."""
    marked = [scene.record for scene in scenes if scene.record.objects]
    some = random.Random(seed).sample(marked, min(LOOKED_AT, len(marked)))
    return max(0.0, exam.hold(model, vocabulary, some).value)


def recipe_of(
    config: FineTuneConfig, tree: ModelConfig, scenes: Sequence[Scene], changes: Sequence[str]
) -> Recipe:
    """Returns the recipe that settings without a gap stand for.

    Args:
        config: the settings.
        tree: of the model.
        scenes: what is taught; masks and joints are learned only if there are any.
        changes: names of the low-rank parameters, if there are some.
    """
    things = [thing for scene in scenes for thing in scene.record.objects]
    masks = any(thing.polygons for thing in things)
    poses = any(thing.keypoints for thing in things)
    lessons = replace(
        config.lessons,
        masks=config.lessons.masks if masks else 0,
        poses=config.lessons.poses if poses else 0,
    )
    trains = [*DECODERS, *changes]
    trains += ["mask_head"] * masks + ["pose_head"] * poses
    if config.mode == "full":
        trains += [*PROPOSERS, *READERS]
    elif config.mode == "lora":
        trains += ["region_encoder"]
    stage = Stage(
        config.mode, config.steps, config.batch, config.learning_rate, config.warmup,
        tuple(trains), lessons,
    )  # fmt: skip
    return Recipe(
        seed=config.seed,
        model=tree,
        stages=(stage,),
        losses=config.losses,
        weight_decay=config.weight_decay,
        clip=config.clip,
        ema=config.ema,
        save_every=config.save_every,
        precision=config.precision,
        schedule=config.schedule,
        accumulate=config.accumulate,
        trunk_rate=config.trunk_rate,
    )
