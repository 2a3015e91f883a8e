from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForObjectDetection

from model import checkpoint, load
from model.errors import ConfigError
from model.published_vision import PublishedVision
from model.training.__main__ import main
from model.training.config import Stage
from model.training.expressions import WAYS
from model.training.loop import Trainer
from model.training.setup import _texts, build_trainer, read_recipe
from model.training.views import ViewConfig
from model.types import Box, Capability, Finish, Point, Points, Region
from model.vision import Sight
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training import small_recipe

CLICK = Points((Point(0.25, 0.45),))


def test_the_vocabulary_is_trained_on_the_words_of_made_expressions() -> None:
    words = {word for text in _texts({}) for word in text.split()}
    assert {word for ways in WAYS.values() for way in ways for word in way.split()} <= words
    assert "beside" in words


def test_published_parts_are_taught_and_served_by_one_command(tmp_path: Path) -> None:
    data = small_recipe.records(tmp_path / "data")
    tree = published.saved(tmp_path / "hub")
    stages = (
        Stage("alignment", 20, 2, 3e-3, lessons=small_recipe.FEW,
              trains=("projector", "objects", "links", "box_decoder")),
        Stage("joint", 20, 2, 3e-3, lessons=small_recipe.FEW,
              trains=("vision.encoder", *Stage().trains)),
    )  # fmt: skip
    made = small_recipe.recipe(
        tree, stages=stages, cached=False, views=ViewConfig(0.2, 0.2, 0.2), trunk_rate=0.1,
        language_rate=0.5, checkpointing=True,
    )  # fmt: skip
    recipe = small_recipe.written(made, tmp_path / "parts.json")
    out, run = tmp_path / "out", tmp_path / "run"
    words = ["train", f"--recipe={recipe}", f"--data={data}", f"--run-folder={run}", f"--out={out}"]
    assert main(words) == 0
    losses = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 4
    assert losses[-1] < losses[0], "it learns"
    version = checkpoint.verify(out)

    engine = load(out, device="cpu")
    assert engine.model.tree == tree
    detector = AutoModelForObjectDetection.from_pretrained(tmp_path / "hub/detector").model
    weights = engine.model.vision.state_dict()
    for name, value in detector.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(weights[f"detector.{name}"], value.half().float()), name
    picture = engine.encode(tiny.picture())
    found = engine.detect(picture, ["dog", "bus"], threshold=0.0)
    assert {g.phrase.text for g in found.groundings} == {"dog", "bus"}
    told = engine.answer(picture, "What is @1?", regions=[Region("@1", CLICK)])
    assert told.finish in (Finish.STOP, Finish.LENGTH)
    box = Region("@1", Box(0.5, 0.2, 0.9, 0.9))
    assert engine.answer(picture, "Describe @1.", regions=[box]).finish is not Finish.ERROR
    place = engine.answer(picture, "the bus", task=Capability.REFER, threshold=0.0)
    assert place.groundings[0].boxes

    assert main(words) == 0
    assert checkpoint.verify(out) == version, "a finished run ends again at once, as it was"


def test_the_small_trunk_learns_where_pictures_are_seen_anew(tmp_path: Path) -> None:
    data, onnx = small_recipe.records(tmp_path / "data"), small_recipe.trunk(tmp_path / "t.onnx")
    made = small_recipe.recipe(tiny.tree(), cached=False)
    made = replace(made, stages=(replace(made.stages[0], trains=("vision", "box_decoder")),))
    trainer = build_trainer(
        made, data=data, cache=tmp_path / "cache", folder=tmp_path / "run", trunk=onnx
    )
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    assert trainer.run()
    moved = {
        n for n, value in trainer.model.named_parameters() if not torch.equal(before[n], value)
    }
    assert any(name.startswith("vision") for name in moved)
    assert not any(name.startswith("prefixed") for name in moved)
    assert not (tmp_path / "cache").exists()
    cached = replace(made, cached=True)
    with pytest.raises(ConfigError, match="cached is true"):
        build_trainer(cached, data=data, cache=tmp_path, folder=tmp_path / "other", trunk=onnx)


