from __future__ import annotations

import pytest
import torch

from model.training.looking import BELOW, Looker
from model.training.scenes import Scene
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training import park


@pytest.fixture
def model() -> DeixisModel:
    return tiny.build().requires_grad_(True)


NEW, PARTLY = Scene(park.record()), Scene(park.record(exhaustive=False))
EARLIER = Scene(park.record(), new=False)


def change(model: DeixisModel) -> None:
    with torch.no_grad():
        for value in model.vision.parameters():
            value.mul_(1.5)


def test_what_was_certain_stays_in_earlier_pictures_and_where_not_all_is_marked(
    model: DeixisModel,
) -> None:
    scenes = [NEW, PARTLY, EARLIER]
    looker = Looker(model.vision, model.tree, scenes)
    canvas = torch.full((3, 3, 64, 64), 100.0)
    cells = model.vision.trunk(canvas)  # type: ignore[operator]
    floor, places = looker.before([canvas], scenes, cells)
    assert not floor[0].any()
    assert tiny.close(floor[1:], cells.objectness_logits[1:].sigmoid())
    assert tiny.close(places[2], cells.boxes[2] / 64)
    change(model)
    again = looker.before([canvas], scenes, cells)
    assert tiny.close(floor, again[0])
    assert tiny.close(places, again[1])


def test_earlier_pictures_are_seen_as_before_whatever_is_marked_in_them(
    model: DeixisModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.proposals.CERTAIN", 0.0)
    looker = Looker(model.vision, model.tree, [NEW, EARLIER])

    def kept() -> dict[str, torch.Tensor]:
        return looker.look(model.vision, [tiny.on_canvas()[None]], [EARLIER])[1]

    losses = kept()
    assert losses["cell_kept"].item() == pytest.approx(0.0, abs=1e-5)
    assert losses["cell_box"].item() == losses["cell_class"].item() == 0.0
    losses["cell_objectness"].backward()
    pulls = [v.grad for v in model.vision.parameters() if v.grad is not None]
    assert all(pull.abs().max() < 1e-4 for pull in pulls), "it is where it was"
    change(model)
    assert kept()["cell_kept"].item() > 0.01


def test_proposals_move_by_their_own_losses_alone(model: DeixisModel) -> None:
    looker = Looker(model.vision, model.tree, [NEW])
    sight, losses = looker.look(model.vision, [tiny.on_canvas()[None]], [NEW])
    assert set(losses) == {"cell_objectness", "cell_box", "cell_class"}
    assert all(loss.requires_grad for loss in losses.values())
    assert not sight.boxes.requires_grad
    assert not sight.class_logits.requires_grad
    assert sight.features.requires_grad


def test_a_published_detector_has_no_losses_of_its_own() -> None:
    model = DeixisModel.from_tree(published.tree()).eval()
    looker = Looker(model.vision, model.tree, [PARTLY])
    sight, losses = looker.look(model.vision, [tiny.on_canvas()[None]], [NEW])
    assert losses == {}
    assert not sight.boxes.requires_grad
    sight.summit.sum().backward()
    encoder = model.vision.encoder
    assert isinstance(encoder, torch.nn.Module)
    assert any(value.grad is not None for value in encoder.parameters())


def test_heads_alone_are_compared_on_the_same_levels(
    model: DeixisModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = Looker(model.vision, model.tree, [EARLIER])
    canvases = [tiny.on_canvas()[None]]
    whole = looker.look(model.vision, canvases, [EARLIER])[1]
    for part in BELOW:
        getattr(model.vision.trunk, part).requires_grad_(False)
    elder = looker._elder
    assert elder is not None
    monkeypatch.setattr(elder.trunk, "see", lambda _: pytest.fail("it looked twice"))
    again = looker.look(model.vision, canvases, [EARLIER])[1]
    for name, loss in whole.items():
        assert loss.item() == pytest.approx(again[name].item(), abs=1e-5)
