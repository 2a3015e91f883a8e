"""The trunk by itself as a detector: the baseline that the whole model must not fall below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from PIL.Image import Image

from model import boxes
from model.backends.base import Backend, Card, EncodedPicture
from model.errors import CapabilityError, RegionError
from model.preprocess import Letterbox
from model.trunk import Cells
from model.types import (
    Answer,
    Box,
    Capability,
    Event,
    Finish,
    Grounding,
    Phrase,
    Region,
    Size,
    Turn,
)
from model.vision import Vision
from model.vlm import DeixisModel

SAME_THING = 0.65
LOWEST_SCORE = 0.01


class TrunkAlone(Backend):
    """YOLOX as published: every cell competes, suppression by class, no language at all."""

    def __init__(self, model: DeixisModel) -> None:
        assert isinstance(model.vision, Vision), "a published detector is measured by itself"
        self._vision, self._names = model.vision, model.tree.classes
        self.card = Card(
            name="trunk", family="yolox", mechanism="queries",
            capabilities=frozenset({Capability.DETECT}), vocabulary=self._names,
        )  # fmt: skip

    @torch.inference_mode()
    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the trunk's cells."""
        side = self._vision.config.sides[0]
        letterbox = Letterbox.fit(Size(*picture.size), side)
        cells = self._vision.trunk(letterbox.pixels(picture, side)[None])
        return EncodedPicture("", Size(*picture.size), (letterbox, cells))

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
        """Refuses: a trunk has no words."""
        raise CapabilityError("The trunk alone can only detect its own classes.")

    @torch.inference_mode()
    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns the boxes of the trunk's own classes among `names`."""
        kept = picture if isinstance(picture, EncodedPicture) else self.encode(picture)
        letterbox, cells = kept.state  # type: ignore[misc]
        assert isinstance(letterbox, Letterbox)
        assert isinstance(cells, Cells)
        scores = cells.class_logits[0].sigmoid() * cells.objectness_logits[0].sigmoid()[:, None]
        places = letterbox.to_unit(cells.boxes[0] / letterbox.side)
        cut = LOWEST_SCORE if threshold is None else threshold
        found: list[tuple[float, str, Box]] = []
        for name in names:
            if name in self._names:
                of_class = scores[:, self._names.index(name)]
                rows = (of_class >= cut).nonzero().flatten()
                rows = rows[boxes.suppress(places[rows], of_class[rows], SAME_THING, limit)]
                found += [(float(of_class[r]), name, b) for r in rows if (b := _box(places[r]))]
        found = sorted(found, key=lambda item: -item[0])[:limit]
        return Answer("", tuple(_grounding(name, found) for name in {n for _, n, _ in found}),
                      finish=Finish.STOP if found else Finish.ABSENT)  # fmt: skip


def _box(place: torch.Tensor) -> Box | None:
    try:
        return Box.parse(place.tolist())
    except RegionError:
        return None


def _grounding(name: str, found: Sequence[tuple[float, str, Box]]) -> Grounding:
    mine = [(score, box) for score, other, box in found if other == name]
    return Grounding(Phrase(name), tuple(box for _, box in mine), tuple(score for score, _ in mine))
