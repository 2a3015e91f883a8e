"""Florence-2: tasks by fixed sentences, places as `<loc_...>` tokens, masks as outlines.

Encode once: the picture's features after the projector; the text encoder reads them together with
each prompt. A caption is grounded in a second pass, as the model was trained to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model.backends.answers import expression
from model.backends.base import EncodedPicture
from model.backends.draft import Draft
from model.backends.families import FLORENCE_2, FLORENCE_2_OUTLINES
from model.backends.generation import GenerativeBackend
from model.backends.grammar import Grammar, Outline
from model.backends.prompts import Asked, expression_in, literal
from model.backends.published import to_device
from model.backends.streams import Stop
from model.types import Answer, Capability, Grounding, Mask, Size


class Florence2Backend(GenerativeBackend):
    """Florence-2 base and large, plain and fine-tuned."""

    family = "florence-2"
    grammar = FLORENCE_2
    # An encoder reads the prompt; its learned positions count from the left.
    pads_left = False

    def _encode(self, picture: Image.Image) -> object:
        pixels = self.processor.image_processor(picture, return_tensors="pt")
        return self.model.get_image_features(
            **to_device(pixels, self.model.device, self.model.dtype)
        )

    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns image tokens, `<s>`, prompt, `</s>`; the family reads no earlier turns."""
        import torch

        words = self.tokenizer
        text = words.image_token * self.processor.num_image_tokens + words.bos_token + prompt
        ids = self.ids_of(text + words.eos_token)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_encoder_outputs": {"image": encoded.state},
        }

    def lesson(self, picture: Image.Image, prompt: str, answer: str) -> dict[str, Any]:
        """Returns the question for the encoder and `<s>` answer `</s>` for the decoder."""
        words = self.tokenizer
        row = self.inputs(self.frozen(picture), prompt, ())
        return {**row, "labels": self.ids_of(words.bos_token + answer + words.eos_token)}

    def prompt(self, asked: Asked, shown: Size) -> str:
        """Returns the family's sentence for the task."""
        if asked.task is Capability.SEGMENT and not asked.regions:
            words = literal(expression_in(asked.text), self.control)
            return f"Locate {words} in the image with mask"
        return super().prompt(asked, shown)

    def grammar_of(self, task: Capability) -> Grammar:
        """Returns how the output to a task is read."""
        return FLORENCE_2_OUTLINES if task is Capability.SEGMENT else FLORENCE_2

    def answer_of(self, asked: Asked, size: Size, draft: Draft, least: float) -> Answer:
        """Returns the answer; outlines become masks at the picture's own size."""
        if asked.task is not Capability.SEGMENT:
            return super().answer_of(asked, size, draft, least)
        found = draft.parsed.found
        pairs = [pair for item in found for pair in draft.scored(item)]
        outlines = {
            box: outline
            for item in found
            for box, outline in zip(item.boxes, item.outlines, strict=True)
        }
        answer = expression(expression_in(asked.text), pairs, least, draft.finish)
        return Answer(
            answer.text,
            tuple(
                Grounding(
                    item.phrase,
                    item.boxes,
                    item.scores,
                    tuple(fill(outlines[box], size) for box in item.boxes),
                )
                for item in answer.groundings
            ),
            finish=answer.finish,
        )

    def complete(
        self, asked: Asked, encoded: EncodedPicture, answer: Answer, stop: Stop | None
    ) -> Answer:
        """Returns a caption with its phrases grounded."""
        if asked.task is not Capability.CAPTION or not answer.text:
            return answer
        return self.ground_text(encoded, answer.text, None, self.card.threshold, stop)


def fill(outline: Outline, size: Size) -> Mask:
    """Returns the inside of an outline as pixels."""
    canvas = Image.new("1", (size.width, size.height))
    places = [(x * size.width, y * size.height) for x, y in outline]
    ImageDraw.Draw(canvas).polygon(places, fill=1)
    return Mask(np.asarray(canvas))