def test_a_run_over_live_pictures_that_was_stopped_equals_one_that_was_not(tmp_path: Path) -> None:
    data, onnx = small_recipe.records(tmp_path / "data"), small_recipe.trunk(tmp_path / "t.onnx")
    made = small_recipe.recipe(
        tiny.tree(), cached=False, views=ViewConfig(0.5, 0.3, 0.3), noise=0.3
    )
    made = replace(made, stages=(replace(made.stages[0], steps=4, trains=("vision", "links")),))

    def trainer(run: str) -> Trainer:
        return build_trainer(made, data=data, cache=tmp_path, folder=tmp_path / run, trunk=onnx)

    whole, first = trainer("whole"), trainer("parts")
    assert whole.run()
    assert not first.run(stop=lambda: first.step == 2)
    second = trainer("parts")
    assert second.step == 2
    assert second.run()
    for (name, one), two in zip(
        whole.model.state_dict().items(), second.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two), name


def test_a_new_trunk_without_weights_is_refused(tmp_path: Path) -> None:
    data = small_recipe.records(tmp_path / "data")
    with pytest.raises(ConfigError, match="--trunk"):
        build_trainer(
            small_recipe.recipe(tiny.tree()), data=data, cache=tmp_path, folder=tmp_path / "run"
        )


def test_the_language_model_and_the_trunk_have_rates_of_their_own(tmp_path: Path) -> None:
    data, onnx = small_recipe.records(tmp_path / "data"), small_recipe.trunk(tmp_path / "t.onnx")
    made = small_recipe.recipe(tiny.tree(), cached=False, trunk_rate=0.1, language_rate=0.5)
    made = replace(made, stages=(replace(made.stages[0], trains=("vision", "prefixed", "links")),))
    trainer = build_trainer(made, data=data, cache=tmp_path, folder=tmp_path / "run", trunk=onnx)
    row = trainer.take_step()
    assert trainer.optimizer is not None
    rates = {}
    names = {value: name for name, value in trainer.model.named_parameters()}
    for group in trainer.optimizer.param_groups:
        for value in group["params"]:
            rates[names[value].split(".")[0]] = group["lr"] / row["rate"]
    assert rates == pytest.approx({"vision": 0.1, "prefixed": 0.5, "links": 1.0})


@pytest.mark.parametrize("name", ["deixis-tiny", "deixis-1b"])
def test_every_shipped_recipe_can_be_read(name: str) -> None:
    recipe = read_recipe(name)
    assert read_recipe(name) == recipe
    assert recipe.sources
    tokens = recipe.model.projector.num_objects + (recipe.model.trunk.sides[0] // 32) ** 2
    assert tokens < recipe.model.language.max_length


def test_the_larger_recipe_fits_together_at_full_size() -> None:
    # Tensors of the meta device have shapes, but no numbers: nothing is computed.
    tree = read_recipe("deixis-1b").model
    count, width = tree.trunk.num_proposals, tree.trunk.head_width
    with torch.device("meta"):
        model = DeixisModel.from_tree(tree).eval()
        vision = model.vision
        assert isinstance(vision, PublishedVision)
        places, far = torch.zeros(1, count, 4), torch.zeros(1, width, 20, 20)
        stride16 = torch.zeros(1, width, 40, 40)
        sight = Sight(
            boxes=places,
            objectness_logits=places[..., 0],
            class_logits=torch.zeros(1, count, 80),
            features=torch.zeros(1, count, 2 * width),
            level=torch.zeros(1, count, dtype=torch.long),
            valid=torch.ones(1, count, dtype=torch.bool),
            near=stride16,
            middle=stride16,
            far=far,
            summit=vision._summit(torch.zeros(1, 3, 640, 640)),
            colours=torch.zeros(1, 3, 80, 80),
        )
        objects = model.objects(sight)
        image, real = model.image_tokens(sight, objects)
        mask = real.unsqueeze(1).expand(-1, image.shape[1], -1)
        states = model.prefixed.run(image, mask, torch.arange(image.shape[1])[None])
        links = torch.zeros(3, tree.decoder.num_links, tree.language.width)
        found = model.box_decoder(
            links, torch.zeros(3, dtype=torch.long), sight, model.context(objects, states)
        )
    assert 0.5e9 < sum(value.numel() for value in model.parameters()) < 2e9
    assert image.shape == (1, 1 + 20 * 20 + 100, 1024)
    assert found.boxes.shape == (6, 3, count, 4)
