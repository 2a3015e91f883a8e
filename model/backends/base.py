"""The one door to every model: a card that declares what it can do, encode, stream, detect.

A backend implements `encode`, `stream` and, where it can, `detect`; the shorthands below are
written once, in terms of those.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import BackendError, CapabilityError
from model.types import Answer, Capability, Region, Size, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from model.types import Event, Shape


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes on this machine, measured on a sample picture.

    Attributes:
        encode: seconds to read the picture.
        ask: seconds from a question about a picture that is read to the whole answer.
    """

    encode: float
    ask: float


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is and can do, shown in the page.

    Attributes:
        name: as typed on the command line.
        family: the architecture, such as `deixis` or `florence-2`.
        mechanism: how it localizes: `queries`, `words`, `coordinates`, `retrieval` or `none`.
        capabilities: what it can do.
        threshold: score from which a box counts as found; chosen on validation pictures.
        vocabulary: class names it knows best, for suggestions.
        parameters: how many; 0 if unknown.
        device: where it runs, such as `cpu`.
        licence: SPDX name or a sentence.
        source: where the weights come from.
        scores: what the scores are, such as `calibrated` or `token probability`; empty if none.
        version: changes whenever the weights change; part of every cache key.
        regions: how drawn regions reach the model, such as `as coordinates in the prompt`; empty
            if as they are.
        together: how many questions it takes at once; more have to wait.
        cost: what it takes; None until that is measured.
    """

    name: str
    family: str
    mechanism: str
    capabilities: frozenset[Capability]
    threshold: float = 0.3
    vocabulary: tuple[str, ...] = ()
    parameters: int = 0
    device: str = "cpu"
    licence: str = "unknown"
    source: str = "unknown"
    scores: str = ""
    version: str = ""
    regions: str = ""
    together: int = 1
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture as a backend keeps it, to be asked many times.

    Attributes:
        key: sha256 over pixels, shape, model version and preprocessing.
        size: of the original upright picture.
        state: the backend's own; nobody else looks inside.
    """

    key: str
    size: Size
    state: object


INSTRUCTIONS: dict[Capability, str] = {
    Capability.CAPTION: "Describe this picture.",
    Capability.REGION: "What is @1?",
    Capability.CLICK: "What is @1?",
    Capability.SEGMENT: "Segment @1.",
    Capability.POSE: "Show the pose of @1.",
    Capability.DENSE: "Describe everything you see, one by one.",
}
"""The plain wording behind each quick action and each shorthand."""


class Backend(ABC):
    """A localization-capable model: one picture in, words and places out."""

    card: Card

    @abstractmethod
    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the picture ready to be asked; costs the most, so do it once."""

    @abstractmethod
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
        """Yields `Delta`s while the answer grows, then one whole `Answer`.

        Args:
            picture: upright RGB, or what `encode` returned.
            question: free text; `@1` refers to a region of this or an earlier turn.
            regions: shapes drawn for this turn.
            history: earlier turns, oldest first.
            task: pins what is done; None lets the model decide from the words.
            threshold: score from which boxes are kept; None takes the card's.
            stop: asked between tokens; the answer ends as CANCELLED once it returns True.

        Raises:
            QuestionError: the text is empty or too long.
            RegionError: the text names a region that was never drawn.
            CapabilityError: the model cannot do `task`.
        """

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns all instances of each name, a grounding per name found; ABSENT if none is.

        Raises:
            CapabilityError: the model cannot detect.
        """
        raise CapabilityError(f"{self.card.name} cannot detect by class name.")

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns boxes for the given characters `[start, end)` of a given caption.

        The answer's text is the caption; it has a grounding for each span that was found.

        Raises:
            CapabilityError: the model cannot ground words that it did not write.
        """
        raise CapabilityError(f"{self.card.name} cannot ground the phrases of a given caption.")

    def is_present(self, picture: Image | EncodedPicture, name: str) -> Answer:
        """Returns where `name` is; ABSENT if it is not in the picture."""
        return self.detect(picture, [name])

    def answer(
        self,
        picture: Image | EncodedPicture,
        question: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Turn] = (),
        task: Capability | None = None,
        threshold: float | None = None,
    ) -> Answer:
        """Returns the whole answer to a question; see `stream`."""
        last = None
        for event in self.stream(
            picture, question, regions=regions, history=history, task=task, threshold=threshold
        ):
            last = event
        if not isinstance(last, Answer):
            raise BackendError(f"{self.card.name} ended without an answer; try again.")
        return last

    def caption(self, picture: Image | EncodedPicture) -> Answer:
        """Returns a description whose phrases are tied to boxes."""
        return self._ask(picture, Capability.CAPTION)

    def describe_region(self, picture: Image | EncodedPicture, shape: Shape) -> Answer:
        """Returns words for the thing inside `shape`."""
        return self._ask(picture, Capability.REGION, shape)

    def segment(self, picture: Image | EncodedPicture, shape: Shape) -> Answer:
        """Returns the mask of the thing inside `shape`."""
        return self._ask(picture, Capability.SEGMENT, shape)

    def pose(self, picture: Image | EncodedPicture, shape: Shape) -> Answer:
        """Returns the key points of the person inside `shape`."""
        return self._ask(picture, Capability.POSE, shape)

    def _ask(
        self, picture: Image | EncodedPicture, task: Capability, shape: Shape | None = None
    ) -> Answer:
        regions = (Region("@1", shape),) if shape is not None else ()
        return self.answer(picture, INSTRUCTIONS[task], regions=regions, task=task)

    def close(self) -> None:  # noqa: B027 - most hold nothing that needs it
        """Frees what the model holds; it cannot be used afterwards."""

    def require(self, task: Capability) -> None:
        """Raises CapabilityError, naming what is possible, unless the model can do `task`."""
        if task not in self.card.capabilities:
            able = ", ".join(sorted(self.card.capabilities))
            raise CapabilityError(f"{self.card.name} cannot {task}. It can: {able}.")
