from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.records import PictureFile, Record
from model.training.config import Recipe, Source, Stage
from model.training.live_course import LiveCourse
from model.training.views import ViewConfig
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training import park
from tests.model.training.small_run import loss_of_two

RECIPE = Recipe(sources=(Source("a"), Source("b", 3.0)), cached=False)


@pytest.fixture
def files(tmp_path: Path) -> list[list[Record]]:
    tiny.picture().save(tmp_path / "park.png")
    file = PictureFile(tmp_path, None, "park.png")
    return [[park.record(file=file)], [park.record(file=file, id=name) for name in "xyz"]]


def course(model: DeixisModel, files: list[list[Record]], **changes: object) -> LiveCourse:
    return LiveCourse(files, replace(RECIPE, **changes), tiny.vocabulary(), model)  # type: ignore[arg-type]


def test_pictures_are_drawn_by_the_shares_of_their_files(files: list[list[Record]]) -> None:
    drawn = course(tiny.model(), files).draw(Stage(), random.Random(0), 200)
    ids = [scene.record.id for scene in drawn.scenes]
    assert 30 < ids.count("park") < 70
    assert {"x", "y", "z"} < set(ids)


def test_the_same_chance_draws_the_same(files: list[list[Record]]) -> None:
    taught = course(tiny.model(), files, views=ViewConfig(mosaic=0.3, pasted=0.5))
    one, two = (taught.draw(Stage(), random.Random(3), 20) for _ in range(2))
    assert one.scenes == two.scenes
    assert all(a.equal(b) for a, b in zip(one.canvases, two.canvases, strict=True))
    assert one.batch.rows.ids.equal(two.batch.rows.ids)
    assert any("+" in scene.record.id for scene in one.scenes)


@pytest.mark.parametrize("learns", [True, False])
def test_the_trunk_learns_if_its_weights_do(files: list[list[Record]], *, learns: bool) -> None:
    model = tiny.build().requires_grad_(True)
    model.vision.requires_grad_(learns)
    taught = course(model, files, noise=0.3)
    loss, parts = loss_of_two(model, taught, Stage(), 0)
    loss.backward()
    assert loss.isfinite()
    assert ("cell_box" in parts) is learns
    assert any(v.grad is not None for v in model.vision.parameters()) is learns
    assert model.box_decoder.modulate.weight.grad is not None


def test_published_parts_learn_through_the_words(files: list[list[Record]]) -> None:
    torch.manual_seed(0)
    model = DeixisModel.from_tree(
        replace(published.tree(), language=replace(tiny.tree().language, width=32))
    )
    model.vision.requires_grad_(False)
    encoder = model.vision.encoder
    assert isinstance(encoder, torch.nn.Module)
    encoder.requires_grad_(True)
    loss, _ = loss_of_two(model, course(model, files), Stage(), 0)
    loss.backward()
    assert any(value.grad is not None and value.grad.any() for value in encoder.parameters())
    detector = model.vision.detector
    assert isinstance(detector, torch.nn.Module)
    assert all(value.grad is None for value in detector.parameters())
