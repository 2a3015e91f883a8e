from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.config import TrunkConfig
from model.preprocess import Letterbox
from model.training.trunk_weights import load_onnx
from model.trunk import STRIDES, Trunk
from model.types import Size
from tests.model import tiny

SAMPLES = ("coco_val2017_000000010707.jpg", "coco_val2017_000000097924.jpg")


def test_shapes_of_pyramid_and_cells() -> None:
    config = TrunkConfig(width=4, head_width=8, num_classes=3)
    cells = Trunk(config).eval()(torch.rand(2, 3, 96, 64) * 255)
    count = sum(96 // s * (64 // s) for s in STRIDES)
    assert cells.boxes.shape == (2, count, 4)
    assert cells.class_logits.shape == (2, count, 3)
    assert cells.objectness_logits.shape == (2, count)
    assert cells.features.shape == (2, count, 16)
    assert [tuple(level.shape[1:]) for level in cells.pyramid] == [(8, 12, 8), (8, 6, 4), (8, 3, 2)]
    assert cells.summit.shape == (2, 64, 3, 2)


def test_a_silent_head_says_boxes_of_one_stride_at_the_cells() -> None:
    trunk = Trunk(tiny.tree().trunk).eval()
    for head in trunk.heads:
        torch.nn.init.zeros_(head.box.weight)  # type: ignore[union-attr]
        torch.nn.init.zeros_(head.box.bias)  # type: ignore[union-attr]
    boxes = trunk(torch.zeros(1, 3, 64, 64)).boxes[0]
    assert boxes[0].tolist() == [-4, -4, 4, 4]
    assert boxes[9].tolist() == [4, 4, 12, 12]  # second row, second column of stride 8
    assert boxes[64].tolist() == [-8, -8, 8, 8]  # first of stride 16
    assert boxes[-1].tolist() == [16, 16, 48, 48]  # last of stride 32


@pytest.mark.shared
@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_the_published_file_on_a_photograph(shared: Path, name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = shared / "weights/yolox_nano.onnx"
    trunk = Trunk(TrunkConfig()).eval()
    load_onnx(trunk, path)
    with Image.open(shared / "data/samples" / name) as picture:
        size = Size(*picture.size)
        pixels = Letterbox.fit(size, 416).pixels(picture.convert("RGB"), 416)[None]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(
        np.asarray(session.run(None, {session.get_inputs()[0].name: pixels.numpy()})[0])[0]
    )
    with torch.inference_mode():
        cells = trunk(pixels)
    assert torch.allclose(cells.objectness_logits[0].sigmoid(), theirs[:, 4], atol=1e-4)
    assert torch.allclose(cells.class_logits[0].sigmoid(), theirs[:, 5:], atol=1e-4)
    assert theirs[:, 4].max() > 0.5, "the file sees nothing here"
    corners = torch.tensor([(x, y, s) for s in STRIDES for y, x in np.ndindex(416 // s, 416 // s)])
    centre = (theirs[:, :2] + corners[:, :2]) * corners[:, 2:]
    half = theirs[:, 2:4].exp() * corners[:, 2:] / 2
    assert torch.allclose(cells.boxes[0], torch.cat([centre - half, centre + half], 1), atol=0.05)
