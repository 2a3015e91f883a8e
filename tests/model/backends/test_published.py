"""Loading published checkpoints safely: missing, pickled, broken or too large is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.backends import memory, open_backend
from model.backends.florence2 import Florence2Backend
from model.backends.generation import GenerativeBackend
from model.backends.loading import Source, load_model, version_of
from model.backends.memory import (
    check_room,
    count_weights,
    free_bytes,
    placement,
    weight_files,
)
from model.errors import BackendError, CheckpointError
from model.records import PictureFile, Record
from model.training.published import Tuner, Tuning
from model.types import Size
from tests.model.backends.conftest import Tiny
from tests.model.backends.tiny import picture


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("florence2"), tmp_path / "florence"))


def load(folder: Path) -> Florence2Backend:
    return Florence2Backend.load(Source("florence", folder))


def test_pickled_weights_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="pickled"):
        load(folder)


def test_missing_weights_are_refused_rather_than_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in sorted(weights) if "vision" in name)
    del weights[gone]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks 1 weights"):
        load(folder)


def test_a_cut_file_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="no readable safetensors"):
        load(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "../model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"model-1\.safetensors, model-2\.safetensors"):
        weight_files(folder)


def test_a_missing_tokenizer_is_told(folder: Path) -> None:
    for path in folder.glob("*token*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="doctor"):
        load(folder)


def test_memory_is_asked_for_before_anything_loads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    with pytest.raises(BackendError, match="needs about"):
        load(folder)


def test_room_is_part_of_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    check_room("m", 800, "cpu")
    with pytest.raises(BackendError):
        check_room("m", 801, "cpu")


def test_weights_go_to_one_gpu_if_they_fit_there_and_to_all_if_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = {"cuda:0": 1000}
    monkeypatch.setattr(memory, "free_bytes", lambda device: free[device])
    assert placement(800, "cuda") == "cuda:0"
    assert placement(801, "cuda") == "auto"
    assert placement(10**9, "cuda:1") == "cuda:1"
    assert placement(10**9, "cpu") == "cpu"


def test_all_gpus_count_for_a_device_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(device[-1]) + 1, 9))
    assert free_bytes("cuda") == 3
    assert free_bytes("cuda:1") == 2


def test_a_model_is_read_to_where_it_is_placed(folder: Path) -> None:
    """A GPU is not needed to see that the library takes a device map."""
    source = Source("florence", folder, device="meta")
    assert load_model("AutoModelForImageTextToText", source, "cpu").device.type == "cpu"


def test_a_name_for_four_bits_asks_for_bitsandbytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError) as refused:
        open_backend(f"{folder}:4bit", "cpu")
    assert str(refused.value) == (
        f"{folder.name}:4bit is to be loaded in 4 bits, but bitsandbytes is not installed here; "
        "`pip install bitsandbytes`, or leave :4bit out of the name."
    )


def test_four_bits_learn_and_open_again(tiny: Tiny, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="an extra: pip install bitsandbytes")
    name = f"{tiny('qwen3_vl')}:4bit"
    backend = open_backend(name, "cpu")
    assert isinstance(backend, GenerativeBackend)
    assert backend.card.name == "qwen3_vl:4bit"
    assert backend.model.is_loaded_in_4bit
    picture().save(tmp_path / "a.png")
    record = Record(
        "a", Size(160, 120), PictureFile(tmp_path, None, "a.png"),
        captions=("a red square",), refs=(), objects=(),
    )  # fmt: skip
    tuner = Tuner(backend, name, Tuning(rate=1e-2, rank=4, lessons=1))
    losses = [tuner.learn(lambda random: record, step / 8) for step in range(8)]
    (tmp_path / "out").mkdir()
    tuner.save_adapter(tmp_path / "out")
    assert losses[-1] < losses[0]
    again = open_backend(str(tmp_path / "out") + ":4bit", "cpu")
    assert isinstance(again, GenerativeBackend)
    learned = {name: v for name, v in backend.model.named_parameters() if "lora_" in name}
    loaded = {name: v for name, v in again.model.named_parameters() if "lora_" in name}
    assert learned
    assert learned.keys() == loaded.keys()
    # No answer is asked for: on a CPU the library's kernel takes no layer narrower than 64.
    assert all(torch.equal(value, loaded[name]) for name, value in learned.items())


def test_a_container_has_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    whole = free_bytes("cpu")
    assert whole > 2e6
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert free_bytes("cpu") == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes("cpu") > 2e6


def test_numbers_and_bytes_are_counted(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "model.safetensors")
    assert count_weights(tmp_path) == (17, 58)


def test_the_version_changes_with_the_weights(folder: Path) -> None:
    before = version_of(folder)
    assert version_of(folder) == before
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "more": torch.zeros(1)}, folder / "model.safetensors")
    assert version_of(folder) != before
