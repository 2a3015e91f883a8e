from __future__ import annotations

import copy
from dataclasses import fields, replace

import pytest
import torch

from model.trunk import Cells
from model.vision import Sight, Vision
from tests.model import tiny

CONFIG = tiny.tree().trunk


def test_a_sight_has_the_promised_shapes() -> None:
    sight = tiny.sight(2)
    q, d = CONFIG.num_proposals, CONFIG.head_width
    assert sight.boxes.shape == (2, q, 4)
    assert sight.features.shape == (2, q, 2 * d)
    assert sight.class_logits.shape == (2, q, 80)
    assert sight.near.shape == sight.middle.shape == (2, d, 4, 4)
    assert sight.far.shape == (2, d, 2, 2)
    assert sight.summit.shape == (2, 64, 2, 2)
    assert sight.valid.all()
    assert (sight.boxes >= 0).all()
    assert (sight.boxes <= 1).all()


def test_a_picture_is_seen_alike_alone_and_in_a_batch() -> None:
    # Doubles: the noise of rounding, which depends on the size of the batch, lies nine orders of
    # magnitude below anything that two pictures could lend each other, and chooses no proposal.
    vision = copy.deepcopy(tiny.model().vision).double()
    canvases = [tiny.on_canvas(number)[None].double() for number in (0, 1)]
    with torch.inference_mode():
        both = vision([torch.cat(canvases)])
        for number, canvas in enumerate(canvases):
            alone, mine = vision([canvas]), both[number : number + 1]
            for field in fields(Sight):
                together, single = getattr(mine, field.name), getattr(alone, field.name)
                assert together.dtype in (torch.float64, torch.int64, torch.bool)
                assert torch.allclose(together, single, rtol=1e-9, atol=1e-9), field.name
    assert not torch.allclose(both.features[0], both.features[1], atol=0.1), "all look the same"


def test_two_canvases_share_one_frame_and_the_first_gives_the_pyramid() -> None:
    torch.manual_seed(0)
    vision = Vision(replace(CONFIG, sides=(64, 128))).eval()
    with torch.inference_mode():
        small, large = torch.rand(1, 3, 64, 64) * 255, torch.rand(1, 3, 128, 128) * 255
        sight = vision([small, large])
        alone = _with_sides(vision, (64,))([small])
    assert torch.equal(sight.near, alone.near)
    assert torch.equal(sight.summit, alone.summit)
    assert sight.level.max() >= 3, "nothing was proposed from the larger canvas"
    assert (sight.boxes <= 1).all()


def _with_sides(vision: Vision, sides: tuple[int, ...]) -> Vision:
    other = Vision(replace(vision.config, sides=sides)).eval()
    other.load_state_dict(vision.state_dict())
    return other


def test_overlapping_proposals_are_dropped_and_the_rest_is_padding() -> None:
    vision = Vision(replace(CONFIG, num_proposals=4))
    places = torch.tensor([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.49], [0.5, 0.5, 1, 1]])
    classes = torch.full((3, 80), -9.0)
    classes[:, 7] = torch.tensor([1.0, 2.0, 0.0])
    cells = Cells(
        boxes=places[None],
        objectness_logits=torch.full((1, 3), 5.0),
        class_logits=classes[None],
        features=torch.zeros(1, 3, 16),
        pyramid=(torch.zeros(0), torch.zeros(0), torch.zeros(0)),
        summit=torch.zeros(0),
    )
    chosen, valid = vision._choose(cells)
    assert valid.tolist() == [[True, True, False, False]]
    assert chosen[0, :2].tolist() == [1, 2]


def test_boxes_of_two_classes_may_lie_closer_than_two_of_one() -> None:
    vision = Vision(replace(CONFIG, num_proposals=2))
    places = torch.tensor([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4]])  # IoU 0.8
    for second, count in ((7, 1), (8, 2)):
        classes = torch.full((2, 80), -9.0)
        classes[0, 7], classes[1, second] = 2, 1
        cells = Cells(places[None], torch.zeros(1, 2), classes[None], *[torch.zeros(1, 2, 0)] * 3)  # type: ignore[arg-type]
        assert int(vision._choose(cells)[1].sum()) == count


@pytest.mark.parametrize("num_apart", [0, 1])
def test_what_no_class_claims_is_proposed_where_nothing_else_is(num_apart: int) -> None:
    vision = Vision(replace(CONFIG, num_proposals=3, num_apart=num_apart))
    # One thing that could be four classes, and a faint one that is like none.
    places = torch.tensor([[0, 0, 0.5, 0.5]] * 4 + [[0.8, 0.8, 0.9, 0.9], [0.8, 0.8, 0.9, 0.91]])
    classes = torch.full((6, 80), -9.0)
    classes[range(4), range(4)] = 3.0
    objectness = torch.tensor([4.0, 4.0, 4.0, 4.0, 2.0, 1.0])
    cells = Cells(
        torch.stack([places, places.flip(0)]),
        torch.stack([objectness, objectness.flip(0)]),
        torch.stack([classes, classes.flip(0)]),
        *[torch.zeros(2, 6, 0)] * 3,  # type: ignore[arg-type]
    )
    chosen, valid = vision._choose(cells)
    assert valid.all()
    for rows, lone in zip(chosen.tolist(), (4, 1), strict=True):
        assert (lone in rows) == bool(num_apart)
        assert len(set(rows)) == 3


def test_proposals_apart_are_padding_where_everything_is_covered() -> None:
    vision = Vision(replace(CONFIG, num_proposals=4, num_apart=2))
    places = torch.tensor([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4]])
    classes = torch.full((2, 80), -9.0)
    classes[range(2), range(2)] = 2.0
    cells = Cells(places[None], torch.ones(1, 2), classes[None], *[torch.zeros(1, 2, 0)] * 3)  # type: ignore[arg-type]
    chosen, valid = vision._choose(cells)
    assert chosen.shape == valid.shape == (1, 4)
    assert valid.tolist() == [[True, True, False, False]]


def test_mirroring_twice_is_nothing_and_once_only_where_asked() -> None:
    sight = tiny.sight(2)
    which = torch.tensor([True, False])
    once = sight.mirrored(which)
    twice = once.mirrored(which)
    for name in ("near", "middle", "far", "summit", "colours"):
        assert torch.equal(getattr(once, name)[0], getattr(sight, name)[0].flip(-1))
        assert torch.equal(getattr(once, name)[1], getattr(sight, name)[1])
        assert torch.equal(getattr(twice, name), getattr(sight, name))
    assert tiny.close(twice.boxes, sight.boxes, 1e-6)
    assert tiny.close(once.boxes[0, :, 0], 1 - sight.boxes[0, :, 2], 1e-6)
    assert (once.boxes[..., 2:] >= once.boxes[..., :2]).all()


@pytest.mark.parametrize("index", [slice(1, 2), torch.tensor([1])])
def test_pictures_can_be_chosen(index: slice | torch.Tensor) -> None:
    both = tiny.sight(2)
    assert torch.equal(both[index].boxes, both.boxes[1:2])


def test_colours_are_those_of_the_picture_where_it_lies() -> None:
    colours = tiny.sight().colours[0]
    assert colours.shape == (3, 8, 8)
    blue, _, red = colours[:, 4, 2]  # In the red square on the left; the order is that of a canvas.
    assert red > 1.5
    assert blue < -1.5
