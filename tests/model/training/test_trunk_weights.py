from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.config import TrunkConfig
from model.errors import CheckpointError
from model.training.trunk_weights import load_onnx
from model.trunk import Trunk
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
