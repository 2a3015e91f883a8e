from __future__ import annotations

import torch

from model.training.targets import Targets, pad_boxes


def test_boxes_are_padded_to_the_longest_group() -> None:
    groups = [torch.rand(2, 4), torch.zeros(0, 4), torch.rand(1, 4)]
    boxes, real = pad_boxes(groups)
    assert boxes.shape == (3, 2, 4)
    assert real.tolist() == [[True, True], [False, False], [True, False]]
    for group, padded, there in zip(groups, boxes, real, strict=True):
        assert torch.equal(padded[there], group)
    assert not boxes[~real].any()


def test_no_groups_and_empty_groups_have_a_place_to_be_false() -> None:
    assert [tuple(part.shape) for part in pad_boxes([])] == [(0, 1, 4), (0, 1)]
    boxes, real = pad_boxes([torch.zeros(0, 4)])
    assert boxes.shape == (1, 1, 4)
    assert not real.any()


def test_targets_move_as_a_whole() -> None:
    targets = Targets(*(torch.zeros(2) for _ in Targets.__slots__)).to("meta")
    assert {getattr(targets, name).device.type for name in Targets.__slots__} == {"meta"}
