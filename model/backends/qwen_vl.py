"""Qwen-VL: chat models that write boxes as JSON. Qwen3-VL and Qwen3.5 per mille, Qwen2.5-VL pixels.

Encode once: everything up to the end of the picture runs through the language model, and its cache
is copied for each question. Two traps: the cache of Qwen3.5's linear attention cannot be cropped,
so it is copied whole; and the model keeps `rope_deltas`, the shift of positions after a picture, as
a field of its own, so that another picture in between would silently spoil the next answer.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.backends.base import Card, EncodedPicture
from model.backends.families import QWEN3_VL, QWEN25_VL
from model.backends.generation import GenerativeBackend
from model.backends.published import Foreign, load_processor, to_device
from model.types import Size

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

PICTURE_END = "<|vision_end|>"
MAX_PIXELS = 1280 * 32 * 32
"""Most pixels of a picture: 1280 tokens. The published limit takes 12 times as long to read."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A picture as the language model has read it.

    Attributes:
        ids: int64[1, T], up to the mark that ends the picture.
        text: the same as text, with a single token for the picture.
        cache: keys and values, never written to.
        rope_deltas: int64[1, 1], shift of the positions that follow.
        shown: pixel size of the resized picture.
    """

    ids: torch.Tensor
    text: str
    cache: Foreign
    rope_deltas: torch.Tensor
    shown: Size


class QwenVLBackend(GenerativeBackend):
    """Qwen2.5-VL, Qwen3-VL and Qwen3.5."""

    family = "qwen-vl"
    grammar = QWEN3_VL
    joined = '", "'

    def __init__(self, model: Foreign, processor: Foreign, card: Card) -> None:
        """Takes a loaded model; see `PublishedBackend.load`."""
        super().__init__(model, processor, card)
        if model.config.model_type == "qwen2_5_vl":
            self.grammar = QWEN25_VL

    @classmethod
    def load_processor(cls, folder: Path) -> Foreign:
        """Returns the processor, with pictures limited to `MAX_PIXELS`."""
        processor = load_processor(folder)
        size = processor.image_processor.size
        size["longest_edge"] = min(size["longest_edge"], MAX_PIXELS)
        return processor

    def shown(self, encoded: EncodedPicture) -> Size:
        """Returns the size the picture was resized to; Qwen2.5-VL counts in its pixels."""
        return _prefix(encoded).shown

    def _encode(self, picture: Image) -> object:
        from transformers import DynamicCache

        text = self._text("", ())
        text = text[: text.index(PICTURE_END) + len(PICTURE_END)]
        inputs = self.processor(images=[picture], text=[text], return_tensors="pt")
        tensors = to_device(inputs, self.model.device, self.model.dtype)
        cache = DynamicCache(config=self.model.config.get_text_config())
        self.model(**tensors, past_key_values=cache, use_cache=True, logits_to_keep=1)
        _, rows, columns = tensors["image_grid_thw"][0].tolist()
        patch = self.processor.image_processor.patch_size
        return Prefix(
            ids=tensors["input_ids"],
            text=text,
            cache=cache,
            rope_deltas=self.model.model.rope_deltas.clone(),
            shown=Size(columns * patch, rows * patch),
        )

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns the whole conversation with a copy of the picture's cache."""
        import torch

        prefix = _prefix(encoded)
        # The prefix ends in a control token, so tokenizing the rest by itself changes nothing.
        rest = self._text(prompt, turns)[len(prefix.text) :]
        tail = self.tokenizer(rest, add_special_tokens=False, return_tensors="pt")["input_ids"]
        ids = torch.cat([prefix.ids, tail.to(prefix.ids.device)], dim=1)
        self.model.model.rope_deltas = prefix.rope_deltas
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "past_key_values": copy.deepcopy(prefix.cache),
        }

    def _text(self, prompt: str, turns: Sequence[tuple[str, str]]) -> str:
        """Returns the conversation in the model's template, the picture in its first question."""
        questions = [question for question, _ in turns] + [prompt]
        first = [{"type": "image"}, {"type": "text", "text": questions[0]}]
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": [{"type": "text", "text": self.grammar.system}]},
            {"role": "user", "content": first},
        ]
        for (_, answer), question in zip(turns, questions[1:], strict=True):
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
            messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        return self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )


def _prefix(encoded: EncodedPicture) -> Prefix:
    assert isinstance(encoded.state, Prefix)
    return encoded.state
