"""InternVL 3 and 3.5: chat models that write `<ref>words</ref><box>[[x0, y0, x1, y1]]</box>`.

Encode once: the features of the picture's tiles, after the projector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.backends.base import EncodedPicture
from model.backends.families import INTERNVL
from model.backends.generation import GenerativeBackend

if TYPE_CHECKING:
    from PIL.Image import Image


class InternVLBackend(GenerativeBackend):
    """InternVL."""

    family = "internvl"
    grammar = INTERNVL
    joined = ", "

    def _encode(self, picture: Image) -> object:
        tiles = self.processor.image_processor(picture, crop_to_patches=True, return_tensors="pt")
        return self.model.get_image_features(
            tiles["pixel_values"].to(self.model.device, self.model.dtype)
        )

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns the conversation, the picture in its first question, with kept features."""
        import torch

        questions = [question for question, _ in turns] + [prompt]
        first = [{"type": "image"}, {"type": "text", "text": questions[0]}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
        for (_, answer), question in zip(turns, questions[1:], strict=True):
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
            messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        processor = self.processor
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        features: Any = encoded.state
        tokens = processor.image_token * features.pooler_output[..., 0].numel()
        shown = processor.start_image_token + tokens + processor.end_image_token
        ids = self.ids_of(text.replace(processor.image_token, shown, 1))
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_encoder_outputs": {"image": features},
        }
