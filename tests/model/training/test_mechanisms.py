from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.config import MECHANISMS
from model.records import PictureFile
from model.training import mechanisms
from model.training.config import Recipe, Source
from model.vlm import DeixisModel
from tests.model import tiny
from tests.model.training import park

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


class _Untrained:
    """Stands in for a trainer: a model that learned nothing."""

    def __init__(self, recipe: Recipe) -> None:
        self.model, self.vocabulary = tiny.build(config=recipe.model), tiny.vocabulary()
        self.ran = False

    def run(self) -> bool:
        self.ran = True
        return True

    @contextmanager
    def averaged(self) -> Iterator[DeixisModel]:
        assert self.ran
        yield self.model


def test_each_mechanism_is_trained_and_measured_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.picture().save(tmp_path / "park.png")
    record = park.record(file=PictureFile(tmp_path, None, "park.png"))
    built: list[tuple[str, Path]] = []

    def build(recipe: Recipe, *, folder: Path, **_: Any) -> _Untrained:
        built.append((recipe.model.mechanism, folder))
        return _Untrained(recipe)

    monkeypatch.setattr(mechanisms, "build_trainer", build)
    found = mechanisms.compare(
        RECIPE, [record], data=tmp_path, cache=tmp_path, folder=tmp_path, trunk=tmp_path / "t.onnx",
        num_bins=9,
    )  # fmt: skip
    assert built == [(mechanism, tmp_path / mechanism) for mechanism in MECHANISMS]
    assert set(found) == set(MECHANISMS)
    for numbers in found.values():
        assert set(numbers) == {"Acc@0.5", "AP"}
        assert all(0 <= value <= 100 for value in numbers.values())
    assert json.loads((tmp_path / "mechanisms.json").read_text()) == found
