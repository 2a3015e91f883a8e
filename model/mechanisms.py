"""The other two ways to localize, behind the same conversation: words and coordinates.

`queries` is the box decoder, and `model.conversation` itself. `words` reads the place of a phrase
off the state of its last word (PixelLLM, referring localization). `coordinates` lets the language
model write the place as text (VisionLLM v1, Pix2Seq). Neither has scores of its own: a box counts
by how likely the model itself would have written it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.boxes import area
from model.conversation import Conversation
from model.coordinates import CORNERS, Bins
from model.errors import ConfigError
from model.preprocess import Letterbox
from model.tokens import Marked, Special, mark
from model.types import Box, Grounding, Phrase
from model.vocabulary import plural

MOST_WRITTEN = 20
"""Boxes of one phrase, after which the model is not asked for more."""


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of a phrase, float[N, 4] in the canvas frame, and how likely each was written."""

    boxes: Tensor
    scores: tuple[float, ...]

    def grounding(self, phrase: Phrase, letterbox: Letterbox, threshold: float) -> Grounding:
        """Returns those of at least the threshold as a grounding, best first."""
        places = letterbox.to_unit(self.boxes).clamp(0, 1)
        sized = [
            (score, place.tolist())
            for score, place, whole in zip(self.scores, places, area(places) > 0, strict=True)
            if whole and score >= threshold
        ]
        sized.sort(key=lambda pair: -pair[0])
        return Grounding(
            phrase, tuple(Box.parse(place) for _, place in sized), tuple(s for s, _ in sized)
        )


class Telling(Conversation):
    """A conversation that can also be told its answer, and says where the phrases are."""

    @torch.inference_mode()
    def locate(self, question: str, answer: Sequence[Marked]) -> list[Found]:
        """Returns where the marked phrases of a given answer are."""
        state = self.ask(question, [], [])
        found = []
        for piece in answer:
            ids = self.vocabulary.encode(piece.text)
            if piece.route is None:
                state = self._feed(ids) if ids else state
                continue
            chance = float(self._chances(state)[Special.PHRASE.id])
            state = self._feed([Special.PHRASE.id])
            place, state = self._place(state, ids, chance)
            found.append(place)
        return found

    def _chances(self, state: Tensor) -> Tensor:
        return self.model.prefixed.logits(state)[0].float().softmax(-1)

    def _place(self, state: Tensor, ids: Sequence[int], chance: float) -> tuple[Found, Tensor]:
        """Returns the place of a phrase of these words and the state behind it."""
        raise NotImplementedError


class WordConversation(Telling):
    """A phrase is where the state of its last word says."""

    def _place(self, state: Tensor, ids: Sequence[int], chance: float) -> tuple[Found, Tensor]:
        said = 1.0
        for token in ids:
            said *= float(self._chances(state)[token])
            state = self._feed([token])
        found = self._of(state, chance * said ** (1 / max(1, len(ids))))
        return found, self._feed([Special.PHRASE_END.id])

    def _of(self, state: Tensor, score: float) -> Found:
        return Found(self.model.word_locator(state), (score,))

    def _locate(self, route: int) -> Tensor:
        """Adds the phrase's grounding; masks and poses still need their links."""
        if route != Special.GRD.id or self._phrase is None or not self._states:
            return super()._locate(route)
        found = self._of(self._states[-1].unsqueeze(0), 1.0)
        grounding = found.grounding(self._phrase, self.encoded.letterbox, self.threshold)
        self._phrase = None
        state = self._feed([route] + [Special.LINK.id] * self.model.tree.decoder.num_links)
        if grounding.boxes:
            self._keep(grounding)
        return state


class WrittenConversation(Telling):
    """A phrase is where the model writes that it is."""

    @property
    def _bins(self) -> Bins:
        return Bins.of(self.model.tree.language)

    def _boxes_as_text(self) -> Callable[[Sequence[Box]], Sequence[int]]:
        def write(boxes: Sequence[Box]) -> Sequence[int]:
            places = torch.tensor([box.as_tuple() for box in boxes]).view(-1, CORNERS)
            return self._bins.write(self.encoded.letterbox.to_canvas(places))

        return write

    def _place(self, state: Tensor, ids: Sequence[int], chance: float) -> tuple[Found, Tensor]:
        state = self._feed([*ids, Special.PHRASE_END.id])
        return self._read(state, chance, at_least=1)

    def _next(self, state: Tensor) -> int:
        """Reads the places of a phrase that has just been closed, then goes on with words."""
        if self._phrase is not None:
            found, state = self._read(state, 1.0, at_least=0)
            grounding = found.grounding(self._phrase, self.encoded.letterbox, self.threshold)
            if len(found.boxes):  # A mask or a pose comes instead of places, and needs the phrase.
                self._phrase = None
            if grounding.boxes:
                self.groundings.append(grounding)
        return super()._next(state)

    def _read(self, state: Tensor, chance: float, at_least: int) -> tuple[Found, Tensor]:
        """Lets the model write boxes until it would rather write words.

        A box's score is `chance` times the geometric mean of its four tokens' probabilities.
        """
        bins, tokens = self._bins, list[int]()
        scores: list[float] = []
        while len(scores) < MOST_WRITTEN:
            chances = self._chances(state)
            if len(scores) >= at_least and int(chances.argmax()) < bins.first:
                break
            product = 1.0
            for _ in range(CORNERS):
                places = self._chances(state)[bins.first :]
                best = int(places.argmax())
                product *= float(places[best])
                tokens.append(bins.first + best)
                state = self._feed(tokens[-1:])
            scores.append(chance * product ** (1 / CORNERS))
        kept = [
            (box, score)
            for number, score in enumerate(scores)
            for box in bins.read(tokens[CORNERS * number : CORNERS * (number + 1)])
        ]
        boxes = torch.stack([box for box, _ in kept]) if kept else torch.zeros(0, CORNERS)
        return Found(boxes.to(state.device), tuple(score for _, score in kept)), state


def located(
    talk: Telling, question: str, answer: str, spans: Sequence[tuple[int, int]]
) -> list[Grounding]:
    """Returns where the spans of a given answer are; they must not overlap."""
    found = talk.locate(question, list(mark(answer, spans, Special.GRD)))
    return [
        place.grounding(Phrase(answer[a:b], a, b), talk.encoded.letterbox, talk.threshold)
        for place, (a, b) in zip(found, spans, strict=True)
    ]


def asking_for(name: str) -> tuple[str, str]:
    """Returns how all things of a name are asked for, and the words that answer."""
    words = plural(name)
    return f"Find all {words}.", words


def detected(talk: Telling, name: str) -> Grounding:
    """Returns where the things of a name are."""
    question, words = asking_for(name)
    (grounding,) = located(talk, question, words, [(0, len(words))])
    return replace(grounding, phrase=Phrase(name))


def conversation_class(mechanism: str) -> type[Conversation]:
    """Returns what answers by a mechanism; raises ConfigError if there is none of this name."""
    if mechanism not in CONVERSATIONS:
        raise ConfigError(f"mechanism is {mechanism!r}; choose one of {sorted(CONVERSATIONS)}.")
    return CONVERSATIONS[mechanism]


CONVERSATIONS: dict[str, type[Conversation]] = {
    "queries": Conversation, "words": WordConversation, "coordinates": WrittenConversation,
}  # fmt: skip
"""How each mechanism answers."""
