"""Backends that write places as text, local or remote: ask, stream, parse, score, answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from re import Pattern
from typing import TYPE_CHECKING, ClassVar

from model.backends.answers import (
    Scored,
    anchored,
    captioned,
    detection,
    expression,
    grounding,
    match_name,
    with_boxes,
)
from model.backends.base import INSTRUCTIONS, Backend, EncodedPicture
from model.backends.draft import Draft, Step, exhaust
from model.backends.grammar import Grammar, Reader
from model.backends.prompts import (
    Asked,
    box_of,
    check_names,
    expression_in,
    literal,
    name_regions,
    names_in,
    understand,
)
from model.backends.streams import Stop
from model.errors import CapabilityError
from model.tokens import REGION_NAME
from model.types import Answer, Capability, Delta, Event, Finish, Region, Size, Turn

if TYPE_CHECKING:
    from PIL.Image import Image


class WritingBackend(Backend):
    """A model that answers in text and writes places into it.

    A family says how a picture and a prompt become `Step`s; everything else is here.
    """

    grammar: Grammar
    joined: ClassVar[str] = ""
    """What parts several class names asked for at once; empty if they are asked one by one."""
    control: Pattern[str] | None = None
    """Control tokens that people must not be able to spell."""

    @abstractmethod
    def steps(
        self,
        encoded: EncodedPicture,
        prompt: str,
        turns: Sequence[tuple[str, str]],
        stop: Stop | None,
    ) -> Iterator[Step]:
        """Yields the raw output to a prompt, after earlier questions and answers."""

    @abstractmethod
    def encoded(self, picture: Image | EncodedPicture) -> EncodedPicture:
        """Returns the picture encoded, if it is not yet."""

    def cut_out(self, encoded: EncodedPicture, region: Region) -> EncodedPicture:
        """Returns what stands in a region, and a little around it, as a picture of its own.

        The last resort, for families that read no places: what lies around the region is lost.
        """
        raise CapabilityError(f"{self.card.name} reads no drawn regions; ask in words only.")

    def shown(self, encoded: EncodedPicture) -> Size:
        """Returns the pixel size of the picture as the model sees it."""
        return encoded.size

    def stream(
        self,
        picture: Image | EncodedPicture,
        question: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Turn] = (),
        task: Capability | None = None,
        threshold: float | None = None,
        stop: Stop | None = None,
    ) -> Iterator[Event]:
        """Yields pieces of the answer, then all of it; see `Backend.stream`."""
        asked = understand(question, regions, history, task, self.card.capabilities)
        self.require(asked.task)
        least = self.card.threshold if threshold is None else threshold
        encoded = self.encoded(picture)
        if asked.regions and self.grammar.cuts:
            encoded = self.cut_out(encoded, asked.regions[0])
        shown = self.shown(encoded)
        if asked.task is Capability.DETECT:
            yield self._detect(encoded, names_in(asked.text), least, 100, stop)
        elif asked.task is Capability.GROUND:
            yield self.ground_text(encoded, asked.text, None, least, stop)
        else:
            draft = yield from self.draft(
                encoded,
                self.prompt(asked, shown),
                turns=[self._turn(turn, asked.known, shown) for turn in asked.history],
                name=expression_in(asked.text),
                grammar=self.grammar_of(asked.task),
                stop=stop,
            )
            answer = self.answer_of(asked, encoded.size, draft, least)
            yield self.complete(asked, encoded, answer, stop)

    def draft(
        self,
        encoded: EncodedPicture,
        prompt: str,
        *,
        turns: Sequence[tuple[str, str]] = (),
        name: str = "",
        grammar: Grammar | None = None,
        stop: Stop | None = None,
    ) -> Generator[Delta, None, Draft]:
        """Yields the words as they are written, and returns the output read and scored."""
        reader, draft = Reader(grammar or self.grammar, self.shown(encoded), name), Draft()
        told = ""
        for step in self.steps(encoded, prompt, turns, stop):
            draft.add(step)
            draft.finish = step.finish or draft.finish
            if words := reader.feed(step.piece):
                told += words
                yield Delta(words)
        draft.parsed = reader.close()
        if rest := draft.parsed.text[len(told) :]:
            yield Delta(rest)
        if stop is not None and stop():
            draft.finish = Finish.CANCELLED
        return draft

    def prompt(self, asked: Asked, shown: Size) -> str:
        """Returns what the family is asked, in its own words and coordinates.

        Args:
            asked: the question; class names to detect are joined already.
            shown: pixel size of the picture as the model sees it.
        """
        text = literal(asked.text, self.control)
        own = asked.text == INSTRUCTIONS.get(asked.task)
        template = self.grammar.prompts[asked.task]
        if Capability.CHAT in self.card.capabilities and not own and asked.regions:
            # A question of one's own about a region says more than the family's wording.
            template = self.grammar.prompts[Capability.CHAT]
            text = self._spoken(asked.text, asked.regions, asked.known, shown)
        elif asked.task is Capability.REFER:
            text = expression_in(text)
        region = self.region(asked.regions[0], shown) if asked.regions else ""
        return template.format(text=text, region=region)

    def region(self, region: Region, shown: Size) -> str:
        """Returns a drawn region as the family writes it."""
        box = self.grammar.write(box_of(region.shape), shown)
        return self.grammar.region.format(box=box)

    def _turn(self, turn: Turn, known: Mapping[str, Region], shown: Size) -> tuple[str, str]:
        question = self._spoken(turn.question, turn.regions, known, shown)
        return question, literal(turn.answer.text, self.control)

    def _spoken(
        self,
        text: str,
        regions: Sequence[Region],
        known: Mapping[str, Region],
        shown: Size,
    ) -> str:
        """Returns a question in which its regions, and those it names, are coordinates."""
        names = [region.name for region in regions] + [
            match.group() for match in REGION_NAME.finditer(text)
        ]
        spoken = {name: self.region(known[name], shown) for name in names if name in known}
        return name_regions(literal(text, self.control), spoken)

    def grammar_of(self, task: Capability) -> Grammar:
        """Returns how the output to a task is read."""
        return self.grammar

    def answer_of(self, asked: Asked, size: Size, draft: Draft, least: float) -> Answer:
        """Returns the answer that an output gives to a question."""
        found = draft.parsed.found
        if asked.task is Capability.REFER:
            every = [pair for item in found for pair in draft.scored(item)]
            return expression(expression_in(asked.text), every, least, draft.finish)
        groundings = (grounding(item.phrase, draft.scored(item), least) for item in found)
        return Answer(draft.parsed.text, with_boxes(groundings), finish=draft.finish)

    def complete(
        self, asked: Asked, encoded: EncodedPicture, answer: Answer, stop: Stop | None
    ) -> Answer:
        """Returns the answer with what the family adds in a second step; by itself, nothing."""
        return answer

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns all instances of each name; see `Backend.detect`."""
        self.require(Capability.DETECT)
        least = self.card.threshold if threshold is None else threshold
        return self._detect(self.encoded(picture), names, least, limit, None)

    def _detect(
        self,
        encoded: EncodedPicture,
        names: Sequence[str],
        least: float,
        limit: int,
        stop: Stop | None,
    ) -> Answer:
        names = check_names(names)
        found: dict[str, Scored] = {name: [] for name in names}
        template = self.grammar.prompts[Capability.DETECT]
        for group in [names] if self.joined else [[name] for name in names]:
            text = self.joined.join(literal(name, self.control) for name in group)
            draft = exhaust(self.draft(encoded, template.format(text=text), stop=stop))
            for item in draft.parsed.found:
                if (name := match_name(item.phrase.text, group)) is not None:
                    found[name] += draft.scored(item)
            if draft.finish is Finish.CANCELLED:
                return Answer("", finish=Finish.CANCELLED)
        return detection(found, least, limit)

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns boxes for phrases of a caption; see `Backend.ground`."""
        self.require(Capability.GROUND)
        least = self.card.threshold if threshold is None else threshold
        return self.ground_text(self.encoded(picture), caption, spans, least, None)

    def ground_text(
        self,
        encoded: EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]] | None,
        least: float,
        stop: Stop | None,
    ) -> Answer:
        """Returns boxes for phrases of a caption: those of `spans`, or those the model finds."""
        text = literal(caption, self.control)
        prompt = self.grammar.prompts[Capability.GROUND].format(text=text)
        draft = exhaust(self.draft(encoded, prompt, stop=stop))
        found = [(item.phrase.text, draft.scored(item)) for item in draft.parsed.found]
        return captioned(caption, anchored(caption, found, spans), least, draft.finish)
