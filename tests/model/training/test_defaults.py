from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import ConfigError, RecordError
from model.preprocess import Letterbox
from model.records import LabelledObject
from model.training import defaults
from model.training.config import FineTuneConfig
from model.training.scenes import Scene
from model.types import Box
from tests.model import tiny
from tests.model.training.test_new_course import scene

ANY = FineTuneConfig()


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    return [scene(tmp_path, "red square", "blue square")] * 10


def fill(config: FineTuneConfig, scenes: list[Scene], **names: object) -> FineTuneConfig:
    replay = scenes[:1] if names.get("replay") else []
    return defaults.fill_in(config, scenes, replay, tiny.model().vision)[0]


@pytest.mark.parametrize(("covered", "mode"), [(0.9, "lora"), (0.5, "full")])
def test_the_trunk_learns_if_it_does_not_propose_the_things(
    scenes: list[Scene], monkeypatch: pytest.MonkeyPatch, covered: float, mode: str
) -> None:
    monkeypatch.setattr(defaults, "coverage", lambda *_: covered)
    config = fill(ANY, scenes)
    assert config.mode == mode
    assert config.learning_rate == defaults.RATES[mode]
    assert fill(replace(ANY, mode="decoders"), scenes).mode == "decoders"


def test_no_gap_is_left_and_what_was_chosen_stays(scenes: list[Scene]) -> None:
    config = fill(ANY, scenes)
    assert config.batch
    assert config.steps
    assert config.precision in ("no", "bf16")
    assert config.replay_share == 0, "nothing to replay"
    assert fill(ANY, scenes, replay=True).replay_share == ANY.replay_share
    assert fill(config, scenes) == config
    asked = replace(ANY, mode="full", batch=4, epochs=2.0, replay_share=0.0)
    assert fill(asked, scenes).steps == 5, "two visits to ten pictures, four at a time"


def test_coverage_is_the_share_of_things_that_are_proposed(scenes: list[Scene]) -> None:
    vision = tiny.model().vision
    sight = tiny.sight()
    letterbox = Letterbox.fit(scenes[0].record.size, 64)
    place = letterbox.to_unit(sight.boxes[0, 0]).clamp(0, 1)
    thing = LabelledObject("thing", Box(*place.tolist()))
    nowhere = LabelledObject("speck", Box(0.5, 0.5, 0.501, 0.501))
    record = replace(scenes[0].record, objects=(thing, nowhere))
    assert defaults.coverage(vision, [replace(scenes[0], record=record)], 0) == 0.5


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="mark something"):
        fill(ANY, [scene(tmp_path)])


def test_only_what_the_mode_names_learns(scenes: list[Scene]) -> None:
    trains = {}
    for mode in ("full", "lora", "decoders"):
        config = fill(replace(ANY, mode=mode), scenes)
        recipe = defaults.recipe_of(config, tiny.tree(), scenes, ["prefixed.x.lora_A"])
        trains[mode] = set(recipe.stages[0].trains)
        assert recipe.stages[0].lessons.masks == 0, "there are no outlines to learn from"
    learning = {name for name in trains["full"] if name.startswith("vision")}
    assert learning == set(defaults.PROPOSERS)
    assert not {name for name in trains["lora"] | trains["decoders"] if name.startswith("vision")}
    assert "prefixed" not in trains["lora"] | trains["decoders"]
    assert trains["decoders"] < trains["lora"]


@pytest.mark.parametrize(
    "pairs",
    [
        ["mode=half"], ["batch=-1"], ["batch=nan"], ["batch"], ["bach=3"], ["seed=true"],
        ["replay_share=1"], ["evaluations=0"], ["learning_rate=fast"], ["lessons.cap=1"],
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(pairs: list[str]) -> None:
    with pytest.raises(ConfigError):
        ANY.with_values(pairs)


def test_settings_are_laid_over() -> None:
    config = ANY.with_values(["batch=3", "schedule=constant", "lessons.refs=7", "ema=0.5"])
    assert (config.batch, config.schedule, config.lessons.refs, config.ema) == (
        3,
        "constant",
        7,
        0.5,
    )
    assert FineTuneConfig.from_json(config.to_json()) == config
