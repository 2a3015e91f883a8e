"""From a recipe and a folder of records to a trainer that is ready to run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from model import checkpoint
from model.errors import ConfigError
from model.records import Record, read_records
from model.tokens import Vocabulary
from model.training import wording
from model.training.config import Recipe
from model.training.course import CachedCourse, School
from model.training.features import cache_features
from model.training.loop import Trainer
from model.training.questions import NUMBERS
from model.training.trunk_weights import load_onnx
from model.vlm import DeixisModel
from model.vocabulary import COCO_NAMES, GROUPS, plural

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
    """Returns a trainer over cached features, resumed if its folder holds a run.

    Args:
        recipe: what to do.
        data: folder of the record files.
        cache: folder for the features of the frozen trunk.
        folder: of the run: state and log.
        start: checkpoint to go on from; None begins anew.
        trunk: ONNX file with the trunk's weights, needed to begin anew.

    Raises:
        ConfigError: neither `start` nor `trunk` is given, or there is nothing to learn from.
        RecordError: a record file is missing or invalid.
    """
    if not recipe.sources:
        raise ConfigError("The recipe has no sources; name at least one record file.")
    records = {
        source.records: list(read_records(data / source.records)) for source in recipe.sources
    }
    torch.manual_seed(recipe.seed)
    if start is not None:
        model, vocabulary, _ = checkpoint.load(start, grow=True)
    elif trunk is not None:
        vocabulary = _vocabulary(records, folder, recipe.model.language.vocab_size)
        tree = replace(recipe.model, classes=recipe.model.classes or COCO_NAMES)
        model = DeixisModel.from_tree(tree)
        load_onnx(model.vision.trunk, trunk)
    else:
        raise ConfigError("A new model needs --trunk, the weights of its trunk, or --start.")
    schools = [
        School(read, cache_features(model.vision, read, cache / _stem(name)), source.share)
        for source in recipe.sources
        for name, read in [(source.records, records[source.records])]
    ]
    course = CachedCourse(schools, vocabulary, model, recipe.losses)
    trainer = Trainer(recipe, model, vocabulary, course, folder)
    trainer.resume()
    return trainer


def _vocabulary(records: dict[str, list[Record]], folder: Path, size: int) -> Vocabulary:
    saved = folder / "state" / "tokenizer.json"
    return Vocabulary.load(saved) if saved.exists() else Vocabulary.train(_texts(records), size)


def _texts(records: dict[str, list[Record]]) -> Iterator[str]:
    """Yields every sentence a lesson can hold, so that the vocabulary knows its words."""
    for read in records.values():
        for record in read:
            yield from record.captions
            yield from (ref.text for ref in record.refs)
    for value in vars(wording).values():
        if isinstance(value, tuple):
            yield from (text for text in value for _ in range(5))
    for name in COCO_NAMES:
        yield from (name, plural(name), name, plural(name))
    yield from (*NUMBERS, *NUMBERS, *GROUPS, wording.UNKNOWN, wording.NOT_PRESENT)


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".gz").removesuffix(".jsonl")
