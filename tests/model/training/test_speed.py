from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from model.errors import ConfigError
from model.training import speed
from model.training.__main__ import main
from model.training.config import Stage
from model.training.setup import read_recipe
from tests.model import published
from tests.model.training import small_recipe


def test_every_stage_of_a_recipe_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, all_of_it = ("projector", "links"), ("vision.encoder", *Stage().trains)
    made = small_recipe.recipe(
        published.tree(),
        stages=(Stage("few", 10, 4, trains=few), Stage("all", 10, 4, trains=all_of_it)),
        cached=False,
    )
    recipe = small_recipe.written(made, tmp_path / "parts.json")
    words = ["measure", f"--recipe={recipe}", "--steps=1", "--batch=2", "--peak=0.5",
             f"--out={tmp_path / 'noise'}"]  # fmt: skip
    assert main(words) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first, second = (event for event in told if event["event"] == "speed")
    assert (first["stage"], second["stage"]) == ("few", "all")
    assert first["parameters"] == second["parameters"] > second["trained"] > first["trained"] > 0
    assert first["batch"] == 2
    assert first["tflop"] > 0
    assert second["tflop"] > first["tflop"], "what is frozen needs no backward pass"
    for found in (first, second):
        assert found["mfu"] == pytest.approx(found["tflop"] / found["seconds"] / 0.5)
        assert found["pictures"] == pytest.approx(2 / found["seconds"])
        assert 0.05 < found["memory_gib"] < 8


@pytest.mark.gpu
def test_the_larger_recipe_trains_at_full_size(tmp_path: Path) -> None:
    if torch.cuda.get_device_properties(0).total_memory < 70 * speed.GIB:
        pytest.skip("the GPU has less than 70 GiB")
    recipe = read_recipe("deixis-1b")
    for found in speed.measure(recipe, tmp_path, steps=2):
        assert 0.9e9 < found.parameters < 1.1e9
        assert found.trained < found.parameters
        assert found.memory_gib < 75
        assert found.mfu is None or 0.02 < found.mfu < 1


def test_no_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="steps is 0"):
        next(speed.measure(small_recipe.recipe(published.tree()), tmp_path, steps=0))
