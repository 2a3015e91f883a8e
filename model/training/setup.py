"""From a recipe and a folder of records to a trainer that is ready to run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from model import checkpoint
from model.errors import ConfigError
from model.records import Record, read_records
from model.tokens import Vocabulary
from model.training import expressions, wording
from model.training.config import Recipe
from model.training.course import CachedCourse, Course, School
from model.training.features import cache_features
from model.training.growing import grown
from model.training.live_course import LiveCourse
from model.training.loop import Trainer
from model.training.parts import fetch_weights, fetch_words
from model.training.questions import NUMBERS
from model.training.sampling import Sampler
from model.training.trunk_weights import load_trunk
from model.vision import Vision
from model.vlm import DeixisModel
from model.vocabulary import COCO_NAMES, GROUPS, plural

SIZES = ("trunk", "projector", "language", "decoder")
CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def read_recipe(name_or_path: str) -> Recipe:
    """Returns a recipe by name (a file of `model/configs`) or by path.

    Raises:
        ConfigError: there is no such file, or it is no valid recipe.
    """
    path = Path(name_or_path)
    path = path if path.suffix == ".json" else CONFIGS / f"{name_or_path}.json"
    try:
        return Recipe.from_json(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        known = sorted(item.stem for item in CONFIGS.glob("*.json"))
        raise ConfigError(f"Recipe {name_or_path!r}: {error}. Known recipes: {known}.") from error


def build_trainer(
    recipe: Recipe,
    *,
    data: Path,
    cache: Path,
    folder: Path,
    start: Path | None = None,
    trunk: Path | None = None,
) -> Trainer:
    """Returns a trainer, resumed if its folder holds a run.

    Args:
        recipe: what to do.
        data: folder of the record files.
        cache: folder for the features of the frozen trunk, if the recipe keeps them.
        folder: of the run: state and log.
        start: checkpoint to go on from; None begins anew.
        trunk: ONNX file or checkpoint with the weights of a new convolutional trunk.

    Raises:
        ConfigError: a new trunk has no weights, there is nothing to learn from, or a stage teaches
            a trunk whose features are kept.
        CheckpointError: a published part cannot be fetched.
        RecordError: a record file is missing or invalid.
    """
    if not recipe.sources:
        raise ConfigError("The recipe has no sources; name at least one record file.")
    trained = {name for stage in recipe.stages for name in stage.trains}
    if recipe.cached and any(name.startswith("vision") for name in trained):
        raise ConfigError("A stage trains vision, so what was seen cannot be kept: cached is true.")
    records = {
        source.records: list(read_records(data / source.records)) for source in recipe.sources
    }
    torch.manual_seed(recipe.seed)
    if start is not None:
        model, vocabulary, _ = checkpoint.load(start, grow=True)
        if recipe.grows:
            sizes = {name: getattr(recipe.model, name) for name in SIZES}
            model = grown(model, replace(model.tree, **sizes))
    else:
        model, vocabulary = _new(recipe, records, folder, trunk)
    if recipe.checkpointing:
        language: Any = model.prefixed.language
        language.activation_checkpointing_enable()
    course = _course(recipe, records, cache, vocabulary, model)
    trainer = Trainer(recipe, model, vocabulary, course, folder)
    trainer.resume()
    return trainer


def _new(
    recipe: Recipe, records: dict[str, list[Record]], folder: Path, trunk: Path | None
) -> tuple[DeixisModel, Vocabulary]:
    """Returns an untrained model, but for its trunk and its published parts, and its words."""
    tree = replace(recipe.model, classes=recipe.model.classes or COCO_NAMES)
    base, saved = tree.language.base, folder / "state" / "tokenizer.json"
    model = DeixisModel.from_tree(tree)
    if saved.exists():
        vocabulary = Vocabulary.load(saved)
    elif base:
        vocabulary = fetch_words(base)
    else:
        vocabulary = Vocabulary.train(_texts(records), tree.language.vocab_size)
    fetch_weights(model)
    if isinstance(model.vision, Vision):
        if trunk is None:
            raise ConfigError("A new model needs --trunk, the weights of its trunk, or --start.")
        load_trunk(model.vision.trunk, trunk)
    return model, vocabulary


def _course(
    recipe: Recipe,
    records: dict[str, list[Record]],
    cache: Path,
    vocabulary: Vocabulary,
    model: DeixisModel,
) -> Course:
    read = [records[source.records] for source in recipe.sources]
    if not recipe.cached:
        return LiveCourse(read, recipe, vocabulary, model)
    schools = [
        School(
            some,
            cache_features(model.vision, some, cache / _stem(source.records)),
            source.share,
            Sampler(some, source.rare),
        )
        for source, some in zip(recipe.sources, read, strict=True)
    ]
    return CachedCourse(schools, vocabulary, model, recipe.losses, recipe.noise)


def _texts(records: dict[str, list[Record]]) -> Iterator[str]:
    """Yields every sentence a lesson can hold, so that the vocabulary knows its words."""
    for read in records.values():
        for record in read:
            yield from record.captions
            yield from (ref.text for ref in record.refs)
    for value in vars(wording).values():
        if isinstance(value, tuple):
            yield from (text for text in value for _ in range(5))
    for ways in expressions.WAYS.values():
        yield from (text for text in (*ways, *expressions.NEXT_TO) for _ in range(5))
    for name in COCO_NAMES:
        yield from (name, plural(name), name, plural(name))
    yield from (*NUMBERS, *NUMBERS, *GROUPS, wording.UNKNOWN, wording.NOT_PRESENT)


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".gz").removesuffix(".jsonl")
