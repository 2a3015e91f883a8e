from __future__ import annotations

import json
from dataclasses import replace

import pytest

from model.config import ModelConfig, Section, TrunkConfig
from model.errors import ConfigError
from model.training.config import Recipe


@pytest.mark.parametrize("config", [ModelConfig(), ModelConfig.tiny(), Recipe()])
def test_a_config_survives_json(config: Section) -> None:
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config


def test_missing_keys_take_their_defaults_at_every_level() -> None:
    config = ModelConfig.from_json({"trunk": {"sides": [448, 672]}, "classes": ["dog", "cat"]})
    default = ModelConfig()
    assert config == replace(
        default, trunk=replace(default.trunk, sides=(448, 672)), classes=("dog", "cat")
    )


@pytest.mark.parametrize(
    "values", [{"thresholdd": 0.5}, {"trunk": {"side": 448}}, {"decoder": {"num_links": 4, "x": 1}}]
)
def test_unknown_keys_are_refused_and_named(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"has no \['(thresholdd|side|x)'\]; it has \["):
        ModelConfig.from_json(values)


def test_unknown_keys_of_a_source_in_a_list_are_refused() -> None:
    with pytest.raises(ConfigError, match="Source has no"):
        Recipe.from_json({"sources": [{"records": "a.jsonl", "shares": 2}]})


def test_a_section_must_be_keys_and_values() -> None:
    with pytest.raises(ConfigError, match="TrunkConfig is written as keys and values, got 448"):
        ModelConfig.from_json({"trunk": 448})


@pytest.mark.parametrize("num_apart", [-1, 13])
def test_no_more_proposals_stand_apart_than_there_are(num_apart: int) -> None:
    with pytest.raises(ConfigError, match=f"num_apart is {num_apart}; choose 0 to .* 12"):
        TrunkConfig(num_proposals=12, num_apart=num_apart)
    assert TrunkConfig(num_proposals=12, num_apart=12).num_apart == 12
