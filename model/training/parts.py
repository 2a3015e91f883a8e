"""Fetches published parts: their weights, and the words of the language model.

The only place where a run reaches for the network; what it has fetched lies in transformers' cache
and then in the run's own state.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import (
    AutoModelForObjectDetection,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)

from model.config import Part
from model.errors import CheckpointError, ConfigError
from model.parts import settings_of
from model.published_vision import PublishedVision
from model.tokens import Special, Vocabulary
from model.vlm import DeixisModel

SAFELY = {"use_safetensors": True, "trust_remote_code": False}


def fetch_weights(model: DeixisModel) -> None:
    """Gives the published parts of an untrained model their published weights.

    Raises:
        CheckpointError: a part cannot be reached, or is of another shape than its configuration.
    """
    trunk, base = model.tree.trunk, model.tree.language.base
    vision, language = model.vision, model.prefixed.language
    if isinstance(vision, PublishedVision):
        whole = _fetch(trunk.detector, AutoModelForObjectDetection, _settings(vision.detector))
        vision.detector.load_state_dict(whole.model.state_dict())
        if vision.encoder is not None:
            fetched = _fetch(trunk.encoder, type(vision.encoder), _settings(vision.encoder))
            vision.encoder.load_state_dict(fetched.state_dict())
    if base:
        _give_words(model, _fetch(base, type(language), settings_of(base)))


def _settings(part: nn.Module) -> PreTrainedConfig:
    assert isinstance(part, PreTrainedModel)
    return part.config


def _fetch(part: Part, kind: Any, config: PreTrainedConfig) -> Any:  # noqa: ANN401
    """Returns a part as it is published, in float32."""
    try:
        found, told = kind.from_pretrained(
            part.name, config=config, dtype=torch.float32, output_loading_info=True, **SAFELY
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{part.name!r} could not be fetched: {error}") from error
    if told["missing_keys"] or told["mismatched_keys"]:
        differing = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))[:3]
        raise CheckpointError(
            f"{part.name!r} is not what its configuration in the recipe says; it differs in "
            f"{differing}."
        )
    return found


@torch.no_grad()
def _give_words(model: DeixisModel, fetched: nn.Module) -> None:
    """Copies a published decoder; its words come behind our special tokens, bins behind those.

    New rows are drawn as if they were words: with the mean and the deviation of all of them.
    """
    words: Tensor = fetched.get_input_embeddings().weight  # type: ignore[operator,union-attr]
    table = torch.randn_like(model.prefixed.embedding.weight) * words.std(0) + words.mean(0)
    table[len(Special) : len(Special) + len(words)] = words
    weights = {
        name: table if value.data_ptr() == words.data_ptr() else value
        for name, value in fetched.state_dict().items()
    }
    model.prefixed.language.load_state_dict(weights)


def fetch_words(base: Part) -> Vocabulary:
    """Returns the vocabulary of a published decoder.

    Raises:
        CheckpointError: it cannot be reached.
        ConfigError: it is not of a kind that we can read.
    """
    try:
        found = AutoTokenizer.from_pretrained(base.name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{base.name!r} could not be fetched: {error}") from error
    return adopt_words(found.backend_tokenizer.to_str(), base.name)


def adopt_words(text: str, name: str) -> Vocabulary:
    """Returns a published tokenizer as a vocabulary of ours.

    Every id moves up to make room for our special tokens. Its own special tokens go: nothing that
    people type may mean more than it says. Each piece of text begins with a space, since an answer
    is read and written in pieces.

    Args:
        text: the `tokenizer.json`.
        name: for messages.

    Raises:
        ConfigError: it is no byte-level BPE.
    """
    tree = json.loads(text)
    model, before = tree["model"], tree["pre_tokenizer"] or {}
    splitters = before.get("pretokenizers", [before])
    by_bytes = [part for part in splitters if part.get("type") == "ByteLevel"]
    if model["type"] != "BPE" or not by_bytes:
        raise ConfigError(f"{name!r} has no byte-level BPE tokenizer; choose another decoder.")
    for part in by_bytes:
        part["add_prefix_space"] = False
    ours = {token.value: token.id for token in Special}
    model["vocab"] = {
        **{word: number + len(Special) for word, number in model["vocab"].items()}, **ours
    }  # fmt: skip
    strip = {"type": "Strip", "strip_left": True, "strip_right": True}
    steps = [tree["normalizer"], strip, {"type": "Prepend", "prepend": " "}]
    tree["normalizer"] = {"type": "Sequence", "normalizers": [step for step in steps if step]}
    tree |= {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    return Vocabulary(Tokenizer.from_str(json.dumps(tree)))
