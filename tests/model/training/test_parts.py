from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForObjectDetection, SiglipModel

from model import checkpoint
from model.config import ModelConfig, Part
from model.errors import CheckpointError, ConfigError
from model.published_vision import PublishedVision
from model.tokens import Special, Vocabulary
from model.training.parts import adopt_words, fetch_weights, fetch_words
from model.training.views import ViewConfig
from model.vlm import DeixisModel
from tests.model import published, tiny
from tests.model.training import small_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def tree(folder: Path) -> ModelConfig:
    return published.saved(folder)


@pytest.fixture(scope="module")
def model(tree: ModelConfig) -> DeixisModel:
    model = DeixisModel.from_tree(tree)
    fetch_weights(model)
    return model.eval()


def test_every_part_is_as_it_was_published(model: DeixisModel, folder: Path) -> None:
    vision = model.vision
    assert isinstance(vision, PublishedVision)
    detector = AutoModelForObjectDetection.from_pretrained(folder / "detector").eval()
    canvas = torch.stack([tiny.on_canvas(number) for number in range(2)])
    pixels = canvas[:, [2, 1, 0]] / 255
    with torch.no_grad():
        whole = detector(pixel_values=pixels)
        sight = vision([canvas])
        encoder = SiglipModel.from_pretrained(folder / "encoder").vision_model
        tokens = encoder((pixels - 0.5) / 0.5, interpolate_pos_encoding=True).last_hidden_state
    best = whole.logits.amax(-1).argsort(1, descending=True)[:, :12]
    logits = torch.stack([row[order] for row, order in zip(whole.logits, best, strict=True)])
    assert tiny.close(sight.class_logits, logits)
    grid = tokens.transpose(1, 2).unflatten(2, (4, 4))
    assert tiny.close(sight.summit, torch.nn.functional.pixel_unshuffle(grid, 2))


def test_words_stand_behind_our_own_tokens(model: DeixisModel, folder: Path) -> None:
    language = AutoModelForCausalLM.from_pretrained(folder / "language").eval()
    ids = torch.tensor([[260, 300, 310, 5]])
    ours = ids + len(Special)
    mask = torch.ones(4, 4, dtype=torch.bool).tril()[None]
    with torch.no_grad():
        theirs = language(ids).logits
        states = model.prefixed.run(model.prefixed.embedding(ours), mask, torch.arange(4)[None])
        logits = model.prefixed.logits(states)
    assert tiny.close(logits[..., len(Special) : len(Special) + published.WORDS], theirs)


def test_the_vocabulary_is_theirs_moved_up(tree: ModelConfig) -> None:
    words = fetch_words(tree.language.base)
    theirs = published.tokenizer()
    text = "A Big dog on the left."
    assert words.encode(text) == [i + len(Special) for i in theirs(" " + text)["input_ids"]]
    assert words.encode("  " + text + " ") == words.encode(text)
    assert words.decode(words.encode(text)) == " " + text
    pieces = [token for piece in ("A", "Big dog") for token in words.encode(piece)]
    assert words.decode(pieces) == " A Big dog", "pieces keep their spaces"


def test_no_text_is_a_special_token(tree: ModelConfig, tmp_path: Path) -> None:
    words = fetch_words(tree.language.base)
    for token in ("<|im_end|>", "<|endoftext|>", *Special):
        assert len(words.encode(token)) > 1
        assert min(words.encode(token)) >= len(Special)
    words.save(tmp_path / "tokenizer.json")
    assert Vocabulary.load(tmp_path / "tokenizer.json").encode("a dog") == words.encode("a dog")


def test_a_model_of_parts_is_saved_and_loaded_bit_by_bit(
    model: DeixisModel, tree: ModelConfig, tmp_path: Path
) -> None:
    checkpoint.save(model, fetch_words(tree.language.base), tmp_path / "saved")
    loaded, _, _ = checkpoint.load(tmp_path / "saved")
    assert loaded.tree == tree
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_a_part_that_is_not_there_or_another_is_refused(tree: ModelConfig, tmp_path: Path) -> None:
    nowhere = replace(tree.trunk.detector, name=str(tmp_path / "nowhere"))
    model = DeixisModel.from_tree(replace(tree, trunk=replace(tree.trunk, detector=nowhere)))
    with pytest.raises(CheckpointError, match="nowhere"):
        fetch_weights(model)
    base = tree.language.base
    larger = replace(base, config={**base.config, "intermediate_size": 48})
    model = DeixisModel.from_tree(replace(tree, language=replace(tree.language, base=larger)))
    with pytest.raises(CheckpointError, match=r"language.*differs|could not"):
        fetch_weights(model)
    with pytest.raises(CheckpointError, match="nowhere"):
        fetch_words(nowhere)


def test_tokenizers_of_another_kind_are_refused() -> None:
    other = '{"model": {"type": "Unigram", "vocab": {}}, "pre_tokenizer": null}'
    with pytest.raises(ConfigError, match="'x' has no byte-level BPE"):
        adopt_words(other, "x")


def test_a_decoder_with_an_output_layer_of_its_own_is_refused() -> None:
    untied = Part("x", {**published.QWEN.config, "tie_word_embeddings": False})
    with pytest.raises(ConfigError, match="x has no tie_word_embeddings"):
        published.tree(base=untied)


def test_a_model_of_parts_is_taught_like_any_other(
    model: DeixisModel, tree: ModelConfig, tmp_path: Path
) -> None:
    small_run.dataset(tmp_path)
    checkpoint.save(model, fetch_words(tree.language.base), tmp_path / "start")
    run = small_run.finetune(tmp_path, mode="lora", views=ViewConfig(mosaic=0.5), noise=0.2)
    assert run.run(lambda: False)
    taught, _, _ = checkpoint.load(tmp_path / "run-out")
    after = taught.state_dict()
    moved = {
        name for name, value in model.state_dict().items()
        if value.is_floating_point() and not torch.equal(value.half().float(), after[name])
    }  # fmt: skip
    assert any("q_proj" in name or "v_proj" in name for name in moved)
    assert any(name.startswith("box_decoder") for name in moved)
    assert not any(name.startswith("vision") for name in moved)
