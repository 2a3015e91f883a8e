"""Fine-tuning of published families, on tiny random models of the real classes."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import cast

import pytest
import torch

from model.backends import loading, open_backend
from model.backends.generation import GenerativeBackend
from model.errors import CapabilityError, CheckpointError, ConfigError, RecordError
from model.records import Expression, GroundedPhrase, LabelledObject, PictureFile, Record
from model.training.config import FineTuneConfig
from model.training.published import Tuner, Tuning, fill_in, teachable
from model.training.published_lessons import lessons
from model.types import Box, Size
from tests.model.backends.tiny import FAMILIES, build, picture

SQUARE, CIRCLE = Box(0.125, 20 / 120, 0.4375, 70 / 120), Box(0.5625, 40 / 120, 0.875, 0.75)
KINDS = ["florence2", "paligemma", "qwen2_5_vl", "qwen3_vl"]
TUNING = Tuning(rate=1e-2, rank=8, alpha=16, lessons=2)
STEPS = 16
LOUD = 25
"""A random head whispers, and it stays as it is; made loud, what comes before can be heard."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def record(root: Path) -> Record:
    picture().save(root / "a.png")
    return Record(
        "a",
        Size(160, 120),
        PictureFile(root, None, "a.png"),
        objects=(LabelledObject("square", SQUARE), LabelledObject("circle", CIRCLE)),
        captions=("a red square and a blue circle",),
        grounded=(
            GroundedPhrase(0, 0, 12, (0,), "square"),
            GroundedPhrase(0, 17, 30, (1,), "circle"),
        ),
        refs=(Expression("the red square", 0, "attribute"),),
    )


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, root: Path) -> Path:
    folder = root / request.param
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, processor = FAMILIES[request.param]()
    model.get_output_embeddings().weight.data.mul_(LOUD)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def opened(folder: Path) -> GenerativeBackend:
    return cast("GenerativeBackend", open_backend(str(folder), "cpu"))


def test_lessons_ask_as_serving_does_and_read_back(root: Path, record: Record) -> None:
    backend = opened(build("qwen3_vl", root / "asked"))
    shown = backend.shown_of(picture())
    assert shown == backend.shown(backend.encode(picture()))
    taught = lessons(record, backend, shown, Random(1))
    assert [lesson.prompt.split()[0] for lesson in taught] == [
        "Locate", "Locate", "For", "Describe", "Describe",
    ]  # fmt: skip
    refer = backend.grammar.read(taught[1].answer, shown)
    assert refer.found[0].phrase.text == "the red square"
    assert refer.found[0].boxes[0].as_tuple() == pytest.approx(SQUARE.as_tuple(), abs=1e-3)
    assert taught[3].answer.startswith("a red square and a blue circle\n```json")
    assert "the thing in the box [" in taught[4].prompt


def test_a_family_learns_and_its_adapter_opens(
    folder: Path, record: Record, tmp_path: Path
) -> None:
    backend = opened(folder)
    lesson = lessons(record, backend, backend.shown_of(picture()), Random(1))[1]

    def loss(model: GenerativeBackend) -> float:
        with torch.no_grad():
            return float(model.model(**model.lesson(picture(), lesson.prompt, lesson.answer)).loss)

    before = loss(backend)
    frozen = {name: value.clone() for name, value in backend.model.named_parameters()}
    tuner = Tuner(backend, str(folder), TUNING)
    losses = [tuner.learn(lambda random: record, step / STEPS) for step in range(STEPS)]
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    assert loss(backend) < 0.7 * before
    for name, value in backend.model.named_parameters():
        if "lora_" not in name:
            assert torch.equal(value, frozen[name.replace(".base_layer", "")])
        else:
            assert "language_model" in name  # what sees the picture stays as it is
    (tmp_path / "tuned").mkdir()
    tuner.save_adapter(tmp_path / "tuned")
    again = opened(tmp_path / "tuned")
    assert loss(again) == pytest.approx(loss(backend), rel=1e-3)
    assert again.card.name == "tuned"
    assert again.card.version != backend.card.version
    (tmp_path / "tuned" / "adapter_model.safetensors").rename(tmp_path / "tuned" / "adapter.bin")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors"):
        opened(tmp_path / "tuned")


def test_a_merged_adapter_is_the_unmerged_one(folder: Path, record: Record, tmp_path: Path) -> None:
    backend = opened(folder)
    lesson = lessons(record, backend, backend.shown_of(picture()), Random(1))[1]
    row = backend.lesson(picture(), lesson.prompt, lesson.answer)

    @torch.no_grad()
    def logits(model: torch.nn.Module) -> torch.Tensor:
        return model(**row).logits

    untaught = logits(backend.model)
    tuner = Tuner(backend, str(folder), TUNING)
    assert torch.equal(logits(backend.model), untaught), "an adapter is at first without effect"
    for step in range(STEPS):
        tuner.learn(lambda random: record, step / STEPS)
    tuner.save_adapter(tmp_path)
    merged = opened(tmp_path).model
    assert not [name for name, _ in merged.named_modules() if "lora" in name]
    adapted = {
        name: module
        for name, module in backend.model.named_modules()
        if hasattr(module, "base_layer") and hasattr(module, "lora_A")
    }
    assert adapted
    weights = merged.state_dict()
    for name, module in adapted.items():
        down, up = module.lora_A["default"].weight, module.lora_B["default"].weight
        whole = module.base_layer.weight + TUNING.alpha / TUNING.rank * up @ down
        torch.testing.assert_close(weights[f"{name}.weight"], whole.detach(), rtol=0, atol=1e-6)
    beside = loading.adapted(opened(folder).model, tmp_path, merge=False)  # as above four bits
    assert [name for name, _ in beside.named_modules() if "lora" in name]
    taught = logits(backend.model)
    size = float(taught.abs().max())
    assert float((taught - untaught).abs().max()) > 0.05 * size
    assert float((logits(beside) - taught).abs().max()) < 1e-5 * size
    assert float((logits(merged) - taught).abs().max()) < 1e-4 * size


def test_what_cannot_be_taught_says_so(root: Path) -> None:
    for kind in ("sam", "kosmos2"):
        with pytest.raises(CapabilityError, match="Florence-2"):
            teachable(open_backend(str(build(kind, root / kind)), "cpu"))


def test_records_that_teach_nothing_are_refused(root: Path, record: Record) -> None:
    empty = Record("b", record.size, record.file)
    tuner = Tuner(opened(build("florence2", root / "empty")), "empty", TUNING)
    with pytest.raises(RecordError, match="nothing"):
        tuner.learn(lambda random: empty, 0.0)
    assert tuner.step == 0


def test_settings_are_filled_in_with_reasons_and_others_refused() -> None:
    config, reasons = fill_in(FineTuneConfig(epochs=2), 20, earlier=False)
    assert (config.mode, config.batch, config.steps, config.replay_share) == ("lora", 8, 5, 0.0)
    assert any("seen about 2 times" in reason for reason in reasons)
    timed, _ = fill_in(FineTuneConfig(minutes=5), 20, earlier=True)
    assert timed.steps == 1_000_000
    assert timed.replay_share == FineTuneConfig().replay_share
    with pytest.raises(ConfigError, match=r"'full'.*auto or lora"):
        fill_in(FineTuneConfig(mode="full"), 20, earlier=False)
