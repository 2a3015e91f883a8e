from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from model import boxes
from model.training.proposals import assign, grid, kept_loss, proposal_losses
from model.trunk import Cells
from tests.model import tiny

SIDES = (64,)


def cells_with(predicted: Tensor, objectness: Tensor, num_classes: int = 3) -> Cells:
    count = predicted.shape[1]
    zeros = torch.zeros(len(predicted), count, num_classes)
    grids = (torch.zeros(1), torch.zeros(1), torch.zeros(1))
    return Cells(predicted, objectness, zeros, zeros, grids, torch.zeros(1))


def around(centres: Tensor, half: float) -> Tensor:
    return torch.cat([centres - half, centres + half], -1)


def assigned(predicted: Tensor, objectness: Tensor, true: Tensor, *grid: Tensor) -> list[Tensor]:
    """Returns the cells of one picture and the boxes they propose."""
    real = torch.ones(1, len(true), dtype=torch.bool)
    return list(assign(predicted[None], objectness[None], true[None], real, *grid)[1:])


def test_the_grid_lies_where_the_trunk_decodes_its_cells() -> None:
    centres, strides = grid(SIDES)
    canvas = tiny.model().vision.trunk(torch.zeros(1, 3, 64, 64))
    assert len(centres) == len(strides) == canvas.boxes.shape[1]
    assert centres[0].tolist() == [4 / 64, 4 / 64]
    assert strides.unique().tolist() == [8 / 64, 16 / 64, 32 / 64]
    assert centres[-1].tolist() == [48 / 64, 48 / 64]


def test_each_box_is_proposed_by_cells_near_its_middle_and_no_cell_by_two() -> None:
    centres, strides = grid(SIDES)
    true = torch.tensor([[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.95, 0.9]])
    predicted = around(centres, 0.15)
    cell, box = assigned(predicted, torch.zeros(len(centres)), true, centres, strides)
    assert len(cell.unique()) == len(cell)
    assert set(box.tolist()) == {0, 1}
    inside = (centres[cell] > true[box, :2]) & (centres[cell] < true[box, 2:])
    assert inside.all()


def test_a_box_takes_as_many_cells_as_their_overlaps_add_up_to() -> None:
    centres, strides = grid(SIDES)
    true = torch.tensor([[0.2, 0.2, 0.8, 0.8]])
    exact = true.expand(len(centres), 4)
    cell, _ = assigned(exact, torch.zeros(len(centres)), true, centres, strides)
    assert len(cell) == 10, "ten perfect candidates are ten cells"
    poor = around(centres, 0.01)
    cell, _ = assigned(poor, torch.zeros(len(centres)), true, centres, strides)
    assert len(cell) == 1, "at least one proposes it, however badly"


def test_a_box_smaller_than_a_cell_is_proposed_too() -> None:
    centres, strides = grid(SIDES)
    tiny_box = torch.tensor([[0.501, 0.501, 0.505, 0.505]])
    cell, _ = assigned(around(centres, 0.05), torch.zeros(len(centres)), tiny_box, centres, strides)
    assert len(cell) == 1


def test_losses_are_nothing_for_perfect_cells() -> None:
    centres, _ = grid(SIDES)
    true = torch.tensor([[0.2, 0.2, 0.8, 0.8]])
    perfect = cells_with(true.expand(1, len(centres), 4), torch.zeros(1, len(centres)))
    cell, _ = assigned(perfect.boxes[0], perfect.objectness_logits[0], true, *grid(SIDES))
    logits = torch.full((1, len(centres)), -20.0)
    logits[0, cell] = 20.0
    classes = torch.full((1, len(centres), 3), -20.0)
    classes[0, :, 1] = 20.0
    perfect = replace(perfect, objectness_logits=logits, class_logits=classes)
    floor = torch.zeros_like(logits)
    losses = proposal_losses(perfect, SIDES, [true], [torch.tensor([1])], floor)
    assert {name: round(float(value), 5) for name, value in losses.items()} == {
        "cell_objectness": 0.0, "cell_box": 0.0, "cell_class": 0.0
    }  # fmt: skip
    wrong = proposal_losses(perfect, SIDES, [true], [torch.tensor([2])], floor)
    assert wrong["cell_class"] > 10
    unknown = proposal_losses(perfect, SIDES, [true], [torch.tensor([-100])], floor)
    assert unknown["cell_class"] == 0


def test_boxes_are_kept_where_something_was_proposed() -> None:
    before = torch.tensor([[[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.6, 0.6]]])
    moved = before.clone()
    moved[0, 1] += 0.3
    moved.requires_grad_()
    certain = torch.tensor([[0.9, 0.1]])
    assert kept_loss(moved, before, certain).item() == 0, "nobody was certain of the second"
    loss = kept_loss(moved, before, torch.tensor([[0.9, 0.9]]))
    misfit = 1 - boxes.giou(moved[0, 1:], before[0, 1:])
    assert tiny.close(loss, 5.0 * misfit.sum() / 2)
    loss.backward()
    assert moved.grad is not None
    assert not moved.grad[0, 0].any() or moved.grad[0, 0].abs().max() < moved.grad[0, 1].abs().max()
    assert kept_loss(moved, before, torch.zeros(1, 2)).item() == 0


def test_a_picture_counts_as_much_as_its_weight() -> None:
    centres, _ = grid(SIDES)
    cells = cells_with(around(centres, 0.1).expand(2, -1, -1), torch.zeros(2, len(centres)))
    nothing = [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.long)] * 2
    floor = torch.zeros(2, len(centres))
    once = proposal_losses(cells, SIDES, *nothing, floor)["cell_objectness"]
    weights = torch.tensor([1.0, 3.0])
    more = proposal_losses(cells, SIDES, *nothing, floor, weights)["cell_objectness"]
    assert tiny.close(more, 2 * once)


def test_the_floor_spares_what_was_certain_before() -> None:
    centres, _ = grid(SIDES)
    logits = torch.full((1, len(centres)), -20.0)
    logits[0, 7] = 20.0
    sure = cells_with(around(centres, 0.1)[None], logits)
    nothing, no_classes = [torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.long)]
    strict = proposal_losses(sure, SIDES, nothing, no_classes, torch.zeros_like(logits))
    floor = logits.sigmoid()
    spared = proposal_losses(sure, SIDES, nothing, no_classes, floor)
    assert strict["cell_objectness"] > 10
    assert spared["cell_objectness"] < 0.01
    assert strict["cell_box"] == 0


def test_following_the_losses_leads_to_the_boxes_and_to_nothing_else() -> None:
    centres, _ = grid(SIDES)
    true = torch.tensor([[0.1, 0.15, 0.5, 0.5], [0.6, 0.6, 0.9, 0.95]])
    places = around(centres, 0.1)[None].requires_grad_()
    logits = torch.zeros(1, len(centres), requires_grad=True)
    floor = torch.zeros(1, len(centres))
    optimizer = torch.optim.Adam([{"params": places, "lr": 0.01}, {"params": logits, "lr": 0.2}])
    for _ in range(80):
        cells = cells_with(places, logits)
        losses = proposal_losses(cells, SIDES, [true], [torch.tensor([-100, -100])], floor)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    sure = places[0, logits[0].sigmoid() > 0.5]
    overlap = boxes.pairwise_iou(sure, true)
    assert (overlap.amax(0) > 0.9).all(), "both are proposed"
    assert (overlap.amax(1) > 0.7).all(), "and nothing else"
