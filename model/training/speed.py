"""What a recipe costs at full size: memory, speed and how much of the machine it uses.

The model has random weights and looks at noise, so nothing needs to be fetched; the steps are those
of training, optimizer and averages included.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from model.errors import ConfigError
from model.records import Expression, GroundedPhrase, LabelledObject, PictureFile, Record
from model.tokens import Vocabulary
from model.training import wording
from model.training.config import Recipe
from model.training.live_course import LiveCourse
from model.training.loop import Trainer
from model.types import Box, Size
from model.vlm import DeixisModel
from model.vocabulary import COCO_NAMES

PICTURES, THINGS = 8, 8
WARMUP = 2
GIB = 2**30
PEAK_TFLOPS = {
    "H200": 989.0, "H100": 989.0, "A100": 312.0, "L40": 181.0, "L4": 121.0, "4090": 165.0,
}  # fmt: skip
"""Dense bfloat16, as the makers state it, by a part of the device's name."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One stage on one machine.

    Attributes:
        stage: its name.
        device: name of the machine's accelerator, or cpu.
        parameters: of the whole model.
        trained: of them.
        batch: pictures a step.
        seconds: of a step, the median.
        pictures: a second.
        memory_gib: most that was held: of the accelerator, or else of the process.
        tflop: of a step, forward and backward, as they were run.
        mfu: share of the peak that these make in the time of a step; None if the peak is unknown.
    """

    stage: str
    device: str
    parameters: int
    trained: int
    batch: int
    seconds: float
    pictures: float
    memory_gib: float
    tflop: float
    mfu: float | None


def measure(
    recipe: Recipe, folder: Path, *, steps: int = 5, peak: float | None = None
) -> Iterator[Speed]:
    """Yields the cost of each stage of a recipe.

    Args:
        recipe: what would be trained.
        folder: for pictures of noise.
        steps: that are timed, after two that are not.
        peak: TFLOP/s of the machine in the recipe's precision, if it is not known by its name.

    Raises:
        ConfigError: no step would be timed.
    """
    if steps < 1:
        raise ConfigError(f"steps is {steps}; at least 1 is timed.")
    records = list(_noise(folder))
    tree = replace(recipe.model, classes=recipe.model.classes or COCO_NAMES)
    torch.manual_seed(recipe.seed)
    texts = [text for ways in vars(wording).values() if isinstance(ways, tuple) for text in ways]
    vocabulary = Vocabulary.train(
        [*texts, *COCO_NAMES] * 2, min(4096, recipe.model.language.vocab_size)
    )
    model = DeixisModel.from_tree(tree)
    for stage in recipe.stages:
        one = replace(recipe, stages=(replace(stage, steps=WARMUP + steps + 1),))
        one = replace(one, sources=(replace(recipe.sources[0], records="noise"),))
        if recipe.checkpointing:
            language: Any = model.prefixed.language
            language.activation_checkpointing_enable()
        trainer = Trainer(
            one, model, vocabulary, LiveCourse([records], one, vocabulary, model), folder
        )
        yield _of_stage(trainer, steps, peak)


def _of_stage(trainer: Trainer, steps: int, peak: float | None) -> Speed:
    device, stage = trainer.accelerator.device, trainer.recipe.stages[0]
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    taken = []
    for number in range(WARMUP + steps):
        began = time.perf_counter()
        trainer.take_step()
        if cuda:
            torch.cuda.synchronize()
        if number >= WARMUP:
            taken.append(time.perf_counter() - began)
    held = torch.cuda.max_memory_allocated() if cuda else _resident_bytes()
    with FlopCounterMode(display=False) as counter:
        trainer.take_step()
    seconds, tflop = sorted(taken)[len(taken) // 2], counter.get_total_flops() / 1e12
    name = torch.cuda.get_device_name() if cuda else "cpu"
    peak = peak or next((value for part, value in PEAK_TFLOPS.items() if part in name), None)
    weights = list(trainer.model.parameters())
    return Speed(
        stage=stage.name,
        device=name,
        parameters=sum(value.numel() for value in weights),
        trained=sum(value.numel() for value in weights if value.requires_grad),
        batch=stage.batch,
        seconds=seconds,
        pictures=stage.batch / seconds,
        memory_gib=held / GIB,
        tflop=tflop,
        mfu=tflop / seconds / peak if peak else None,
    )


def _resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _noise(folder: Path) -> Iterator[Record]:
    """Writes pictures of noise and yields records of about as much language as photographs have."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = chance.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
        names = [COCO_NAMES[(number + 7 * k) % len(COCO_NAMES)] for k in range(THINGS)]
        things = tuple(
            LabelledObject(name, Box(0.1 * k, 0.1, 0.1 * k + 0.2, 0.8))
            for k, name in enumerate(names)
        )
        captions = tuple(
            f"{name} beside another {other} in front of a {names[0]}"
            for name, other in zip(names[:5], names[3:], strict=True)
        )
        yield Record(
            id=str(number),
            size=Size(640, 480),
            file=PictureFile(folder, None, f"{number}.jpg"),
            objects=things,
            captions=captions,
            grounded=tuple(
                GroundedPhrase(k, 0, len(names[k]), (k,), names[k]) for k in range(len(captions))
            ),
            refs=tuple(
                Expression(f"the {name} on the left of the others", k, "position")
                for k, name in enumerate(names)
            ),
            label_space="coco80",
            exhaustive=True,
        )
