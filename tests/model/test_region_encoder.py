from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import DecoderConfig
from model.objects import look_around
from model.preprocess import Letterbox
from model.region_encoder import NUM_FIT, Fourier, RegionEncoder, _around, _fit, _pool
from model.regions import Regions, draw
from model.types import Box, Point, Points, Shape, Size
from tests.model import tiny

SQUARE = Letterbox.fit(Size(64, 64), 64)


def _drawn(*shapes: Shape, picture: int = 0) -> Regions:
    return draw(shapes, [SQUARE] * len(shapes), [picture] * len(shapes), 4)


def test_one_token_a_region_in_their_order() -> None:
    model, sight = tiny.model(), tiny.sight()
    objects = model.objects(sight).queries
    a, b = tiny.LEFT, Points((Point(0.7, 0.6),))
    both = model.region_encoder(_drawn(a, b), sight, objects)
    assert both.shape == (2, 1, 32)
    for shape, token in zip((a, b), both, strict=True):
        assert tiny.close(model.region_encoder(_drawn(shape), sight, objects)[0], token, 1e-5)
    assert not tiny.close(both[0], both[1])


def test_no_regions_give_no_tokens() -> None:
    model, sight = tiny.model(), tiny.sight()
    assert model.region_encoder(_drawn(), sight, model.objects(sight).queries).shape == (0, 1, 32)


def test_several_tokens_a_region_are_an_option() -> None:
    config = replace(tiny.tree(), decoder=DecoderConfig(width=32, num_heads=2, num_region_tokens=3))
    sight = tiny.sight()
    objects = torch.rand(1, config.trunk.num_proposals, 32)
    assert RegionEncoder(config)(_drawn(tiny.LEFT), sight, objects).shape == (1, 3, 32)


def test_regions_read_their_own_picture() -> None:
    model, sight = tiny.model(), tiny.sight(2)
    objects = model.objects(sight).queries
    for number in (0, 1):
        token = model.region_encoder(_drawn(tiny.LEFT, picture=number), sight, objects)
        alone = model.region_encoder(_drawn(tiny.LEFT), sight[number : number + 1],
                                     objects[number : number + 1])  # fmt: skip
        assert tiny.close(token, alone, 1e-5)


def test_pooling_is_the_average_under_the_mask() -> None:
    sight = tiny.sight()
    regions = _drawn(Box(0, 0, 0.5, 0.5))
    pooled = _pool(regions.meant, regions.picture, sight)[0]
    wanted = [sight.near[0, :, :2, :2], sight.middle[0, :, :2, :2], sight.far[0, :, :1, :1]]
    assert tiny.close(pooled, torch.cat([grid.mean((1, 2)) for grid in wanted]), 1e-5)
    assert (_pool(torch.zeros(1, 4, 4), regions.picture, sight) == 0).all()


def test_fit_says_how_a_proposal_lies_to_a_click() -> None:
    places = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]]])
    sight = tiny.sight()
    two = replace(
        sight,
        boxes=places,
        class_logits=sight.class_logits[:, :2],
        objectness_logits=sight.objectness_logits[:, :2],
        valid=sight.valid[:, :2],
    )
    click = _drawn(Points((Point(0.2, 0.2), Point(0.8, 0.8, positive=False))))
    fit = _fit(click, two)[0]
    assert fit.shape == (2, NUM_FIT)
    assert fit[:, 1].tolist() == [2, 0]
    assert fit[:, 2].tolist() == [0, 2]
    box = _fit(_drawn(Box(0, 0, 0.5, 0.5)), two)[0]
    assert box[:, 0].tolist() == pytest.approx([4, 0])
    assert box[0, 4] == pytest.approx(0, abs=1e-5)


def test_padded_proposals_are_not_read() -> None:
    model, sight = tiny.model(), tiny.sight()
    valid = sight.valid.clone()
    valid[0, 5:] = False
    sight = replace(sight, valid=valid)
    objects = model.objects(sight).queries
    changed = torch.where(valid.unsqueeze(2), objects, torch.full_like(objects, 50.0))
    tokens = [model.region_encoder(_drawn(tiny.LEFT), sight, o) for o in (objects, changed)]
    assert torch.equal(*tokens)
    blind = model.region_encoder(_drawn(tiny.LEFT), tiny.blind(sight), objects)
    assert blind.isfinite().all()


def test_fourier_features_tell_places_apart() -> None:
    torch.manual_seed(0)
    features = Fourier(4)(torch.tensor([[0.5, 0.5], [0.1, 0.9]]))
    assert tiny.close(features[0], torch.tensor([0.0] * 4 + [1.0] * 4), 1e-5)
    assert not tiny.close(features[0], features[1], 0.1)


def test_a_region_is_looked_at_as_an_object_with_its_box() -> None:
    """Where the average is the same, the 3x3 look still tells left from right."""
    sight = tiny.sight(2)
    box = sight.boxes[1, 0].tolist()
    regions = _drawn(Box(*box), picture=1)
    assert tiny.close(_around(regions, sight)[0], look_around(sight.boxes, sight)[1, 0], 1e-5)
    half = torch.cat([torch.ones(2), torch.zeros(2)])
    stripes = {name: half.expand_as(getattr(sight, name)[..., :4]) for name in ("near", "middle")}
    left, right = (
        replace(sight, **{name: grid.flip(-1) if flip else grid for name, grid in stripes.items()})
        for flip in (False, True)
    )
    whole = _drawn(Box(0, 0, 1, 1))
    assert tiny.close(*(_pool(whole.meant, whole.picture, seen)[:, :32] for seen in (left, right)))
    assert not tiny.close(_around(whole, left), _around(whole, right), 0.1)
