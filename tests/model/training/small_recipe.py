"""A folder of records and recipes over it that take a blink: a small trunk, or published parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from model.config import ModelConfig
from model.training.config import Recipe, Source, Stage
from model.training.lessons import LessonConfig
from tests.model import tiny

FEW = LessonConfig(1, 1, 2, 1, 1, 1, 1, 2, 1, 0, 0)


def records(folder: Path, count: int = 3) -> Path:
    """Writes pictures of two squares, a dog and a bus, and what can be said of them."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        tiny.picture(96, 64, number).save(folder / f"{number}.png")
        objects = []
        for label, box in (("dog", tiny.LEFT), ("bus", tiny.RIGHT)):
            x0, y0, x1, y1 = box.x0 * 96, box.y0 * 64, box.x1 * 96, box.y1 * 64
            objects.append(
                {"label": label, "bbox": [x0, y0, x1 - x0, y1 - y0],
                 "poly": [[x0, y0, x1, y0, x1, y1, x0, y1]]}
            )  # fmt: skip
        lines.append(
            {"id": str(number), "width": 96, "height": 64, "image": f"{number}.png",
             "objects": objects, "captions": ["a dog and a bus"],
             "grounded": [{"caption": 0, "start": 0, "end": 5, "objects": [0], "label": "dog"},
                          {"caption": 0, "start": 10, "end": 15, "objects": [1], "label": "bus"}],
             "refs": [{"text": "the dog on the left", "object": 0, "kind": "position"},
                      {"text": "the bus", "object": 1, "kind": "unique"}],
             "label_space": "coco80", "exhaustive": True}
        )  # fmt: skip
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def recipe(tree: ModelConfig, **changes: object) -> Recipe:
    """Returns a recipe of two steps over these records."""
    stage = Stage(steps=2, batch=2, learning_rate=2e-3, lessons=FEW)
    made = Recipe(model=tree, sources=(Source("train.jsonl"),), stages=(stage,), precision="no",
                  ema=0.5)  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def written(made: Recipe, path: Path) -> Path:
    """Writes a recipe as JSON."""
    path.write_text(json.dumps(made.to_json()))
    return path


def trunk(path: Path) -> Path:
    """Writes the tiny trunk's weights as the ONNX file that a recipe begins with."""
    return write_onnx(tiny.model().vision, path)


def write_onnx(trunk: nn.Module, path: Path, leave_out: int = 0) -> Path:
    """Writes the convolutions of a trunk, in their order, as nodes of an ONNX graph."""
    onnx = pytest.importorskip("onnx", exc_type=ImportError)
    layers = [layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d)][leave_out:]
    nodes, values = [], []
    for number, layer in enumerate(layers):
        assert layer.bias is not None
        names = [f"w{number}", f"b{number}"]
        nodes.append(onnx.helper.make_node("Conv", ["x", *names], [f"y{number}"]))
        for name, value in zip(names, (layer.weight, layer.bias), strict=True):
            values.append(onnx.numpy_helper.from_array(value.detach().numpy(), name))
    graph = onnx.helper.make_graph(nodes, "trunk", [], [], values)
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path
