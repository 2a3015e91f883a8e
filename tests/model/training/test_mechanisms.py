from __future__ import annotations

from dataclasses import replace

from model.config import MECHANISMS
from model.training import mechanisms
from model.training.config import Recipe, Source
from tests.model import tiny

RECIPE = Recipe(seed=5, model=tiny.tree(), sources=(Source("train.jsonl"),))


def test_recipes_differ_in_the_mechanism_and_its_losses_alone() -> None:
    recipes = [mechanisms.recipe_for(RECIPE, mechanism, 33) for mechanism in MECHANISMS]
    assert [recipe.model.mechanism for recipe in recipes] == list(MECHANISMS)
    first, *others = recipes
    assert first.losses == RECIPE.losses
    for recipe in others:
        model = replace(recipe.model, mechanism="queries")
        assert replace(recipe, model=model, losses=first.losses) == first
        assert recipe.losses.text == first.losses.text
        assert recipe.losses.smoothing == first.losses.smoothing
        assert (recipe.losses.score, recipe.losses.l1, recipe.losses.retrieval) == (0, 0, 0)
    assert first.model.language == replace(RECIPE.model.language, num_bins=33)
