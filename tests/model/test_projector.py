from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import ModelConfig, ProjectorConfig
from model.errors import ConfigError
from model.objects import ObjectEncoder
from model.projector import Projector
from tests.model import tiny


def _config(**projector: object) -> ModelConfig:
    return replace(tiny.tree(), projector=ProjectorConfig(num_objects=8, **projector))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "shuffle", "cells"),
    [("linear", 1, 4), ("mlp", 1, 4), ("mlp", 2, 1), ("resampler", 1, 32)],
)
def test_every_kind_gives_grid_tokens_and_object_tokens(
    kind: str, shuffle: int, cells: int
) -> None:
    config = _config(kind=kind, shuffle=shuffle)
    sight = tiny.sight(2)
    tokens, real = Projector(config)(sight, ObjectEncoder(config)(sight))
    assert tokens.shape == (2, cells + 8, 32)
    assert real.all()
    assert not tiny.close(tokens[0], tokens[1]), "both pictures look the same"


def test_padded_proposals_give_no_real_tokens_and_the_grid_stays() -> None:
    sight = tiny.sight(2)
    sight = replace(sight, valid=sight.valid & (torch.arange(2)[:, None] == 0))
    _, real = tiny.model().projector(sight, tiny.model().objects(sight))
    assert real[0].all()
    assert real[1].tolist() == [True] * 4 + [False] * 8


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="'qformer'; choose linear, mlp or resampler"):
        Projector(_config(kind="qformer"))
