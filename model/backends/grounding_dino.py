"""Grounding DINO, MM-Grounding-DINO and LLMDet: detectors that read all names as one sentence.

A query box is scored against every token of the text; a name's score is that of its best token.
The library's own post-processing reports the tokens above a threshold as text, which loses where
they stand; here every name keeps its characters.

Encode once: the feature maps of the backbone; text and picture meet right after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.backends.answers import Scored
from model.backends.base import EncodedPicture
from model.backends.detection import DetectorBackend, score_boxes
from model.backends.published import to_device

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Features:
    """What the backbone made of a picture: pixel tensors, and its two lists of maps."""

    pixels: dict[str, Any]
    maps: list[Any]
    positions: list[Any]


class GroundingDinoBackend(DetectorBackend):
    """Grounding DINO and its successors on the same interface."""

    family = "grounding-dino"
    threshold = 0.3

    def _encode(self, picture: Image) -> object:
        inputs = self.processor.image_processor(picture, return_tensors="pt")
        pixels = to_device(inputs, self.model.device, self.model.dtype)
        maps, positions = self.model.model.backbone(pixels["pixel_values"], pixels["pixel_mask"])
        return Features(pixels, maps, positions)

    def find_names(self, encoded: EncodedPicture, names: Sequence[str]) -> list[Scored]:
        """Returns boxes for each name; a box goes to the name it fits best."""
        found: list[Scored] = []
        for group in self._groups(names):
            text, spans = "", []
            for name in group:
                # Full stops part the names, so a name has none.
                spans.append((len(text), len(text) + len(name)))
                text += name.replace(".", " ") + ". "
            scores, boxes = self._score(encoded, text, spans)
            mine = scores.argmax(1)
            found += [
                score_boxes(boxes[mine == i], scores[mine == i, i]) for i in range(len(group))
            ]
        return found

    def find_spans(
        self, encoded: EncodedPicture, caption: str, spans: Sequence[Span]
    ) -> list[Scored]:
        """Returns boxes for each span; a box may belong to several."""
        text = caption if caption.rstrip().endswith(".") else f"{caption}."
        scores, boxes = self._score(encoded, text, spans)
        return [score_boxes(boxes, scores[:, i]) for i in range(len(spans))]

    def _groups(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Yields names in groups whose text the model reads whole."""
        group: list[str] = []
        room = self.model.config.max_text_len - 2
        left = room
        for name in names:
            size = len(self.tokenizer(name, add_special_tokens=False)["input_ids"]) + 1
            if group and size > left:
                yield group
                group, left = [], room
            group.append(name)
            left -= size
        if group:
            yield group

    def _score(
        self, encoded: EncodedPicture, text: str, spans: Sequence[Span]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns scores float[Q, spans] and boxes float[Q, 4], xyxy in [0, 1]."""
        from model.boxes import to_xyxy

        assert isinstance(encoded.state, Features)
        tokens = self.tokenizer(
            text, return_tensors="pt", return_offsets_mapping=True, return_token_type_ids=True,
            truncation=True, max_length=self.model.config.max_text_len,
        )  # fmt: skip
        offsets = tokens.pop("offset_mapping")[0].tolist()
        with self._remembering(encoded.state):
            out = self.model(
                **encoded.state.pixels, **to_device(tokens, self.model.device, self.model.dtype)
            )
        chances = out.logits[0].float().sigmoid()
        columns = [
            [i for i, (a, b) in enumerate(offsets) if a < end and start < b] for start, end in spans
        ]
        scores = chances.new_zeros(len(chances), len(spans))
        for i, column in enumerate(columns):
            if column:
                scores[:, i] = chances[:, column].amax(1)
        return scores, to_xyxy(out.pred_boxes[0].float())

    @contextmanager
    def _remembering(self, features: Features) -> Iterator[None]:
        """Makes the backbone return what it found before; the lock is held."""
        backbone = self.model.model.backbone
        # The model appends to these lists.
        backbone.forward = lambda *_: (list(features.maps), list(features.positions))
        try:
            yield
        finally:
            del backbone.forward
