"""Weights for a new trunk: published YOLOX ones, or those of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from model import checkpoint
from model.errors import CheckpointError
from model.trunk import Trunk
from model.vision import Vision


def load_trunk(trunk: Trunk, path: Path) -> None:
    """Copies weights into `trunk`: of an ONNX file, or of a checkpoint in a folder.

    Raises:
        CheckpointError: they are of another size, or the checkpoint is broken.
    """
    if not path.is_dir():
        return load_onnx(trunk, path)
    vision = checkpoint.load(path, grow=True)[0].vision
    if not isinstance(vision, Vision):
        raise CheckpointError(f"{path} sees by published parts; it has no trunk to begin with.")
    try:
        trunk.load_state_dict(vision.trunk.state_dict())
    except RuntimeError as error:
        raise CheckpointError(f"The trunk of {path} is of another size: {error}") from error
    return None


def load_onnx(trunk: Trunk, path: Path) -> None:
    """Copies the convolutions of a YOLOX file, in graph order, into `trunk`; needs `onnx`.

    Raises:
        CheckpointError: the number or a shape of the convolutions differs.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    weights = [node.input[1:3] for node in graph.node if node.op_type == "Conv"]
    layers = [layer for layer in trunk.modules() if isinstance(layer, torch.nn.Conv2d)]
    if len(weights) != len(layers):
        raise CheckpointError(
            f"{path} has {len(weights)} convolutions, this trunk {len(layers)}; "
            "choose the trunk's width and depth after the file."
        )
    for layer, (weight, bias) in zip(layers, weights, strict=True):
        if layer.weight.shape != values[weight].shape:
            raise CheckpointError(
                f"{path}: {weight} has shape {values[weight].shape}, "
                f"this trunk expects {tuple(layer.weight.shape)}."
            )
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(values[weight].copy()))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(values[bias].copy()))
