from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import ConfigError
from model.training import speed
from model.training.__main__ import main
from model.training.config import Stage
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


def test_no_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="steps is 0"):
        next(speed.measure(small_recipe.recipe(published.tree()), tmp_path, steps=0))
