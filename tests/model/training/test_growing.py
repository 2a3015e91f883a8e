from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import ModelConfig
from model.errors import ConfigError
from model.training.collate import Collator, Lesson
from model.training.growing import blend, grown
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


def test_a_blend_lies_between_two_checkpoints() -> None:
    before = tiny.build(seed=1)
    after = grown(tiny.build(seed=2), deeper())
    name = "box_decoder.wishes.weight"
    torch.nn.init.ones_(before.box_decoder.wishes.weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(after.box_decoder.wishes.weight)  # type: ignore[arg-type]
    blend(after, before, 0.25)
    assert after.state_dict()[name].unique().tolist() == [0.25]
    inner = "prefixed.language.layers.2.mlp.up_proj.weight"
    kept = after.state_dict()[inner].clone()
    blend(after, before, 1.0)
    assert after.state_dict()[inner].equal(kept), "what before does not have is not drawn anew"
    lesson = Lesson(Size(96, 64), tiny.turns(), [("dog", [tiny.LEFT])])
    batch, _ = Collator(tiny.vocabulary(), before.tree)([lesson], tiny.sight(of=before))
    torch.testing.assert_close(after.eval()(batch).states, before.eval()(batch).states)
    with pytest.raises(ConfigError, match="share is 2"):
        blend(after, before, 2)
