from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.config import TrunkConfig
from model.errors import CheckpointError
from model.training.trunk_weights import load_onnx, load_trunk
from model.trunk import Trunk
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training.small_recipe import write_onnx

CONFIG = TrunkConfig(width=4, head_width=8, num_classes=3)


def test_every_convolution_is_read_in_its_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs, ours = Trunk(CONFIG), Trunk(CONFIG)
    write_onnx(theirs, tmp_path / "trunk.onnx")
    load_onnx(ours, tmp_path / "trunk.onnx")
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_another_size_or_number_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "trunk.onnx"
    write_onnx(Trunk(CONFIG), path)
    with pytest.raises(CheckpointError, match=r"w\d+ has shape \(4, 12, 3, 3\).*\(8, 12, 3, 3\)"):
        load_onnx(Trunk(TrunkConfig(width=8, head_width=8, num_classes=3)), path)
    write_onnx(Trunk(CONFIG), path, leave_out=1)
    with pytest.raises(CheckpointError, match="choose the trunk's width and depth"):
        load_onnx(Trunk(CONFIG), path)


def test_a_checkpoint_gives_its_trunk(tmp_path: Path) -> None:
    checkpoint.save(tiny.model(), tiny.vocabulary(), tmp_path / "saved")
    trunk = Trunk(tiny.tree().trunk)
    load_trunk(trunk, tmp_path / "saved")
    for name, value in tiny.model().vision.state_dict().items():
        assert torch.equal(trunk.state_dict()[name.removeprefix("trunk.")], value), name
    with pytest.raises(CheckpointError, match="saved is of another size"):
        load_trunk(Trunk(CONFIG), tmp_path / "saved")


def test_a_checkpoint_of_published_parts_has_no_trunk(tmp_path: Path) -> None:
    model = DeixisModel.from_tree(published.tree())
    checkpoint.save(model, tiny.vocabulary(), tmp_path / "saved")
    with pytest.raises(CheckpointError, match="no trunk to begin with"):
        load_trunk(Trunk(CONFIG), tmp_path / "saved")
