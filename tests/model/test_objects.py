from __future__ import annotations

from dataclasses import replace

import torch

from model.objects import colours_inside, geometry, roi_places, sample
from model.preprocess import Letterbox
from model.types import Size
from tests.model import tiny


def test_geometry_lies_between_minus_one_and_one() -> None:
    row = geometry(torch.tensor([0.0, 0.0, 1.0, 0.5]))
    assert tiny.close(row, torch.tensor([-1, -1, 1, 0, 0, -0.5, 1, 0, 2 * 0.5**0.5 - 1]), 1e-6)
    assert torch.isfinite(geometry(torch.zeros(4))).all()


def test_sampling_at_cell_centres_reads_the_cells() -> None:
    grid = torch.rand(2, 3, 4, 6)
    ys, xs = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    places = torch.stack([(xs + 0.5) / 6, (ys + 0.5) / 4], -1).view(1, -1, 2).expand(2, -1, -1)
    assert tiny.close(sample(grid, places), grid.flatten(2).transpose(1, 2), 1e-6)


def test_places_of_a_box_are_the_centres_of_a_division_by_three() -> None:
    places = roi_places(torch.tensor([[[0.0, 0.3, 0.6, 0.9]]]))[0]
    assert tiny.close(places[0], torch.tensor([0.1, 0.4]), 1e-6)
    assert tiny.close(places[5], torch.tensor([0.5, 0.6]), 1e-6)
    assert tiny.close(places.mean(0), torch.tensor([0.3, 0.6]), 1e-6)


def test_an_object_depends_on_its_own_box_and_on_how_the_others_stand() -> None:
    sight = tiny.sight()
    indifferent = tiny.build()
    indifferent.objects.stands.weight.zero_()
    moved = sight.boxes.clone()
    moved[0, 3] = torch.tensor([0.4, 0.4, 0.9, 0.8])
    before, after = (indifferent.objects(s).queries for s in (sight, replace(sight, boxes=moved)))
    changed = (before != after).any(-1)[0]
    assert changed.nonzero().flatten().tolist() == [3]
    before, after = (tiny.model().objects(s).queries for s in (sight, replace(sight, boxes=moved)))
    changed = (before != after).any(-1)[0]
    assert len(changed.nonzero()) > 1


def test_colours_inside_a_box_reach_its_object() -> None:
    model, sight = tiny.build(), tiny.sight()
    torch.nn.init.normal_(model.objects.colours.weight)
    left = Letterbox.fit(Size(96, 64), 64).to_canvas(torch.tensor([[tiny.LEFT.as_tuple()]]))
    colours = colours_inside(left, sight)
    assert colours.shape == (1, 1, 27)
    assert colours[0, 0].view(9, 3)[4, 2] > 1.5, "the middle of the red square is red"
    grey = replace(sight, colours=torch.zeros_like(sight.colours))
    assert not tiny.close(model.objects(sight).queries, model.objects(grey).queries)
