"""The configuration tree of a checkpoint: typed, frozen, JSON in and out, unknown keys refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast, get_args, get_type_hints

from model.errors import ConfigError


@dataclass(frozen=True)
class Section:
    """A part of the configuration; converts itself from and to JSON."""

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """Returns the section; missing keys take their defaults.

        Raises:
            ConfigError: a key is unknown.
        """
        hints = get_type_hints(cls)
        unknown = sorted(set(values) - set(hints))
        if unknown:
            raise ConfigError(f"{cls.__name__} has no {unknown}; it has {sorted(hints)}.")
        parsed: dict[str, Any] = {key: _parse(hints[key], value) for key, value in values.items()}
        return cls(**parsed)

    def to_json(self) -> dict[str, Any]:
        """Returns every key with its value, nested sections as dicts."""
        return dataclasses.asdict(self)


def _parse(hint: object, value: object) -> object:
    if isinstance(hint, type) and issubclass(hint, Section):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{hint.__name__} is written as keys and values, got {value!r:.80}.")
        return hint.from_json(cast("Mapping[str, object]", value))
    if isinstance(value, list):
        item = (get_args(hint) or (None,))[0]
        return tuple(_parse(item, element) for element in cast("list[object]", value))
    return value


@dataclass(frozen=True)
class Part(Section):
    """A published part, in transformers' own classes. Without a configuration there is none.

    Attributes:
        name: on a model hub, or a folder; its weights are fetched from there when a run begins.
        config: transformers' own configuration, so that a checkpoint needs nothing else.
        mean, std: what pixels of [0, 1], RGB, are brought to before it sees them.
    """

    name: str = ""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __bool__(self) -> bool:
        return bool(self.config)


@dataclass(frozen=True)
class TrunkConfig(Section):
    """What sees: a small convolutional trunk, or published parts in its place.

    Attributes:
        sides: square canvas sides in pixels, multiples of 32; the picture is looked at once with
            each, and the first gives the pyramid. Published parts take one.
        width: channels of the convolutional trunk's first stage.
        depth: bottlenecks of its shallow stages.
        head_width: channels of each tower, and of the pyramid.
        num_classes: classes of the trunk's own head.
        num_proposals: boxes kept (object queries).
        same_class_iou: overlap above which the weaker of two proposals of one class is dropped.
        num_apart: how many of them are for what no other covers, whatever it may be.
        detector: RT-DETR, RT-DETRv2 or D-FINE, which gives pyramid and proposals.
        encoder: image encoder beside it, of 16-pixel patches, which gives the summit.
    """

    sides: tuple[int, ...] = (448,)
    width: int = 16
    depth: int = 1
    head_width: int = 64
    num_classes: int = 80
    num_proposals: int = 100
    same_class_iou: float = 0.65
    num_apart: int = 0
    # Cached features are named after what is written here, weights included; parts have weights.
    detector: Part = field(default_factory=Part, repr=False)
    encoder: Part = field(default_factory=Part, repr=False)

    def __post_init__(self) -> None:
        """Refuses parts that do not fit each other.

        Raises:
            ConfigError: sizes differ from those of the published parts, or more proposals are to
                stand apart than there are.
        """
        if not 0 <= self.num_apart <= self.num_proposals:
            raise ConfigError(
                f"trunk.num_apart is {self.num_apart}; choose 0 to trunk.num_proposals, "
                f"{self.num_proposals}."
            )
        if self.encoder and not self.detector:
            raise ConfigError("trunk.encoder needs a trunk.detector beside it.")
        if self.detector:
            _agree("trunk.head_width", self.head_width, self.detector, "d_model", 256)
            if len(self.sides) != 1:
                raise ConfigError(f"trunk.sides is {self.sides}; published parts take one side.")

    @property
    def summit_width(self) -> int:
        """Channels of the summit: an encoder's patches are taken two by two."""
        if self.encoder:
            return 4 * int(self.encoder.config["hidden_size"])
        return self.head_width if self.detector else 16 * self.width


@dataclass(frozen=True)
class ProjectorConfig(Section):
    """From the summit of the pyramid to image tokens.

    Attributes:
        kind: `linear`, `mlp` or `resampler` (learned queries with cross-attention).
        shuffle: cells of this side become one token.
        num_objects: best object queries that become image tokens.
        num_queries: tokens of the resampler.
    """

    kind: str = "mlp"
    shuffle: int = 2
    num_objects: int = 64
    num_queries: int = 32


