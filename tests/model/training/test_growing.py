from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import ModelConfig
from model.errors import ConfigError
from model.training.collate import Collator, Lesson
from model.training.growing import grown
from model.types import Size
from tests.model import tiny


def deeper() -> ModelConfig:
    tree = tiny.tree()
    return replace(
        tree,
        language=replace(tree.language, num_layers=3),
        decoder=replace(tree.decoder, num_layers=3),
    )


def test_new_layers_change_nothing_at_first() -> None:
    model = tiny.build().eval()
    # A decoder that moves boxes, so that a layer that moved them again would be seen.
    torch.nn.init.normal_(model.box_decoder.offsets[-1].weight, std=0.1)  # type: ignore[arg-type]
    larger = grown(model, deeper()).eval()
    lesson = Lesson(Size(96, 64), tiny.turns(), [("dog", [tiny.LEFT])])
    batch, _ = Collator(tiny.vocabulary(), model.tree)([lesson], tiny.sight(of=model))
    before, after = model(batch), larger(batch)
    torch.testing.assert_close(after.states, before.states)
    torch.testing.assert_close(after.boxes.boxes[-1], before.boxes.boxes[-1])
    torch.testing.assert_close(after.boxes.logits[-1], before.boxes.logits[-1])
    assert len(after.boxes.boxes) == 3


def test_on_a_larger_canvas_cells_know_where_they_lie() -> None:
    model = tiny.build()
    tree = replace(model.tree, trunk=replace(model.tree.trunk, sides=(128,)))
    places = grown(model, tree).projector.place.weight
    old = model.projector.place.weight
    assert len(places) == 4 * len(old)
    torch.testing.assert_close(places[0], old[0])
    torch.testing.assert_close(places[-1], old[-1])


def test_another_width_is_refused() -> None:
    model = tiny.build()
    tree = replace(model.tree, decoder=replace(model.tree.decoder, width=64))
    with pytest.raises(ConfigError, match="in layers and canvas only"):
        grown(model, tree)
