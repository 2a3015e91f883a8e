"""The recipe of a training run: typed, in JSON, unknown keys refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite

from model.config import ModelConfig, Section
from model.errors import ConfigError
from model.training.lessons import LessonConfig
from model.training.losses import LossConfig
from model.training.views import ViewConfig


@dataclass(frozen=True)
class Source(Section):
    """A record file and how often its pictures are visited.

    Attributes:
        records: path of the JSONL, gzipped or not, relative to the data folder.
        share: of all visits that go to this file, in relation to the other shares.
        rare: share of the file's pictures below which a class is rare, and its pictures are drawn
            more often (LVIS: 0.001); 0 draws all alike.
    """

    records: str
    share: float = 1.0
    rare: float = 0.0


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
        "objects", "context", "projector", "region_encoder", "prefixed", "links", "box_decoder",
        "findings", "word_locator", "mask_head", "pose_head",
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
        precision: `no` for float32 throughout, `bf16` or `fp16` to multiply matrices in half the
            bits; weights and losses stay float32.
        schedule: `cosine`, or `constant` after the warm-up.
        accumulate: parts a step's batch is divided into, to save memory.
        trunk_rate: the trunk's learning rate as a share of the others'.
        language_rate: the language model's.
        cached: look at each picture once, with a trunk that does not learn, and keep what was seen.
        views: how pictures are changed, where they are not cached.
        noise: how far proposals are moved, as shares of their size; see `denoising`.
        checkpointing: forget the language model's activations and compute them twice.
        grows: whether a checkpoint to go on from is given the layers and the canvas of `model`.
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
    precision: str = "bf16"
    schedule: str = "cosine"
    accumulate: int = 1
    trunk_rate: float = 1.0
    language_rate: float = 1.0
    cached: bool = True
    views: ViewConfig = field(default_factory=lambda: ViewConfig(windows=0.0))
    noise: float = 0.0
    checkpointing: bool = False
    grows: bool = False


MODES = ("full", "lora", "decoders")


@dataclass(frozen=True)
class FineTuneConfig(Section):
    """Settings of teaching a checkpoint something new; 0 and `auto` are filled in by `defaults`.

    Attributes:
        seed: of everything drawn.
        mode: `auto` or one of `MODES`.
        minutes: time budget for all of it; 0 for none.
        epochs: visits to each new picture, if there is no budget.
        steps: instead of epochs.
        batch: pictures a step.
        accumulate: parts a step's batch is divided into, to save memory.
        learning_rate: peak of the schedule.
        trunk_rate: the trunk's rate as a share of it.
        warmup: share of the steps.
        schedule: `cosine` or `constant`.
        weight_decay: AdamW's.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, which are what is measured and served.
        precision: `auto`, `no` or `bf16`.
        checkpointing: forget the language model's activations and compute them twice.
        replay_share: of all visits that go to earlier data, if there is any.
        words_share: of all steps that teach turns too, not only names to detect.
        evaluations: how often the validation pictures are looked at.
        patience: evaluations without a better one after which the run ends.
        val_pictures: most pictures looked at.
        save_every: steps between states that a run can be resumed from.
        proposal: weight of the losses of the trunk's cells.
        lora_rank: width of the low-rank changes.
        lora_alpha: their scale, times the rank.
        rare: share of the pictures below which a class is rare; see `sampling`.
        noise: how far proposals are moved; see `denoising`.
        views: how pictures are changed at a visit.
        losses: weights of the model's own losses.
        lessons: what is asked of each picture.
    """

    seed: int = 0
    mode: str = "auto"
    minutes: float = 0.0
    epochs: float = 0.0
    steps: int = 0
    batch: int = 0
    accumulate: int = 1
    learning_rate: float = 0.0
    trunk_rate: float = 0.0
    warmup: float = 0.05
    schedule: str = "cosine"
    weight_decay: float = 0.05
    clip: float = 5.0
    ema: float = 0.998
    precision: str = "auto"
    checkpointing: bool = False
    replay_share: float = 0.3
    words_share: float = 0.15
    evaluations: int = 8
    patience: int = 4
    val_pictures: int = 64
    save_every: int = 200
    proposal: float = 1.0
    lora_rank: int = 16
    lora_alpha: int = 32
    rare: float = 0.0
    noise: float = 0.0
    views: ViewConfig = field(default_factory=ViewConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    lessons: LessonConfig = field(
        default_factory=lambda: LessonConfig(
            captions=1, plain_captions=1, refs=2, regions=2, clicks=1, questions=1, talks=0
        )
    )

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ConfigError: a choice is unknown, or a number is out of its range.
        """
        for name, choices in (
            ("mode", ("auto", *MODES)),
            ("schedule", ("cosine", "constant")),
            ("precision", ("auto", "no", "bf16")),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {getattr(self, name)!r:.40}; choose from {choices}.")
        for name, kind in type(self).__annotations__.items():
            value = getattr(self, name)
            if kind in ("int", "float") and not (_is_number(value) and value >= 0):
                raise ConfigError(f"{name} is {value!r:.40}; it is a number from 0 on.")
        for name in ("accumulate", "evaluations", "save_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is at least 1.")
        if self.replay_share >= 1:
            raise ConfigError(f"replay_share is {self.replay_share}; something new must be left.")

    def with_values(self, pairs: Iterable[str]) -> FineTuneConfig:
        """Returns the settings with `key=value` texts laid over them.

        Raises:
            ConfigError: a key is unknown or a value impossible.
        """
        values = self.to_json()
        for pair in pairs:
            key, found, text = pair.partition("=")
            place, *inner = key.strip().split(".")
            if not found or place not in values:
                raise ConfigError(f"{pair!r:.60} is no setting; they are {sorted(values)}.")
            owner, last = (values[place], inner[0]) if inner else (values, place)
            owner[last] = _value(text.strip())
        return FineTuneConfig.from_json(values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
