"""Makes a tiny random model write a given output, token by token, through its real `generate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from transformers import LogitsProcessor

from model.backends.generation import GenerativeBackend


class Script(LogitsProcessor):
    """Prefers the next token of a script; all others stay possible, so probabilities are not 1."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = iter(tokens)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        level = torch.zeros_like(scores)
        level[:, next(self._tokens)] = 8.0
        return level


@contextmanager
def writes(backend: GenerativeBackend, *outputs: str) -> Iterator[list[str]]:
    """Makes each generation write the next of `outputs`; yields the prompts as they come."""
    left, prompts = list(outputs), []
    generate = backend.model.generate

    def scripted(*args: Any, **kwargs: Any) -> Any:
        text = left.pop(0)
        ids = backend.tokenizer(text, add_special_tokens=False)["input_ids"]
        ends = backend.writer.generation_config.eos_token_id
        script = Script([*ids, ends[0] if isinstance(ends, list) else ends])
        kwargs["logits_processor"].insert(0, script)
        prompts.append(backend.tokenizer.decode(kwargs["input_ids"][0]))
        return generate(*args, **kwargs)

    with patch.object(backend.model, "generate", scripted):
        yield prompts
    assert not left, f"never asked for: {left}"
