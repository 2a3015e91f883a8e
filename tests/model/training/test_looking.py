from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.training.looking import Looker
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training import park


@pytest.fixture
def model() -> DeixisModel:
    return tiny.build().requires_grad_(True)


def test_what_was_certain_stays_only_where_not_all_is_marked(model: DeixisModel) -> None:
    records = [park.record(), park.record(exhaustive=False)]
    looker = Looker(model.vision, model.tree, records)
    canvas = torch.full((2, 3, 64, 64), 100.0)
    cells = model.vision.trunk(canvas)  # type: ignore[operator]
    floor = looker.floor([canvas], records, cells.objectness_logits)
    assert not floor[0].any()
    assert tiny.close(floor[1], cells.objectness_logits[1].sigmoid())
    with torch.no_grad():
        for value in model.vision.parameters():
            value.mul_(1.5)
    assert tiny.close(floor, looker.floor([canvas], records, cells.objectness_logits))


def test_proposals_move_by_their_own_losses_alone(model: DeixisModel) -> None:
    looker = Looker(model.vision, model.tree, [park.record()])
    sight, losses = looker.look(model.vision, [tiny.on_canvas()[None]], [park.record()])
    assert set(losses) == {"cell_objectness", "cell_box", "cell_class"}
    assert all(loss.requires_grad for loss in losses.values())
    assert not sight.boxes.requires_grad
    assert not sight.class_logits.requires_grad
    assert sight.features.requires_grad


def test_a_published_detector_has_no_losses_of_its_own() -> None:
    model = DeixisModel.from_tree(published.tree()).eval()
    looker = Looker(model.vision, model.tree, [replace(park.record(), exhaustive=False)])
    sight, losses = looker.look(model.vision, [tiny.on_canvas()[None]], [park.record()])
    assert losses == {}
    assert not sight.boxes.requires_grad
    sight.summit.sum().backward()
    encoder = model.vision.encoder
    assert isinstance(encoder, torch.nn.Module)
    assert any(value.grad is not None for value in encoder.parameters())
