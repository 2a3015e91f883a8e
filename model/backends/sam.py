"""SAM, SAM-HQ and SAM 2: masks from points and boxes, alone or added to any other backend.

Encode once: the picture's embedding; each prompt runs the small decoder only. SAM 2 has no
processor that works without torchvision, so its picture is resized and normalised here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.backends.base import EncodedPicture
from model.backends.loading import Foreign, load_processor
from model.backends.prompts import box_of, understand
from model.backends.published import PublishedBackend
from model.errors import RegionError
from model.types import (
    Answer,
    Box,
    Capability,
    Event,
    Finish,
    Grounding,
    Mask,
    Phrase,
    Points,
    Region,
    Scribble,
    Shape,
    Size,
    Turn,
)

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

MAX_CLICKS = 8
"""Most places of a scribble that are shown to the model as clicks."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A picture as the encoder sees it.

    Attributes:
        maps: what `get_image_embeddings` returned.
        canvas: height and width of the encoder's input.
        inside: the part of it that the picture covers, from the upper left.
    """

    maps: Foreign
    canvas: tuple[int, int]
    inside: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Squash:
    """How SAM 2 takes a picture: squeezed to a square, whatever its shape, and normalised."""

    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, folder: Path) -> Squash:
        """Returns the settings of a checkpoint."""
        for name in ("preprocessor_config.json", "processor_config.json"):
            if (folder / name).is_file():
                settings = json.loads((folder / name).read_text(encoding="utf-8"))
                settings = settings.get("image_processor", settings)
                size = settings["size"]
                mean, std = settings["image_mean"], settings["image_std"]
                return cls(size["height"], size["width"], tuple(mean), tuple(std))
        raise FileNotFoundError("preprocessor_config.json")

    def to_json_string(self) -> str:
        """Returns the settings, for cache keys."""
        return repr(self)


class SamBackend(PublishedBackend):
    """The Segment Anything models."""

    family = "sam"
    mechanism = "prompts"
    auto = "AutoModelForMaskGeneration"
    scores = "predicted mask IoU"
    threshold = 0.0

    @classmethod
    def capabilities(cls) -> frozenset[Capability]:
        """Returns what the family can do."""
        return frozenset({Capability.SEGMENT})

    @classmethod
    def load_processor(cls, folder: Path) -> Foreign:
        """Returns SAM's processor, or SAM 2's settings."""
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
        return Squash.read(folder) if kind.startswith("sam2") else load_processor(folder)

    def _encode(self, picture: Image) -> object:
        import torch

        if isinstance(self.processor, Squash):
            square = self.processor
            small = picture.convert("RGB").resize((square.width, square.height), 2)
            values = (np.asarray(small, np.float32) / 255 - square.mean) / square.std
            pixels = torch.tensor(values, dtype=self.model.dtype).permute(2, 0, 1)[None]
            canvas = inside = (square.height, square.width)
        else:
            inputs = self.processor(images=picture, return_tensors="pt")
            pixels = inputs["pixel_values"].to(self.model.dtype)
            canvas = tuple(pixels.shape[-2:])
            inside = tuple(inputs["reshaped_input_sizes"][0].tolist())
        return Embedding(
            self.model.get_image_embeddings(pixels.to(self.model.device)), canvas, inside
        )

    def masks(
        self, picture: Image | EncodedPicture, shapes: Sequence[Shape]
    ) -> list[tuple[Mask, float]]:
        """Returns the mask of what each shape means, at the picture's size, and its score."""
        import torch

        encoded = self.encoded(picture)
        with self._lock, torch.inference_mode():
            return [self._mask(encoded, shape) for shape in shapes]

    def _mask(self, encoded: EncodedPicture, shape: Shape) -> tuple[Mask, float]:
        embedding = encoded.state
        assert isinstance(embedding, Embedding)
        prompt = self._prompt(shape, embedding)
        out = self.model(
            image_embeddings=embedding.maps,
            # A click may mean a part or the whole, a box means one thing.
            multimask_output="input_points" in prompt,
            **prompt,
        )
        scores = out.iou_scores[0, 0].float()
        best = int(scores.argmax())
        logits = out.pred_masks[0, 0, best].float()
        return Mask(_fit(logits, embedding, encoded.size)), float(scores[best].clamp(0, 1))

    def _prompt(self, shape: Shape, embedding: Embedding) -> dict[str, Any]:
        """Returns a shape in pixels of the encoder's input."""
        import torch

        high, wide = embedding.inside
        scale = torch.tensor([wide, high], device=self.model.device, dtype=self.model.dtype)
        match shape:
            case Points(points):
                clicks = [(point.x, point.y, point.positive) for point in points]
            case Scribble(path):
                step = max(len(path) // MAX_CLICKS, 1)
                clicks = [(x, y, True) for x, y in path[::step]]
            case _:
                corners = scale.new_tensor(box_of(shape).as_tuple()) * scale.repeat(2)
                return {"input_boxes": corners[None, None]}
        places = scale.new_tensor([(x, y) for x, y, _ in clicks]) * scale
        labels = torch.tensor([int(positive) for *_, positive in clicks], device=scale.device)
        return {"input_points": places[None, None], "input_labels": labels[None, None]}

    def stream(
        self,
        picture: Image | EncodedPicture,
        question: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Turn] = (),
        task: Capability | None = None,
        threshold: float | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yields the masks of the regions that a question is about; see `Backend.stream`."""
        asked = understand(question, regions, history, task, self.card.capabilities)
        self.require(asked.task)
        if not asked.regions:
            raise RegionError(
                f"{self.card.name} reads no words; draw a point or a box around what to segment."
            )
        yield masked(asked.regions, self.masks(picture, [r.shape for r in asked.regions]))


def masked(regions: Sequence[Region], masks: Sequence[tuple[Mask, float]]) -> Answer:
    """Returns the answer that shows the masks of drawn regions, by their names."""
    text, groundings = "", []
    for region, (mask, score) in zip(regions, masks, strict=True):
        if not mask.pixels.any():
            continue
        text += ", " * bool(text)
        phrase = Phrase(region.name, len(text), len(text) + len(region.name))
        text += region.name
        groundings.append(Grounding(phrase, (box_of(mask),), (score,), (mask,)))
    return Answer(text, tuple(groundings), finish=Finish.STOP if groundings else Finish.ABSENT)


def with_masks(answer: Answer, mask_boxes: Callable[[Sequence[Box]], list[Mask]]) -> Answer:
    """Returns an answer with a mask for each of its boxes."""
    groundings = tuple(
        Grounding(item.phrase, item.boxes, item.scores, tuple(mask_boxes(item.boxes)))
        for item in answer.groundings
    )
    return Answer(answer.text, groundings, answer.word_boxes, answer.finish)


def _fit(logits: torch.Tensor, embedding: Embedding, size: Size) -> np.ndarray:
    """Returns mask logits float[h, w] over the encoder's input as bool[H, W] of the picture."""
    from torch.nn.functional import interpolate

    whole = logits[None, None]
    if embedding.inside != embedding.canvas:
        whole = interpolate(whole, embedding.canvas, mode="bilinear", align_corners=False)
        whole = whole[..., : embedding.inside[0], : embedding.inside[1]]
    fitted = interpolate(whole, (size.height, size.width), mode="bilinear", align_corners=False)
    return (fitted[0, 0] > 0).cpu().numpy()
