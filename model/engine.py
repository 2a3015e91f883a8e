"""The native model behind the common door: encode a picture once, answer many questions.

Over 300 lines: one class, a method for each thing the door promises.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from model import beam, checkpoint, dense
from model.allocator import keep_freed_memory
from model.backends.base import INSTRUCTIONS, Backend, Card, EncodedPicture
from model.batch import pad_names
from model.encoded import Encoded, Prefix
from model.groundings import OF_NAME, OF_PHRASE, Doubles, to_grounding
from model.mechanisms import Telling, conversation_class, detected, located
from model.naming import Lexicon
from model.preprocess import PREPROCESS_VERSION, Letterbox
from model.tokens import (
    REGION_NAME,
    Special,
    Vocabulary,
    check_question,
    mark,
    referred,
    without_overlaps,
)
from model.types import (
    Answer,
    Box,
    Capability,
    Event,
    Finish,
    Grounding,
    Phrase,
    Region,
    Shape,
    Size,
    Turn,
    WordBox,
)  # fmt: skip
from model.vlm import DeixisModel
from model.word_locator import boxes_of_phrase

MAX_QUESTION = 2000
MAX_TOKENS = 80
NAMES_AT_ONCE = 40
DESCRIBE = "Describe @1."


class Engine(Backend):
    """Serves one checkpoint. Calls may come from several threads; they take turns."""

    def __init__(
        self, model: DeixisModel, vocabulary: Vocabulary, *, name: str, version: str, device: str
    ) -> None:
        self.model = model.eval()
        self.model.to(device)  # pyright: ignore[reportArgumentType]
        self.vocabulary = vocabulary
        tree = model.tree
        self.card = Card(
            name=name,
            family="deixis",
            mechanism=tree.mechanism,
            capabilities=frozenset(Capability(task) for task in tree.tasks),
            threshold=tree.threshold,
            vocabulary=(*tree.classes, *tree.taught),
            parameters=sum(value.numel() for value in model.parameters()),
            device=device,
            licence="Apache-2.0",
            source="trained by this project; see the model card",
            scores="calibrated on validation pictures",
            version=version,
        )
        self._conversation = conversation_class(tree.mechanism)
        self.trust = tree.trust
        self._lexicon = Lexicon(self.card.vocabulary)
        self._names: dict[str, Tensor] = {}
        self._lock = threading.RLock()

    @torch.inference_mode()
    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the picture ready to be asked; see `Backend.encode`."""
        picture = picture.convert("RGB")
        size = Size(*picture.size)
        sides = self.model.tree.trunk.sides
        letterbox = Letterbox.fit(size, sides[0])
        canvases = [letterbox.pixels(picture, side)[None].to(self.model.device) for side in sides]
        with self._lock:
            sight = self.model.vision(canvases)
            objects = self.model.objects(sight)
            prefix = Prefix.of(self.model, sight, objects)
            in_context = self.model.context(objects, prefix.states)
        key = hashlib.sha256(picture.tobytes())
        key.update(repr((picture.size, self.card.version, PREPROCESS_VERSION)).encode())
        return EncodedPicture(
            key.hexdigest(), size, Encoded(letterbox, sight, objects, in_context, prefix)
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
        """Yields the answer as it grows; see `Backend.stream`."""
        if task is not None:
            self.require(task)
        question = check_question(question, MAX_QUESTION)
        drawn = {region.name: region for region in regions}
        known = {region.name: region for turn in history for region in turn.regions}
        slots = referred(question, list(drawn), list(known))
        encoded = self._encoded(picture)
        shapes = [(drawn.get(name) or known[name]).shape for name in slots]
        cut = self.card.threshold if threshold is None else threshold
        if task is Capability.DETECT:
            yield self.detect(picture, question.split(","), threshold=threshold)
        elif task is Capability.REFER:
            yield self._refer(encoded, question, cut)
        elif task is Capability.DENSE:
            yield from self._describe_all(encoded, cut, stop)
        else:
            talk = self._conversation(self.model, self.vocabulary, encoded, cut)
            if task is Capability.CAPTION and not self._tells:
                with self._lock, torch.inference_mode():
                    state = talk.begin(question, slots, shapes, history)
                written = self._in_turn(beam.describe(talk, state, MAX_TOKENS, stop))
                yield from (self._linked(event, encoded, question, cut) for event in written)
                return
            yield from self._in_turn(
                talk.answer(question, slots, shapes, MAX_TOKENS, stop, history)
            )

    def _in_turn(self, events: Iterator[Event]) -> Iterator[Event]:
        """Yields events, the lock held only while one is made.

        Between two, others get their turn, and another thread may go on with this iterator.
        """
        while True:
            with self._lock:
                event = next(events, None)
            if event is None:
                return
            yield event

    def _linked(self, event: Event, encoded: Encoded, question: str, cut: float) -> Event:
        """Returns a finished description with places for the things it names without one.

        The model ties to places what it is sure of while it writes; when the whole sentence is
        there, whatever else it names is looked for.
        """
        if not isinstance(event, Answer):
            return event
        claimed = [(g.phrase.start or 0, g.phrase.end or 0) for g in event.groundings]
        spans = [
            (start, end)
            for start, end in self._lexicon.mentions(event.text)
            if all(end <= a or b <= start for a, b in claimed)
        ]
        more = self._forced(encoded, question, event.text, spans, cut).groundings if spans else ()
        every = sorted((*event.groundings, *more), key=lambda g: g.phrase.start or 0)
        return replace(event, groundings=tuple(every))

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns all instances of each name; see `Backend.detect`."""
        names = list(dict.fromkeys(check_question(name, 100) for name in names))
        cut = self.card.threshold if threshold is None else threshold
        return self._detect(self._encoded(picture), names, cut, limit)

    @torch.inference_mode()
    def _detect(self, encoded: Encoded, names: Sequence[str], cut: float, limit: int) -> Answer:
        tree = self.model.tree
        found: list[Grounding] = []
        with self._lock:
            for low in range(0, len(names), NAMES_AT_ONCE):
                some = names[low : low + NAMES_AT_ONCE]
                if self._tells:
                    found += [detected(self._teller(encoded, cut), name) for name in some]
                    continue
                links = torch.stack([self._name_links(name) for name in some])
                phrases = [Phrase(name) for name in some]
                # A name that is none of the trunk's classes is wholly the decoder's business.
                known = links.new_tensor([name in tree.classes for name in some])
                trust = known * self.trust + (1 - known)
                shift = known * tree.shift + (1 - known) * tree.new_shift
                found += self._ground(phrases, links, encoded, cut, limit, trust, shift, OF_NAME)
        scores = sorted((s for g in found for s in g.scores), reverse=True)
        lowest = scores[limit - 1] if len(scores) >= limit else 0.0
        kept = tuple(g for g in (g.above(lowest) for g in found) if g.boxes)
        if not kept:
            return Answer(f"Not present: {', '.join(names)}.", (), finish=Finish.ABSENT)
        counts = ", ".join(f"{g.phrase.text} ({len(g.boxes)})" for g in kept)
        return Answer(f"Found: {counts}.", kept)

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns boxes for spans of a given caption; see `Backend.ground`."""
        return self._forced(
            self._encoded(picture), INSTRUCTIONS[Capability.CAPTION], caption, spans,
            self.card.threshold if threshold is None else threshold,
        )  # fmt: skip

    def _describe_all(
        self, encoded: Encoded, cut: float, stop: Callable[[], bool] | None
    ) -> Iterator[Event]:
        found = self._detect(encoded, self.card.vocabulary, cut, dense.MOST * 4)

        def describe(box: Box) -> str:
            return self._talk(encoded, cut, DESCRIBE, ["@1"], [box]).text

        yield from dense.describe_all(dense.distinct(found), describe, stop)

    def _talk(
        self, encoded: Encoded, cut: float, question: str, slots: list[str], shapes: list[Shape]
    ) -> Answer:
        with self._lock:
            talk = self._conversation(self.model, self.vocabulary, encoded, cut)
            *_, last = talk.answer(question, slots, shapes, MAX_TOKENS, None)
        assert isinstance(last, Answer)
        return last

    def _refer(self, encoded: Encoded, expression: str, cut: float) -> Answer:
        answer = self._forced(encoded, expression, expression, [(0, len(expression))], cut)
        if answer.groundings:
            return answer
        return Answer("Not present.", (), finish=Finish.ABSENT)

    @torch.inference_mode()
    def _forced(
        self,
        encoded: Encoded,
        question: str,
        answer: str,
        spans: Sequence[tuple[int, int]],
        cut: float,
    ) -> Answer:
        """Grounds phrases of an answer that is given rather than generated, in one pass.

        Overlapping spans cannot stand in one answer, so each set without overlaps is a pass. A
        region that the question names is not read, and has no slot here.
        """
        question = REGION_NAME.sub("", question)
        found: list[Grounding] = []
        words: list[WordBox] = []
        for layer in without_overlaps(spans):
            with self._lock:
                if self._tells:
                    found += located(self._teller(encoded, cut), question, answer, layer)
                    continue
                links, read = encoded.prefix.force(
                    self.model, self.vocabulary, question,
                    list(mark(answer, layer, Special.GRD)),
                )  # fmt: skip
                phrases = [Phrase(answer[start:end], start, end) for start, end in layer]
                found += self._ground(phrases, links, encoded, cut, 100)
                for phrase, states in zip(phrases, read, strict=True):
                    words += boxes_of_phrase(
                        self.model.word_locator, self.vocabulary, phrase, states, encoded.letterbox
                    )
        return Answer(answer, tuple(g for g in found if g.boxes), tuple(words))

    @property
    def _tells(self) -> bool:
        """Whether phrases are located by telling, not by the box decoder."""
        return issubclass(self._conversation, Telling)

    def _teller(self, encoded: Encoded, cut: float) -> Telling:
        talk = self._conversation(self.model, self.vocabulary, encoded, cut)
        assert isinstance(talk, Telling)
        return talk

    def _ground(
        self,
        phrases: Sequence[Phrase],
        links: Tensor,
        encoded: Encoded,
        cut: float,
        limit: int,
        trust: Tensor | None = None,
        shift: Tensor | None = None,
        doubles: Doubles = OF_PHRASE,
    ) -> list[Grounding]:
        """Returns boxes of G phrases; `trust` and `shift` are float[G], 1 and 0 if left out."""
        picture = torch.zeros(len(phrases), dtype=torch.long, device=links.device)
        decoded = self.model.box_decoder(links, picture, encoded.sight, encoded.in_context)
        start = encoded.sight.boxes[picture]
        trust = links.new_ones(len(links)) if trust is None else trust
        refined = start + trust[:, None, None] * (decoded.boxes[-1] - start)
        scores = decoded.start + trust[:, None] * (decoded.agreed - decoded.start)
        scores = scores if shift is None else scores + shift[:, None]
        return [
            to_grounding(
                phrase,
                logits,
                places,
                encoded.letterbox,
                threshold=cut,
                limit=limit,
                doubles=doubles,
            )
            for phrase, logits, places in zip(phrases, scores, refined, strict=True)
        ]

    def _name_links(self, name: str) -> Tensor:
        if name not in self._names:
            if len(self._names) > 10_000:
                self._names.clear()
            row = pad_names([self.vocabulary.name(name, self.model.tree.decoder.num_links)])
            self._names[name] = self.model.name_links(row.to(self.model.device))[0]
        return self._names[name]

    def _encoded(self, picture: Image | EncodedPicture) -> Encoded:
        kept = picture if isinstance(picture, EncodedPicture) else self.encode(picture)
        assert isinstance(kept.state, Encoded)
        return kept.state


def load(name_or_path: str | Path, device: str = "auto") -> Engine:
    """Returns an engine for a checkpoint folder, by path or by name under `checkpoints/`.

    Args:
        name_or_path: such as `checkpoints/deixis-tiny` or `deixis-tiny`.
        device: `cpu`, `cuda`, `mps`, or `auto` for the best there is.

    Raises:
        CheckpointError: there is no such checkpoint, or it is broken.
    """
    keep_freed_memory()
    folder = checkpoint.resolve(name_or_path)
    model, vocabulary, version = checkpoint.load(folder)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Engine(model, vocabulary, name=folder.name, version=version, device=device)
