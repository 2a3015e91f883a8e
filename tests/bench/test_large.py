"""Published models at full size: the shapes are right, and the measurement runs on tiny ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from model.backends.generation import GenerativeBackend
from tests.bench import large
from tests.bench.shapes import SHAPES, Shape


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [(SHAPES[0], 231_414_016), (SHAPES[1], 2_127_532_032)],
    ids=["florence", "qwen"],
)
def test_full_size_is_what_was_published(shape: Shape, parameters: int) -> None:
    kind, config, _ = shape.make()
    with torch.device("meta"):
        model = kind(config)
    assert sum(value.numel() for value in model.parameters()) == parameters


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_model_is_measured(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    generate = GenerativeBackend._generate

    def noted(self: GenerativeBackend, jobs: object) -> None:
        asked.append(self.max_tokens)
        generate(self, jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(GenerativeBackend, "_generate", noted)
    monkeypatch.setattr(large, "ROUNDS", 1)
    taken = large.take(shape, "cpu", small=True)
    assert asked == [1, 1, 1, 1, large.WORDS, large.WORDS]
    assert taken.weights == 4 * taken.parameters
    assert taken.peak > taken.weights
    assert min(taken.encode, taken.cold, taken.warm) > 0
    assert taken.answer > taken.warm, "it answers on, whatever its made-up weights say"
    assert taken.row().count("|") == large.HEAD.splitlines()[0].count("|")


def test_the_command_writes_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(large, "ROUNDS", 1)
    large.main("cpu", tmp_path / "rows.json", small=True)
    names = [row["model"] for row in json.loads((tmp_path / "rows.json").read_text())["rows"]]
    assert names == ["Florence-2-base", "Qwen3-VL-2B"]
    told = capsys.readouterr().out
    assert all(name in told for name in names)
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit, match="no NVIDIA GPU"):
            large.main("cuda")
