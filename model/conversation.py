"""Answering on an encoded picture, token by token."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from model.dialogue import dialogue_row, recalled, routed
from model.encoded import Encoded, no_regions
from model.findings import summary
from model.groundings import to_grounding
from model.mask_head import paste
from model.regions import draw
from model.roi import widened
from model.tokens import ROUTES, Special, Vocabulary
from model.types import (
    Answer,
    Box,
    Delta,
    Event,
    Finish,
    Grounding,
    Keypoints,
    Phrase,
    Shape,
    Turn,
    WordBox,
)
from model.word_locator import boxes_of_words
from model.writer import Writer

if TYPE_CHECKING:
    from model.vlm import DeixisModel

_ROUTE_IDS = {route.id for route in ROUTES}
NEVER = [token.id for token in Special if token not in {Special.EOS, Special.PHRASE,
         Special.PHRASE_END, Special.GRD, Special.SEG, Special.POSE}]  # fmt: skip
"""Tokens that are never generated."""
WEAKEST = 0.5
"""A phrase of an answer keeps its best box down to this share of the threshold."""


class Conversation:
    """One question on one encoded picture."""

    def __init__(
        self, model: DeixisModel, vocabulary: Vocabulary, encoded: Encoded, threshold: float
    ) -> None:
        self.model, self.encoded, self.threshold = model, encoded, threshold
        self.vocabulary = vocabulary
        self.writer = Writer(vocabulary)
        self.groundings: list[Grounding] = []
        self._phrase: Phrase | None = None
        self._drawn_box: Box | None = None
        self._told: Tensor | None = None
        self._states: list[Tensor] = []
        self._cache = encoded.prefix.start()

    @torch.inference_mode()
    def answer(
        self,
        question: str,
        slots: Sequence[str],
        shapes: Sequence[Shape],
        max_tokens: int,
        stop: Callable[[], bool] | None,
        history: Sequence[Turn] = (),
    ) -> Iterator[Event]:
        """Yields text as it is written, then the whole answer; earlier turns are read first."""
        state = self.begin(question, slots, shapes, history)
        finish = Finish.LENGTH
        for _ in range(max_tokens):
            if stop is not None and stop():
                finish = Finish.CANCELLED
                break
            token = self._next(state)
            if token == Special.EOS.id:
                finish = Finish.STOP
                break
            state, piece = self.take(token)
            if piece:
                yield Delta(piece)
        yield self.whole(finish)

    def begin(
        self,
        question: str,
        slots: Sequence[str],
        shapes: Sequence[Shape],
        history: Sequence[Turn] = (),
    ) -> Tensor:
        """Reads earlier turns and a question; returns the state behind it, float[1, D]."""
        self._recall(question, history)
        return self.ask(question, slots, shapes)

    def take(self, token: int) -> tuple[Tensor, str]:
        """Adds a token to the answer; returns the state behind it and the text that it wrote."""
        if token in _ROUTE_IDS:
            return self._locate(token), ""
        piece = self._write(token)
        state = self._feed([token])
        if token >= len(Special):
            self._states.append(state[0])
        return state, piece

    def _recall(self, question: str, history: Sequence[Turn]) -> None:
        """Reads the earlier turns that a question points back to, in one pass."""
        turns = recalled(question, history)
        if turns:
            drawn = {region.name: region.shape for turn in history for region in turn.regions}
            row, shapes = dialogue_row(
                turns, self.vocabulary, self.model.tree.decoder, drawn, self._boxes_as_text()
            )
            groups = [(0, token, 0) for token, _ in row.groups]
            found = routed(turns, as_text=self._boxes_as_text() is not None)
            table = torch.tensor([row.ids], device=self.model.device)
            embeddings = self.model.tell(
                self.encoded.prefix.embed(self.model, table, self._region_tokens(shapes)),
                torch.tensor(groups, dtype=torch.long, device=self.model.device).view(-1, 3),
                self._summaries(found),
            )
            self.encoded.prefix.extend(self.model, embeddings, self._cache)

    def _summaries(self, groundings: Sequence[Grounding]) -> Tensor:
        """Returns what the language model is told of groundings, float[G, 5]."""
        rows = [
            summary(self.encoded.letterbox.to_canvas(torch.tensor([b.as_tuple() for b in g.boxes])))
            for g in groundings
        ]
        return (torch.stack(rows) if rows else torch.zeros(0, 5)).to(self.model.device)

    def _boxes_as_text(self) -> Callable[[Sequence[Box]], Sequence[int]] | None:
        """Returns what writes boxes as text; None, as they are decoded from super-links."""
        return None

    def ask(self, question: str, slots: Sequence[str], shapes: Sequence[Shape]) -> Tensor:
        """Reads a question; returns the state behind it, float[1, D]."""
        config = self.model.tree.decoder
        ids = self.vocabulary.question(question, slots, config.num_region_tokens, config.num_guided)
        self._drawn_box = next((shape for shape in shapes if isinstance(shape, Box)), None)
        return self._feed(ids, self._region_tokens(shapes))

    def _region_tokens(self, shapes: Sequence[Shape]) -> Tensor:
        letterboxes = [self.encoded.letterbox] * len(shapes)
        grid = self.model.tree.trunk.sides[0] // 16
        regions = draw(shapes, letterboxes, [0] * len(shapes), grid).to(self.model.device)
        return self.model.region_encoder(regions, self.encoded.sight, self.encoded.objects.queries)

    def _feed(self, ids: Sequence[int], regions: Tensor | None = None) -> Tensor:
        """Runs tokens behind the cache; returns the last state float[1, D]."""
        table = torch.tensor([list(ids)], device=self.model.device)
        regions = no_regions(self.model) if regions is None else regions
        embeddings = self.encoded.prefix.embed(self.model, table, regions)
        if self._told is not None:
            embeddings[:, 0] += self._told
            self._told = None
        return self.encoded.prefix.extend(self.model, embeddings, self._cache)[:, -1]

    def _next(self, state: Tensor) -> int:
        return int(self.allowed(state).argmax())

    def allowed(self, state: Tensor) -> Tensor:
        """Returns the logits of the next token, minus infinity for what may not come."""
        logits = self.model.prefixed.logits(state)[0]
        logits[NEVER] = -torch.inf
        logits[self.model.tree.language.vocab_size :] = -torch.inf
        # A route without a phrase before it has nothing to point at.
        if self._phrase is None:
            logits[[route.id for route in ROUTES]] = -torch.inf
        return logits

    def _write(self, token: int) -> str:
        if token == Special.PHRASE.id:
            self.writer.open()
        elif token == Special.PHRASE_END.id:
            self._phrase = self.writer.close()
        else:
            return self.writer.write(token)
        return ""

    def _locate(self, route: int) -> Tensor:
        """Runs the routing token and its links in one pass; adds the phrase's grounding."""
        count = self.model.tree.decoder.num_links
        ids = torch.tensor([[route] + [Special.LINK.id] * count], device=self.model.device)
        embeddings = self.model.embed(ids, no_regions(self.model))
        states = self.encoded.prefix.extend(self.model, embeddings, self._cache)
        picture = torch.zeros(1, dtype=torch.long, device=self.model.device)
        decoded = self.model.box_decoder(
            states[:, 1:], picture, self.encoded.sight, self.encoded.in_context
        )
        assert self._phrase is not None
        logits, places = decoded.agreed[0], decoded.boxes[-1, 0]
        box = self.encoded.letterbox
        found = to_grounding(self._phrase, logits, places, box, threshold=self.threshold)
        if not found.boxes:
            # Whoever asks for a mask or a pose has said where: the best box will do.
            weak = self.threshold * WEAKEST if route == Special.GRD.id else 0.0
            found = to_grounding(self._phrase, logits, places, box, threshold=weak, limit=1)
        if found.boxes:
            self._keep(self._draw_inside(found, route, states[:, 1:]))
        self._phrase = None
        return states[:, -1]

    def _keep(self, grounding: Grounding) -> None:
        """Adds a grounding to the answer; the next token is told of it."""
        self.groundings.append(grounding)
        self._told = self.model.findings(self._summaries([grounding]))

    def _draw_inside(self, found: Grounding, route: int, links: Tensor) -> Grounding:
        """Returns the grounding with a mask or key points in its best box, if so routed."""
        if route == Special.GRD.id:
            return found
        box = self._drawn_box or found.boxes[0]
        score = found.scores[:1]
        letterbox, sight = self.encoded.letterbox, self.encoded.sight
        roi = widened(letterbox.to_canvas(torch.tensor([box.as_tuple()], device=links.device)))
        picture = torch.zeros(1, dtype=torch.long, device=links.device)
        inside = (links, roi, picture, sight)
        if route == Special.SEG.id:
            mask = paste(self.model.mask_head(*inside)[0], roi[0], letterbox)
            return replace(found, boxes=(box,), scores=score, masks=(mask,))
        joints, visible = self.model.pose_head(*inside)
        places = letterbox.to_unit(joints[0]).clamp(0, 1).tolist()
        chance = visible[0].sigmoid().tolist()
        pose = Keypoints(tuple((x, y, v) for (x, y), v in zip(places, chance, strict=True)))
        return replace(found, boxes=(box,), scores=score, keypoints=(pose,))

    def repeats(self) -> bool:
        """Whether the phrase being written has been said and placed before."""
        opened = self.writer.opened
        return opened is not None and opened in {g.phrase.text for g in self.groundings}

    def fork(self) -> Self:
        """Returns a copy that may go on in another way: what is written is shared, not what comes.

        Keys and values are never changed in place, only replaced by longer ones.
        """
        other = copy.copy(self)
        other._cache = copy.copy(self._cache)
        other._cache.layers = [copy.copy(layer) for layer in self._cache.layers]
        other.writer = self.writer.fork()
        other.groundings, other._states = list(self.groundings), list(self._states)
        return other

    def whole(self, finish: Finish) -> Answer:
        """Returns the answer as it is written so far."""
        text = self.writer.text.strip()
        if text.lower().rstrip(".") == "not present":
            return Answer("Not present.", (), finish=Finish.ABSENT)
        return Answer(text, tuple(self.groundings), tuple(self._word_boxes()), finish)

    def _word_boxes(self) -> Iterator[WordBox]:
        if self._states:
            states, box = torch.stack(self._states), self.encoded.letterbox
            yield from boxes_of_words(self.model.word_locator, self.writer, states, box)
