from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model import boxes
from model.config import ModelConfig, Part, TrunkConfig
from model.errors import ConfigError
from model.published_vision import PublishedVision, build_vision
from model.vision import Vision
from tests.model import published, tiny


def canvases() -> list[torch.Tensor]:
    return [torch.stack([tiny.on_canvas(number) for number in range(2)])]


@pytest.mark.parametrize("detector", [published.RT_DETR_V2, published.D_FINE])
@pytest.mark.parametrize("encoder", [published.SIGLIP, published.DINO, Part()])
def test_published_parts_see_what_the_rest_expects(detector: Part, encoder: Part) -> None:
    config = published.tree(detector, encoder).trunk
    torch.manual_seed(0)
    vision = build_vision(config).eval()
    assert isinstance(vision, PublishedVision)
    with torch.no_grad():
        sight = vision(canvases())
    width, cells = config.head_width, config.sides[0] // 16
    assert sight.boxes.shape == (2, config.num_proposals, 4)
    assert sight.features.shape == (2, config.num_proposals, 2 * width)
    assert sight.class_logits.shape == (2, config.num_proposals, config.num_classes)
    assert sight.near.shape == sight.middle.shape == (2, width, cells, cells)
    assert sight.far.shape == (2, width, cells // 2, cells // 2)
    assert sight.summit.shape == (2, config.summit_width, cells // 2, cells // 2)
    assert sight.valid.all()
    best = sight.class_logits.amax(-1)
    assert (best[:, 1:] <= best[:, :-1]).all(), "the best come first"
    assert sight.objectness_logits.sigmoid().min() > 0.999
    assert tiny.close(sight.summit, sight.far) is not bool(encoder)


def test_proposals_are_what_the_detector_says_itself() -> None:
    config = published.tree().trunk
    torch.manual_seed(0)
    vision = build_vision(config).eval()
    assert isinstance(vision, PublishedVision)
    (canvas,) = canvases()
    with torch.no_grad():
        sight = vision([canvas])
        seen = vision.detector(pixel_values=canvas[:, [2, 1, 0]] / 255)
    for picture in range(2):
        order = seen.intermediate_logits[picture, -1].amax(-1).argsort(descending=True)
        kept = order[: config.num_proposals]
        logits = seen.intermediate_logits[picture, -1][kept]
        places = boxes.to_xyxy(seen.intermediate_reference_points[picture, -1][kept])
        assert tiny.close(sight.class_logits[picture], logits)
        assert tiny.close(sight.boxes[picture], places.clamp(0, 1))


@pytest.mark.parametrize("encoder", [published.SIGLIP, published.DINO])
def test_a_cell_of_the_summit_holds_its_four_patches(encoder: Part) -> None:
    vision = build_vision(published.tree(encoder=encoder).trunk).eval()
    assert isinstance(vision, PublishedVision)
    canvas = torch.full((1, 3, 64, 64), 100.0)
    changed = canvas.clone()
    changed[..., 40:44, 8:12] += 100
    with torch.no_grad():
        # Attention would spread a change everywhere; without its layers a patch stays by itself.
        for name, module in vision.named_modules():
            if name.endswith(("attention.out_proj", "self_attn.out_proj", "attention.o_proj")):
                module.weight.zero_()  # type: ignore[union-attr,operator]
        difference = (vision([changed]).summit - vision([canvas]).summit).abs().sum((0, 1))
    assert difference[1, 0] > 0
    assert difference[0].max() < 1e-5
    assert difference[1, 1] < 1e-5


def test_places_are_exact_where_the_rest_is_computed_in_half_the_bits() -> None:
    vision = build_vision(published.tree().trunk).eval()
    with torch.no_grad():
        exact = vision(canvases())
        with torch.autocast("cpu", torch.bfloat16):
            half = vision(canvases())
    assert torch.equal(exact.boxes, half.boxes)
    assert not torch.equal(exact.summit, half.summit.float())
    assert tiny.close(exact.summit, half.summit, 0.1)


def test_the_convolutional_trunk_is_what_comes_without_parts() -> None:
    assert isinstance(build_vision(ModelConfig.tiny().trunk), Vision)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"detector": Part()}, "trunk.detector"),
        ({"head_width": 48}, "head_width is 48.*d_model 32"),
        ({"sides": (64, 96)}, "one side"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(published.tree().trunk, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        (replace(published.tree().trunk, num_proposals=99), "99.*14 queries"),
        (
            replace(
                published.tree().trunk,
                detector=Part("x", {"model_type": "detr", "d_model": published.WIDTH}),
            ),
            "'detr'; choose one of",
        ),
        (
            published.tree(encoder=Part("y", {**published.SIGLIP.config, "patch_size": 8})).trunk,
            "'y' has patches of 8",
        ),
        (
            published.tree(encoder=Part("z", {"model_type": "nothing", "hidden_size": 8})).trunk,
            "'z' cannot be used",
        ),
    ],
)
def test_parts_of_another_kind_are_refused(trunk: TrunkConfig, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_vision(trunk)
