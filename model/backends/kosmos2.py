"""Kosmos-2: captions and answers whose phrases carry boxes on a grid of 32×32 cells.

Encode once: the 64 latents that the language model reads in place of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.backends.base import EncodedPicture
from model.backends.families import KOSMOS_2
from model.backends.generation import GenerativeBackend
from model.backends.loading import Foreign
from model.backends.published import to_device

if TYPE_CHECKING:
    from PIL.Image import Image


class Kosmos2Backend(GenerativeBackend):
    """Kosmos-2."""

    family = "kosmos-2"
    grammar = KOSMOS_2
    max_tokens = 128
    # In transformers 5.23 its positions count padding, too, from the second token on.
    batch = 1

    def _writer(self) -> Foreign:
        return self.model.text_model

    def _encode(self, picture: Image) -> object:
        from torch.nn.functional import normalize

        inputs = self.processor.image_processor(picture, return_tensors="pt")
        tensors = to_device(inputs, self.model.device, self.model.dtype)
        # Source: the first lines of Kosmos2ForConditionalGeneration.generate.
        states = self.model.vision_model(**tensors)[0]
        states = self.model.vision_model.model.post_layernorm(states)
        return self.model.image_to_text_projection(normalize(states, dim=-1))[0]

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns `<s> <image> 64 places </image> prompt`; the family reads no earlier turns."""
        import torch

        words, count = self.tokenizer, self.processor.num_image_tokens
        places = " ".join([self.processor.boi_token] * (count + 1) + [self.processor.eoi_token])
        text = f"{words.bos_token}{places} {prompt}"
        ids = words(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        # Source: Kosmos2Processor: the places are numbered on from the unknown token.
        first = words.unk_token_id + 1
        ids[0, 2 : 2 + count] = torch.arange(first, first + count)
        mask = torch.zeros_like(ids)
        mask[0, 2 : 2 + count] = 1
        device = self.model.device
        return {
            "input_ids": ids.to(device),
            "attention_mask": torch.ones_like(ids, device=device),
            "image_embeds": encoded.state,
            "image_embeds_position_mask": mask.to(device),
        }
