from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import ConfigError, RecordError
from model.records import Record
from model.training import defaults, exam
from model.training.config import FineTuneConfig
from model.training.scenes import Scene
from tests.model import tiny
from tests.model.training.test_new_course import scene

ANY = FineTuneConfig()


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    return [scene(tmp_path, "red square", "blue square")] * 10


def fill(config: FineTuneConfig, scenes: list[Scene], **names: object) -> FineTuneConfig:
    replay = scenes[:1] if names.get("replay") else []
    found = names.get("found", 0.0)
    return defaults.fill_in(config, scenes, replay, lambda: float(str(found)))[0]


@pytest.mark.parametrize(
    ("found", "replay", "mode"),
    [(0.9, True, "lora"), (0.9, False, "lora"), (0.06, True, "full"), (0.06, False, "lora")],
)
def test_the_trunk_learns_where_hardly_anything_is_found_and_little_is_forgotten(
    scenes: list[Scene], found: float, replay: bool, mode: str
) -> None:
    config = fill(ANY, scenes, found=found, replay=replay)
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


def test_few_pictures_are_seen_in_wider_margins_unless_somebody_chose(scenes: list[Scene]) -> None:
    assert fill(ANY, scenes).views.widest == defaults.WIDE
    assert fill(ANY, scenes * 10).views.widest == 0
    asked = ANY.with_values(["views.widest=1.2"])
    assert fill(asked, scenes).views == asked.views


def test_the_trunk_learns_gently_from_few_pictures_unless_somebody_chose(
    scenes: list[Scene],
) -> None:
    assert fill(ANY, scenes).trunk_rate == defaults.GENTLE
    assert fill(ANY, scenes * 10).trunk_rate == 1
    assert fill(ANY.with_values(["trunk_rate=0.2"]), scenes * 10).trunk_rate == 0.2


def test_skill_is_measured_only_if_nobody_chose(scenes: list[Scene]) -> None:
    def never() -> float:
        raise AssertionError

    config, reasons = defaults.fill_in(replace(ANY, mode="full"), scenes, [], never)
    assert config.mode == "full"
    assert not any("AP50" in reason for reason in reasons)
    _, reasons = defaults.fill_in(ANY, scenes, scenes, lambda: 0.0561)
    assert "mode full: before training, AP50 is 5.6" in reasons[0]
    _, reasons = defaults.fill_in(ANY, scenes, [], lambda: 0.0561)
    assert "mode lora" in reasons[0]
    assert "give --replay" in reasons[0]


def test_skill_is_the_ap50_on_a_few_pictures(
    scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def hold(model: object, vocabulary: object, records: list[Record]) -> exam.Result:
        asked.append(len(records))
        return exam.Result({"AP50": {"value": 0.25}}, None, [])

    real = defaults.skill(tiny.build(), tiny.vocabulary(), scenes[:1], 0)
    assert 0.0 <= real <= 1.0
    monkeypatch.setattr(exam, "hold", hold)
    assert defaults.skill(tiny.build(), tiny.vocabulary(), scenes * 3, 0) == 0.25
    assert asked == [defaults.LOOKED_AT]


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


@pytest.mark.parametrize(
    ("settings", "pictures", "told"),
    [
        ({"minutes": 1.0, "batch": 8}, 1, "1 minute, at most 2,000 steps."),
        ({"minutes": 4.5, "batch": 8}, 10, "4.5 minutes, at most 2,000 steps."),
        ({"epochs": 1.0, "batch": 1}, 1, "1 step: the new picture is seen about once."),
        (
            {"epochs": 3.0, "batch": 10},
            10,
            "3 steps: each of 10 new pictures is seen about 3 times.",
        ),
    ],
)
def test_how_long_a_run_is_is_told_in_words(
    scenes: list[Scene], settings: dict[str, float], pictures: int, told: str
) -> None:
    config = FineTuneConfig.from_json({"mode": "lora", **settings})
    reasons = defaults.fill_in(config, scenes[:pictures], [], lambda: 1.0)[1]
    assert told in reasons
