from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import checkpoint
from model.engine import Engine
from model.errors import CheckpointError
from tests.model import tiny


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    checkpoint.save(tiny.model(), tiny.vocabulary(), folder)
    return folder


def test_what_is_loaded_is_what_was_saved_to_the_bit(saved: Path) -> None:
    model, vocabulary, version = checkpoint.load(saved)
    assert model.tree == tiny.tree()
    wanted = tiny.model().state_dict()
    assert model.state_dict().keys() == wanted.keys()
    for name, value in model.state_dict().items():
        assert value.dtype == wanted[name].dtype
        assert torch.equal(value, wanted[name]), name
    again = Engine(model, vocabulary, name="again", version=version, device="cpu")
    for ask in (
        lambda e: e.detect(tiny.picture(), ["dog", "cup"], threshold=0.0),
        lambda e: e.caption(tiny.picture()),
        lambda e: e.describe_region(tiny.picture(), tiny.LEFT),
    ):
        assert ask(again) == ask(tiny.engine())


def test_half_precision_rounds_once_and_stays(saved: Path) -> None:
    checkpoint.save(tiny.model(), tiny.vocabulary(), saved, half=True)
    once, vocabulary, version = checkpoint.load(saved)
    for name, value in once.state_dict().items():
        wanted = tiny.model().state_dict()[name]
        assert torch.equal(value, wanted.half().float()), name
    checkpoint.save(once, vocabulary, saved, half=True)
    twice, _, again = checkpoint.load(saved)
    assert again == version
    assert all(
        torch.equal(a, b)
        for a, b in zip(twice.state_dict().values(), once.state_dict().values(), strict=True)
    )


def test_numbers_too_large_for_half_precision_stay_as_they_are(tmp_path: Path) -> None:
    model = tiny.build()
    model.links.weight[0, 0] = 1e5
    checkpoint.save(model, tiny.vocabulary(), tmp_path / "large", half=True)
    loaded, _, _ = checkpoint.load(tmp_path / "large")
    assert torch.equal(loaded.links.weight, model.links.weight)
    rounded = model.box_decoder.modulate.weight.half().float()
    assert torch.equal(loaded.box_decoder.modulate.weight, rounded)


def test_versions_tell_weights_apart_and_words_about_them_do_not_count(saved: Path) -> None:
    version = checkpoint.verify(saved)
    (saved / "README.md").write_text("A card.")
    (saved / "metrics.json").write_text("{}")
    assert checkpoint.verify(saved) == version
    checkpoint.save(tiny.build(seed=1), tiny.vocabulary(), saved)
    assert checkpoint.verify(saved) != version
    assert (saved / "README.md").read_text() == "A card.", "the card is kept"


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_changed_or_missing_piece_is_refused_by_name(saved: Path, name: str) -> None:
    path = saved / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=f"{name} differs from its manifest"):
        checkpoint.load(saved)
    path.unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        checkpoint.load(saved)


def test_what_can_run_code_and_what_nobody_signed_is_refused(saved: Path) -> None:
    (saved / "extra.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="does not name"):
        checkpoint.verify(saved)
    (saved / "extra.safetensors").rename(saved / "weights.bin")
    with pytest.raises(CheckpointError, match="only safetensors are loaded"):
        checkpoint.verify(saved)


def test_other_architectures_and_broken_numbers_are_refused(saved: Path) -> None:
    weights = load_file(saved / "model.safetensors")
    name = next(name for name in weights if name.startswith("box_decoder"))
    for change, words in (
        ({k: v for k, v in weights.items() if k != name}, "another architecture"),
        (weights | {name: torch.full_like(weights[name], torch.nan)}, "not finite"),
    ):
        save_file(change, saved / "model.safetensors")
        checkpoint.sign(saved)
        with pytest.raises(CheckpointError, match=words) as error:
            checkpoint.load(saved)
        assert name in str(error.value)


@pytest.mark.parametrize("stage", ["before", "between", "after"])
def test_a_crash_leaves_one_whole_version(saved: Path, stage: str) -> None:
    """The three moments of `replace_folder`: while writing, between the renames, after both."""
    old = saved.with_name("tiny.old")
    version = checkpoint.verify(saved)
    if stage == "before":
        with pytest.raises(RuntimeError, match="disk full"):
            checkpoint.replace_folder(saved, _fail)
    elif stage == "between":
        saved.rename(old)
    else:
        old.mkdir()
    assert checkpoint.load(saved)[2] == version
    assert not old.exists()
    assert not saved.with_name("tiny.staging").exists()


def _fail(staging: Path) -> None:
    (staging / "half.safetensors").write_bytes(b"x")
    raise RuntimeError("disk full")


def test_listing_says_what_can_be_served_and_why_not(saved: Path) -> None:
    broken = saved.with_name("broken")
    checkpoint.save(tiny.build(seed=1), tiny.vocabulary(), broken)
    (broken / checkpoint.MANIFEST).unlink()
    (saved / "metrics.json").write_text(json.dumps({"tasks": {}}))
    (saved.parent / "no checkpoint").mkdir()
    listed = {item.name: item for item in checkpoint.listing(saved.parent)}
    assert set(listed) == {"tiny", "broken"}
    assert listed["tiny"].problem == ""
    assert listed["tiny"].metrics == {"tasks": {}}
    assert listed["tiny"].size == (saved / "model.safetensors").stat().st_size
    assert "not saved completely" in listed["broken"].problem


def test_a_name_or_a_path_is_found_and_others_are_listed(saved: Path) -> None:
    assert checkpoint.resolve(saved) == saved
    assert checkpoint.resolve("tiny", saved.parent) == saved
    with pytest.raises(CheckpointError, match="There is no checkpoint 'large'; known are: tiny"):
        checkpoint.resolve("large", saved.parent)
