"""The other ways to localize as recipes: same data, steps, language model and first weights."""

from __future__ import annotations

from dataclasses import replace

from model.config import ModelConfig
from model.training.config import Recipe
from model.training.losses import LossConfig

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
