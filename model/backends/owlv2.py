"""OWLv2: an open-vocabulary detector by words or by example (a drawn box).

Encode once: the patch features and the boxes they predict, which no words change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.backends.answers import Scored
from model.backends.base import EncodedPicture
from model.backends.detection import DetectorBackend, score_boxes
from model.backends.prompts import box_of
from model.backends.published import to_device
from model.types import Region

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Patches:
    """P patches: features float[1, P, D] and boxes float[P, 4], xyxy of the picture."""

    features: torch.Tensor
    boxes_xyxy: torch.Tensor


class Owlv2Backend(DetectorBackend):
    """OWLv2 base and large."""

    family = "owlv2"
    threshold = 0.2
    regions = "as the features of the best fitting patch"

    def _encode(self, picture: Image) -> object:
        from model.boxes import to_xyxy

        inputs = self.processor.image_processor(picture, return_tensors="pt")
        tensors = to_device(inputs, self.model.device, self.model.dtype)
        grid = self.model.image_embedder(**tensors)[0]
        features = grid.flatten(1, 2)
        boxes = to_xyxy(self.model.box_predictor(features, grid)[0].float())
        # The processor pads to a square, to the right and below.
        side = max(picture.size)
        stretch = boxes.new_tensor([side / picture.width, side / picture.height] * 2)
        return Patches(features, boxes * stretch)

    def find_names(self, encoded: EncodedPicture, names: Sequence[str]) -> list[Scored]:
        """Returns boxes for each name."""
        tokens = self.tokenizer(
            list(names), padding="max_length", truncation=True, return_tensors="pt"
        )
        tensors = to_device(tokens, self.model.device, self.model.dtype)
        queries = self.model.owlv2.get_text_features(**tensors).pooler_output
        return self._match(encoded, queries)

    def find_spans(
        self, encoded: EncodedPicture, caption: str, spans: Sequence[tuple[int, int]]
    ) -> list[Scored]:
        """Returns boxes for each span, read by itself: the model knows no sentences."""
        return self.find_names(encoded, [caption[start:end] for start, end in spans])

    def find_alike(self, encoded: EncodedPicture, region: Region) -> Scored:
        """Returns what looks like the patch whose box fits the drawn one best."""
        from model.boxes import iou

        patches = _patches(encoded)
        drawn = patches.boxes_xyxy.new_tensor(box_of(region.shape).as_tuple())
        best = int(iou(patches.boxes_xyxy, drawn).argmax())
        _, examples = self.model.class_predictor(patches.features)
        return self._match(encoded, examples[0, best : best + 1])[0]

    def _match(self, encoded: EncodedPicture, queries: torch.Tensor) -> list[Scored]:
        """Returns, for each of N query vectors float[N, D], boxes with scores."""
        patches = _patches(encoded)
        logits, _ = self.model.class_predictor(patches.features, queries[None])
        chances = logits[0].float().sigmoid()
        return [score_boxes(patches.boxes_xyxy, chances[:, i]) for i in range(len(queries))]


def _patches(encoded: EncodedPicture) -> Patches:
    assert isinstance(encoded.state, Patches)
    return encoded.state
