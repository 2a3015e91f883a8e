"""Open-vocabulary detectors: names, expressions or a caption in, scored boxes out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from model.backends.answers import Scored, captioned, detection, expression
from model.backends.base import Card, EncodedPicture
from model.backends.loading import Foreign
from model.backends.prompts import (
    Asked,
    check_names,
    control_tokens,
    expression_in,
    literal,
    names_in,
    phrases_in,
    understand,
)
from model.backends.published import PublishedBackend
from model.errors import CapabilityError
from model.types import Answer, Box, Capability, Event, Finish, Region, Turn

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

OVERLAP = 0.7
"""Boxes of one name that overlap a better one by more than this IoU are doubles."""


class DetectorBackend(PublishedBackend):
    """A published detector that is told what to find in words."""

    mechanism = "retrieval"
    auto = "AutoModelForZeroShotObjectDetection"
    scores = "similarity"

    def __init__(self, model: Foreign, processor: Foreign, card: Card) -> None:
        """Takes a loaded model; see `PublishedBackend.load`."""
        super().__init__(model, processor, card)
        self.tokenizer = processor.tokenizer
        self._control = control_tokens(self.tokenizer.get_added_vocab())

    @classmethod
    def capabilities(cls) -> frozenset[Capability]:
        """Returns what a detector can do."""
        return frozenset({Capability.DETECT, Capability.REFER, Capability.GROUND})

    @abstractmethod
    def find_names(self, encoded: EncodedPicture, names: Sequence[str]) -> list[Scored]:
        """Returns, for each name, boxes with scores; called under the lock, without gradients."""

    @abstractmethod
    def find_spans(
        self, encoded: EncodedPicture, caption: str, spans: Sequence[tuple[int, int]]
    ) -> list[Scored]:
        """Returns, for each span of a caption, boxes with scores; called like `find_names`."""

    def find_alike(self, encoded: EncodedPicture, region: Region) -> Scored:
        """Returns what looks like the thing in a region; called like `find_names`."""
        raise CapabilityError(
            f"{self.card.name} finds things by words only and cannot read drawn regions; type a "
            "name, or choose a model that reads regions."
        )

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
        """Yields one whole answer; see `Backend.stream`."""
        asked = understand(question, regions, history, task, self.card.capabilities)
        self.require(asked.task)
        if stop is not None and stop():
            yield Answer("", finish=Finish.CANCELLED)
            return
        yield self._answer(asked, self.encoded(picture), self._least(threshold))

    def _answer(self, asked: Asked, encoded: EncodedPicture, least: float) -> Answer:
        if asked.regions:
            region = asked.regions[0]
            boxes = self._run(self.find_alike, encoded, region)
            return expression(f"like {region.name}", boxes, least, Finish.STOP)
        if asked.task is Capability.DETECT:
            return self.detect(encoded, names_in(asked.text), threshold=least)
        if asked.task is Capability.GROUND:
            starts = [(asked.text.index(words), len(words)) for words in phrases_in(asked.text)]
            spans = [(start, start + length) for start, length in starts]
            return self.ground(encoded, asked.text, spans, threshold=least)
        words = expression_in(asked.text)
        (boxes,) = self._run(self.find_names, encoded, [literal(words, self._control)])
        best = sorted(boxes, key=lambda pair: -pair[1])[:1]
        return expression(words, best, least, Finish.STOP)

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns all instances of each name; see `Backend.detect`."""
        names = check_names(names)
        safe = [literal(name, self._control) for name in names]
        found = self._run(self.find_names, self.encoded(picture), safe)
        return detection(dict(zip(names, found, strict=True)), self._least(threshold), limit)

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns boxes for the given spans of a caption; see `Backend.ground`."""
        found = self._run(self.find_spans, self.encoded(picture), caption, spans)
        places = dict(zip(spans, found, strict=True))
        return captioned(caption, places, self._least(threshold), Finish.STOP)

    def _run(self, work: Callable[..., Foreign], *arguments: object) -> Foreign:
        import torch

        with self._lock, torch.inference_mode():
            return work(*arguments)

    def _least(self, threshold: float | None) -> float:
        return self.card.threshold if threshold is None else threshold


def score_boxes(boxes_xyxy: torch.Tensor, scores: torch.Tensor, limit: int = 100) -> Scored:
    """Returns boxes float[N, 4] with scores float[N], best first, without doubles and flat ones."""
    from model.boxes import area, suppress

    boxes_xyxy = boxes_xyxy.float().clamp(0, 1)
    solid = area(boxes_xyxy) > 0
    boxes_xyxy, scores = boxes_xyxy[solid], scores.float()[solid]
    kept = suppress(boxes_xyxy, scores, OVERLAP, limit)
    return [
        (Box(*box), score)
        for box, score in zip(boxes_xyxy[kept].tolist(), scores[kept].tolist(), strict=True)
    ]
