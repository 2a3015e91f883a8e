"""Several models as one: words from a chat model, boxes from a detector, masks from a segmenter.

Source: DetGPT (Pi et al. 2023): a chat model answers and names what it means, an open-vocabulary
detector finds the names. Grounded SAM: boxes become prompts of a segmenter.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from model.backends.answers import locate
from model.backends.base import Backend, Card, EncodedPicture
from model.backends.prompts import expression_in, phrases_in, understand
from model.backends.sam import SamBackend, masked, with_masks
from model.types import Answer, Capability, Delta, Event, Finish, Region, Size, Turn

if TYPE_CHECKING:
    from PIL.Image import Image

LIST_NAMES = (
    "Which things that can be seen in the picture does this sentence name? Answer with its own "
    "words for them, parted by commas, and nothing else: {text}"
)
_BY_DETECTOR = frozenset({Capability.DETECT, Capability.REFER, Capability.GROUND})


@dataclass(slots=True)
class Pair:
    """A picture for two models; the second encodes it only when first needed."""

    picture: Image
    first: EncodedPicture
    second: EncodedPicture | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class PairBackend(Backend):
    """Two backends behind one door."""

    def __init__(self, first: Backend, second: Backend, card: Card) -> None:
        """Takes two loaded backends; see `RetrievalBackend` and `MaskedBackend`."""
        self.first, self.second, self.card = first, second, card

    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the picture encoded by the first model, and kept for the second."""
        first = self.first.encode(picture)
        key = hashlib.sha256(f"{first.key} {self.card.version}".encode()).hexdigest()
        return EncodedPicture(key, Size(*picture.size), Pair(picture, first))

    def pair(self, picture: Image | EncodedPicture) -> Pair:
        """Returns both models' view of a picture."""
        encoded = picture if isinstance(picture, EncodedPicture) else self.encode(picture)
        assert isinstance(encoded.state, Pair)
        return encoded.state

    def second_view(self, pair: Pair) -> EncodedPicture:
        """Returns the picture encoded by the second model."""
        with pair.lock:
            if pair.second is None:
                pair.second = self.second.encode(pair.picture)
            return pair.second

    def close(self) -> None:
        """Frees both models."""
        self.first.close()
        self.second.close()


def _joined(first: Card, second: Card, **changes: object) -> Card:
    """Returns the card of two models together."""
    licences = dict.fromkeys((first.licence, second.licence))
    together = replace(
        first,
        name=f"{first.name}+{second.name}",
        family=f"{first.family}+{second.family}",
        parameters=first.parameters + second.parameters,
        licence="; ".join(licences),
        source=f"{first.source}; {second.source}",
        version=f"{first.version}+{second.version}",
    )
    return replace(together, **changes)  # type: ignore[arg-type]


class RetrievalBackend(PairBackend):
    """A chat model that answers, and a detector that finds what the answer names."""

    def __init__(self, chat: Backend, detector: Backend) -> None:
        """Takes two loaded backends."""
        card = _joined(
            chat.card,
            detector.card,
            mechanism="retrieval",
            capabilities=chat.card.capabilities | detector.card.capabilities,
            threshold=detector.card.threshold,
            scores=detector.card.scores,
            vocabulary=detector.card.vocabulary,
        )
        super().__init__(chat, detector, card)

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
        """Yields the words of the one with the boxes of the other; see `Backend.stream`."""
        asked = understand(question, regions, history, task, self.card.capabilities)
        pair = self.pair(picture)
        if asked.task in _BY_DETECTOR and asked.task in self.second.card.capabilities:
            yield from self.second.stream(
                self.second_view(pair), question, regions=regions, history=history,
                task=asked.task, threshold=threshold, stop=stop,
            )  # fmt: skip
            return
        answer = Answer("")
        for event in self.first.stream(
            pair.first, question, regions=regions, history=history, task=asked.task, stop=stop
        ):
            if isinstance(event, Delta):
                yield event
            else:
                answer = event
        if answer.finish is not Finish.CANCELLED and answer.text:
            answer = self._find(pair, answer, threshold)
        yield answer

    def _find(self, pair: Pair, answer: Answer, threshold: float | None) -> Answer:
        spans = _places(answer.text, self._names(pair, answer.text))
        if not spans:
            return replace(answer, groundings=())
        found = self.second.ground(self.second_view(pair), answer.text, spans, threshold=threshold)
        return replace(answer, groundings=found.groundings)

    def _names(self, pair: Pair, text: str) -> list[str]:
        """Returns what an answer names, by the chat model itself if it can be asked."""
        if Capability.CHAT not in self.first.card.capabilities:
            return phrases_in(text)
        prompt = LIST_NAMES.format(text=text[:2000])
        told = self.first.answer(pair.first, prompt, task=Capability.CHAT).text
        return [name.strip(" .\n\"'") for name in told.split(",")]

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns what the detector finds; see `Backend.detect`."""
        view = self.second_view(self.pair(picture))
        return self.second.detect(view, names, threshold=threshold, limit=limit)

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns what the detector finds; see `Backend.ground`."""
        view = self.second_view(self.pair(picture))
        return self.second.ground(view, caption, spans, threshold=threshold)


class MaskedBackend(PairBackend):
    """Any backend with a segmenter: drawn shapes and found boxes become masks."""

    def __init__(self, first: Backend, segmenter: SamBackend) -> None:
        """Takes two loaded backends."""
        capabilities = first.card.capabilities | {Capability.SEGMENT}
        super().__init__(
            first, segmenter, _joined(first.card, segmenter.card, capabilities=capabilities)
        )
        self._segmenter = segmenter

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
        """Yields the first model's answer, or masks if those are asked for."""
        asked = understand(question, regions, history, task, self.card.capabilities)
        pair = self.pair(picture)
        if asked.task is not Capability.SEGMENT:
            yield from self.first.stream(
                pair.first, question, regions=regions, history=history, task=asked.task,
                threshold=threshold, stop=stop,
            )  # fmt: skip
        elif asked.regions:
            shapes = [region.shape for region in asked.regions]
            yield masked(asked.regions, self._segmenter.masks(self.second_view(pair), shapes))
        else:
            found = self.first.answer(
                pair.first, expression_in(asked.text), task=Capability.REFER, threshold=threshold
            )
            yield with_masks(
                found,
                lambda boxes: [
                    mask for mask, _ in self._segmenter.masks(self.second_view(pair), boxes)
                ],
            )

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns what the first model finds; see `Backend.detect`."""
        return self.first.detect(self.pair(picture).first, names, threshold=threshold, limit=limit)

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns what the first model finds; see `Backend.ground`."""
        return self.first.ground(self.pair(picture).first, caption, spans, threshold=threshold)


def _places(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """Returns where names stand in a text, each once, in reading order, without overlaps."""
    places: list[tuple[int, int]] = []
    for name in sorted({name for name in names if name}, key=len, reverse=True):
        span = locate(name, text)
        if span is not None and all(span[1] <= a or b <= span[0] for a, b in places):
            places.append(span)
    return sorted(places)
