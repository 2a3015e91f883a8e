"""PaliGemma 1 and 2: short task prompts, places as `<loc....>` tokens, y before x.

Encode once: the picture's features after the projector. Its text prompt is read in both
directions together with the picture, so keys and values cannot be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.backends.base import EncodedPicture
from model.backends.families import PALIGEMMA
from model.backends.generation import GenerativeBackend, labelled
from model.backends.published import to_device

if TYPE_CHECKING:
    from PIL.Image import Image


class PaliGemmaBackend(GenerativeBackend):
    """PaliGemma and PaliGemma 2; the `mix` checkpoints know all tasks."""

    family = "paligemma"
    grammar = PALIGEMMA
    joined = " ; "
    max_tokens = 256

    def _encode(self, picture: Image) -> object:
        pixels = self.processor.image_processor(picture, return_tensors="pt")
        return self.model.get_image_features(
            **to_device(pixels, self.model.device, self.model.dtype)
        )

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns image tokens, `<bos>`, prompt, line end; the family reads no earlier turns."""
        import torch

        words, processor = self.tokenizer, self.processor
        text = processor.image_token * processor.image_seq_length + words.bos_token + prompt + "\n"
        ids = self.ids_of(text)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "token_type_ids": torch.zeros_like(ids),
            "mm_encoder_outputs": {"image": encoded.state},
        }

    def lesson(self, picture: Image, prompt: str, answer: str) -> dict[str, Any]:
        """Returns the question, read in both directions, and the answer, read in one."""
        import torch

        row = self.inputs(self.frozen(picture), prompt, ())
        told = self.ids_of(answer + self.tokenizer.eos_token)
        types = torch.cat([row["token_type_ids"], torch.ones_like(told)], dim=1)
        return {**row, **labelled(row["input_ids"], told), "token_type_ids": types}