@dataclass(frozen=True)
class LanguageConfig(Section):
    """The causal language model: a transformers Qwen3 of this size, or a published one.

    Attributes:
        vocab_size: tokens, special ones included.
        width: of the residual stream.
        hidden: of the gated feed-forward.
        num_layers: transformer blocks.
        num_heads: attention heads of `width / num_heads` each.
        dropout: of embeddings while training; attention has none, it would cost a third more.
        max_length: most tokens of a picture, its history and an answer.
        num_bins: location tokens behind the words, to write boxes as text; 0 for none.
        base: a published decoder; `width` and `vocab_size` are then its own, the latter with our
            special tokens before its words.
    """

    vocab_size: int = 4096
    width: int = 256
    hidden: int = 704
    num_layers: int = 4
    num_heads: int = 4
    dropout: float = 0.1
    max_length: int = 1024
    num_bins: int = 0
    base: Part = field(default_factory=Part)

    def __post_init__(self) -> None:
        """Refuses what is not as the published decoder has it; raises ConfigError."""
        if self.base:
            _agree("language.width", self.width, self.base, "hidden_size", 0)
            if not self.base.config.get("tie_word_embeddings"):
                raise ConfigError(
                    f"{self.base.name or 'The part'} has no tie_word_embeddings; choose a decoder "
                    "that reads words off with its own embeddings."
                )


@dataclass(frozen=True)
class DecoderConfig(Section):
    """Routing tokens, their super-link queries, and the box decoder.

    Attributes:
        num_links: super-link queries after each routing token.
        width: of the object queries.
        num_layers: decoder layers.
        num_heads: attention heads.
        num_region_tokens: tokens a drawn region becomes.
        num_fourier: frequencies of the region encoder's coordinates.
        num_guided: image tokens that every question picks for itself, by its own words.
        conditioned: the phrase reaches the decoder's layers; without, it is only read as a mixture
            of the trunk's classes (an ablation).
    """

    num_links: int = 4
    width: int = 160
    num_layers: int = 2
    num_heads: int = 5
    num_region_tokens: int = 1
    num_fourier: int = 32
    num_guided: int = 0
    conditioned: bool = True


def _agree(name: str, value: int, part: Part, key: str, default: int) -> None:
    if value != (its := part.config.get(key, default)):
        raise ConfigError(f"{name} is {value}, but {part.name or 'the part'} has {key} {its}.")


TASKS = ("detect", "refer", "ground", "region", "click", "caption", "dense", "chat", "words",
         "segment", "pose")  # fmt: skip


MECHANISMS = ("queries", "words", "coordinates")
"""How a phrase is located: by the box decoder, by its words' states, by location tokens."""


@dataclass(frozen=True)
class ModelConfig(Section):
    """A whole checkpoint.

    Attributes:
        mechanism: one of `MECHANISMS`.
        threshold: score from which a box counts as found; chosen on validation pictures.
        trust: share of the decoder's corrections of scores and boxes that counts when class names
            are detected; chosen on validation pictures. With 0 the trunk's own are kept.
        shift: added to the score logits of class names, so that they share the threshold.
        new_shift: the same for names that are none of the trunk's classes; they are always
            corrected wholly.
        tasks: what the checkpoint was trained to do.
        classes: names of the trunk's own classes, in its order.
        taught: names that were learned beyond them.
    """

    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    mechanism: str = "queries"
    threshold: float = 0.4
    trust: float = 1.0
    shift: float = 0.0
    new_shift: float = 0.0
    tasks: tuple[str, ...] = TASKS
    classes: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()

    @classmethod
    def tiny(cls) -> Self:
        """Returns a model that is built, run and trained in a blink, for tests."""
        return cls(
            trunk=TrunkConfig(sides=(64,), width=4, head_width=8, num_proposals=12),
            projector=ProjectorConfig(num_objects=8, shuffle=1),
            language=LanguageConfig(vocab_size=512, width=32, hidden=64, num_layers=2, num_heads=2),
            decoder=DecoderConfig(width=32, num_layers=2, num_heads=2, num_fourier=4),
        )
