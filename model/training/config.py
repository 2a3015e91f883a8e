"""The recipe of a training run: typed, in JSON, unknown keys refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.config import ModelConfig, Section
from model.training.lessons import LessonConfig
from model.training.losses import LossConfig


@dataclass(frozen=True)
class Source(Section):
    """A record file and how often its pictures are visited.

    Attributes:
        records: path of the JSONL, gzipped or not, relative to the data folder.
        share: of all visits that go to this file, in relation to the other shares.
    """

    records: str
    share: float = 1.0


@dataclass(frozen=True)
class Stage(Section):
    """A stretch of training with one choice of what learns, from the averaged weights so far.

    Attributes:
        name: for the log.
        steps: batches.
        batch: pictures a step.
        learning_rate: peak of the cosine, reached after the warm-up.
        warmup: share of the steps.
        trains: prefixes of the parameters that learn; the others are frozen.
        lessons: what is asked of each picture.
    """

    name: str = "joint"
    steps: int = 4000
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: float = 0.03
    trains: tuple[str, ...] = (
        "objects", "projector", "region_encoder", "prefixed", "links", "box_decoder",
        "word_locator", "mask_head", "pose_head",
    )  # fmt: skip
    lessons: LessonConfig = field(default_factory=LessonConfig)


@dataclass(frozen=True)
class Recipe(Section):
    """A whole run.

    Attributes:
        seed: of everything drawn.
        sources: what is learned from.
        stages: one after the other.
        weight_decay: AdamW's.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights that are saved for serving.
        save_every: steps between checkpoints that a run can be resumed from.
    """

    seed: int = 0
    model: ModelConfig = field(default_factory=ModelConfig)
    sources: tuple[Source, ...] = ()
    stages: tuple[Stage, ...] = (Stage(),)
    losses: LossConfig = field(default_factory=LossConfig)
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.999
    save_every: int = 250
