from __future__ import annotations

import torch

from model.pose_head import MIRROR, NUM_JOINTS
from tests.model import tiny


def test_joints_lie_in_the_box_and_move_with_it() -> None:
    head, links = tiny.model().pose_head, torch.randn(1, 4, 32)
    roi = torch.tensor([[0.2, 0.3, 0.6, 0.9]])
    joints, visible = head(links, roi, torch.tensor([0]), tiny.sight())
    assert joints.shape == (1, NUM_JOINTS, 2)
    assert visible.shape == (1, NUM_JOINTS)
    assert ((joints >= roi[:, None, :2]) & (joints <= roi[:, None, 2:])).all()


def test_a_joint_is_the_mean_of_its_cells() -> None:
    head = tiny.build().pose_head
    with torch.no_grad():
        head.heat.weight.zero_()
        head.heat.bias.zero_()
    roi = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    joints, _ = head(torch.zeros(1, 4, 32), roi, torch.tensor([0]), tiny.sight())
    assert tiny.close(joints, torch.full((1, NUM_JOINTS, 2), 0.5), 1e-5), "all cells alike"


def test_no_boxes_give_no_poses() -> None:
    none = torch.zeros(0, dtype=torch.long)
    joints, visible = tiny.model().pose_head(
        torch.zeros(0, 4, 32), torch.zeros(0, 4), none, tiny.sight()
    )
    assert joints.shape == (0, NUM_JOINTS, 2)
    assert visible.shape == (0, NUM_JOINTS)


def test_mirroring_joints_twice_is_nothing() -> None:
    assert [MIRROR[joint] for joint in MIRROR] == list(range(NUM_JOINTS))
    assert MIRROR[0] == 0
    assert MIRROR[5] == 6
