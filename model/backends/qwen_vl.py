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
from model.backends.batching import padded
from model.backends.families import QWEN3_VL, QWEN25_VL
from model.backends.generation import GenerativeBackend, labelled
from model.backends.loading import Foreign, load_processor
from model.backends.published import to_device
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
        layers = getattr(model.config.get_text_config(), "layer_types", None) or ()
        if any("linear" in kind for kind in layers):
            # Linear attention runs over padding as if it were text.
            self.batch = 1
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

    def shown_of(self, picture: Image) -> Size:
        """Returns the size a picture will be resized to."""
        return self._size(self.processor.image_processor(picture)["image_grid_thw"][0])

    def _size(self, grid: Foreign) -> Size:
        _, rows, columns = (int(side) for side in grid)
        patch = self.processor.image_processor.patch_size
        return Size(columns * patch, rows * patch)

    def _encode(self, picture: Image) -> object:
        from transformers import DynamicCache

        text = self._text("", ())
        text = text[: text.index(PICTURE_END) + len(PICTURE_END)]
        tensors = self._processed(picture, text)
        cache = DynamicCache(config=self.model.config.get_text_config())
        self.model(**tensors, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return Prefix(
            ids=tensors["input_ids"],
            text=text,
            cache=cache,
            rope_deltas=self.model.model.rope_deltas.clone(),
            shown=self._size(tensors["image_grid_thw"][0]),
        )

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns the picture as it was read, and the ids of what follows it."""
        prefix = _prefix(encoded)
        # The prefix ends in a control token, so tokenizing the rest by itself changes nothing.
        rest = self._text(prompt, turns)[len(prefix.text) :]
        return {"prefix": prefix, "tail": self.ids_of(rest)}

    def lesson(self, picture: Image, prompt: str, answer: str) -> dict[str, Any]:
        """Returns the whole conversation, the picture read anew: its cache changes in learning."""
        import torch

        tensors = self._processed(picture, self._text(prompt, ()))
        told = self.ids_of(answer + self.tokenizer.eos_token)
        kinds = tensors["mm_token_type_ids"]
        types = torch.cat([kinds, torch.zeros_like(told)], dim=1)
        return {**tensors, **labelled(tensors["input_ids"], told), "mm_token_type_ids": types}

    def _processed(self, picture: Image, text: str) -> dict[str, Any]:
        inputs = self.processor(images=[picture], text=[text], return_tensors="pt")
        return to_device(inputs, self.model.device, self.model.dtype)

    def together(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Returns whole conversations with a copy of the pictures' caches.

        Pictures are padded before them, questions between picture and question, so that all
        caches have one length and all questions end together.
        """
        import torch

        prefixes: list[Prefix] = [row["prefix"] for row in rows]
        parts = [[prefix.ids for prefix in prefixes], [row["tail"] for row in rows]]
        masks = [[torch.ones_like(ids) for ids in part] for part in parts]
        pad = self.tokenizer.pad_token_id or 0
        self.model.model.rope_deltas = torch.cat([prefix.rope_deltas for prefix in prefixes])
        return {
            "input_ids": torch.cat([padded(part, pad) for part in parts], dim=1),
            "attention_mask": torch.cat([padded(mask, 0) for mask in masks], dim=1),
            "past_key_values": self._copied([prefix.cache for prefix in prefixes]),
        }

    def _copied(self, caches: Sequence[Foreign]) -> Foreign:
        """Returns a copy of one cache, or of several as one, padded before them."""
        import torch
        from torch.nn.functional import pad
        from transformers import DynamicCache

        if len(caches) == 1:
            return copy.deepcopy(caches[0])
        longest = max(cache.get_seq_length() for cache in caches)
        whole = DynamicCache(config=self.model.config.get_text_config())
        for i, layers in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
            keys, values = (
                torch.cat([pad(side, (0, 0, longest - side.shape[2], 0)) for side in sides])
                for sides in zip(*((layer.keys, layer.values) for layer in layers), strict=True)
            )
            whole.update(keys, values, i)
        return whole

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
