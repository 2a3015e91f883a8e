"""Compares the ways to localize: same data, steps, language model and first weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model.config import MECHANISMS, ModelConfig
from model.engine import Engine
from model.evaluate import evaluate_lines
from model.metrics.queries import Task
from model.predict import predict
from model.records import Record
from model.training.config import Recipe
from model.training.losses import LossConfig
from model.training.setup import build_trainer

NO_QUERIES = LossConfig(score=0.0, l1=0.0, giou=0.0, retrieval=0.0, trunk_class=0.0)
WEIGHTS = {"words": replace(NO_QUERIES, words=5.0), "coordinates": NO_QUERIES}
"""Losses of the mechanisms that have no box decoder; the place of a word counts as a box does."""


def with_mechanism(config: ModelConfig, mechanism: str, num_bins: int) -> ModelConfig:
    """Returns a configuration that localizes in another way.

    Every mechanism gets the location tokens, so that all models have the same shape and, under one
    seed, begin with the same weights.
    """
    language = replace(config.language, num_bins=num_bins)
    return replace(config, mechanism=mechanism, language=language)


def recipe_for(recipe: Recipe, mechanism: str, num_bins: int) -> Recipe:
    """Returns a recipe with another mechanism and the losses it learns from."""
    losses = replace(WEIGHTS.get(mechanism, recipe.losses), smoothing=recipe.losses.smoothing)
    return replace(recipe, model=with_mechanism(recipe.model, mechanism, num_bins), losses=losses)


def compare(
    recipe: Recipe,
    records: Sequence[Record],
    *,
    data: Path,
    cache: Path,
    folder: Path,
    trunk: Path,
    mechanisms: Sequence[str] = MECHANISMS,
    num_bins: int = 257,
) -> dict[str, dict[str, float]]:
    """Trains each mechanism by the recipe and measures it; goes on where it was stopped.

    Args:
        recipe: data, steps and language model, the same for all.
        records: validation pictures.
        data: folder of the recipe's record files.
        cache: folder of the trunk's features, shared by all.
        folder: gets a run for each mechanism, and `mechanisms.json`.
        trunk: ONNX file with the trunk's weights.
        mechanisms: which.
        num_bins: location tokens.

    Returns:
        For each mechanism `Acc@0.5` of referring and `AP` of detection.
    """
    found: dict[str, dict[str, float]] = {}
    for mechanism in mechanisms:
        trainer = build_trainer(
            recipe_for(recipe, mechanism, num_bins), data=data, cache=cache,
            folder=folder / mechanism, trunk=trunk,
        )  # fmt: skip
        trainer.run()
        with trainer.averaged() as model:
            engine = Engine(
                model, trainer.vocabulary, name=mechanism, version="compared", device="cpu"
            )
            lines = predict(engine, records, [Task.REFER, Task.DETECT])
            metrics = evaluate_lines(records, lines)
        found[mechanism] = {
            "Acc@0.5": metrics.value("refer", "acc50"), "AP": metrics.value("detect", "AP"),
        }  # fmt: skip
        (folder / "mechanisms.json").write_text(json.dumps(found, indent=1) + "\n")
    return found
