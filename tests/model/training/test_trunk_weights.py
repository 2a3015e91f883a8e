from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from model.config import TrunkConfig
from model.errors import CheckpointError
from model.training.trunk_weights import load_onnx
from model.trunk import Trunk

onnx = pytest.importorskip("onnx", exc_type=ImportError)
CONFIG = TrunkConfig(width=4, head_width=8, num_classes=3)


def _write(trunk: Trunk, path: Path, leave_out: int = 0) -> None:
    """Writes a trunk's convolutions, in their order, as nodes of an ONNX graph."""
    from onnx import helper, numpy_helper

    layers = [layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d)][leave_out:]
    nodes, values = [], []
    for number, layer in enumerate(layers):
        assert layer.bias is not None
        names = [f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Conv", ["x", *names], [f"y{number}"]))
        for name, value in zip(names, (layer.weight, layer.bias), strict=True):
            values.append(numpy_helper.from_array(value.detach().numpy(), name))
    graph = helper.make_graph(nodes, "trunk", [], [], values)
    path.write_bytes(helper.make_model(graph).SerializeToString())


def test_every_convolution_is_read_in_its_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs, ours = Trunk(CONFIG), Trunk(CONFIG)
    _write(theirs, tmp_path / "trunk.onnx")
    load_onnx(ours, tmp_path / "trunk.onnx")
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_another_size_or_number_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "trunk.onnx"
    _write(Trunk(CONFIG), path)
    with pytest.raises(CheckpointError, match=r"w\d+ has shape \(4, 12, 3, 3\).*\(8, 12, 3, 3\)"):
        load_onnx(Trunk(TrunkConfig(width=8, head_width=8, num_classes=3)), path)
    _write(Trunk(CONFIG), path, leave_out=1)
    with pytest.raises(CheckpointError, match="choose the trunk's width and depth"):
        load_onnx(Trunk(CONFIG), path)
