"""Several models as one: a chat model's words with a detector's boxes and a segmenter's masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.composed import MaskedBackend, RetrievalBackend
from model.backends.sam import SamBackend
from model.types import (
    Answer,
    Box,
    Capability,
    Delta,
    Event,
    Grounding,
    Mask,
    Phrase,
    Region,
    Shape,
    Size,
    Turn,
)
from tests.model.backends.tiny import picture

if TYPE_CHECKING:
    from PIL.Image import Image

HERE = Box(0.1, 0.1, 0.5, 0.5)


class Fake(Backend):
    """A model that says what it is told to, and remembers what it was asked."""

    def __init__(self, name: str, capabilities: set[Capability], *lines: str) -> None:
        self.card = Card(
            name, name, "words", frozenset(capabilities), licence=f"{name}-licence", version=name,
            parameters=1,
        )  # fmt: skip
        self.lines, self.asked = list(lines), []
        self.encodes, self.closed = 0, False

    def encode(self, picture: Image) -> EncodedPicture:
        self.encodes += 1
        return EncodedPicture(f"{self.card.name} key", Size(*picture.size), self.card.name)

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
        assert isinstance(picture, EncodedPicture)
        assert picture.state == self.card.name
        self.asked.append((question, task))
        line = self.lines.pop(0)
        yield Delta(line)
        found = Grounding(Phrase(line), (HERE,), (0.5,))
        yield Answer(line, (found,) if task is Capability.REFER else ())

    def ground(
        self,
        picture: Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        assert isinstance(picture, EncodedPicture)
        assert picture.state == self.card.name
        found = (Grounding(Phrase(caption[a:b], a, b), (HERE,), (0.5,)) for a, b in spans)
        return Answer(caption, tuple(found))

    def close(self) -> None:
        self.closed = True


class FakeSegmenter(Fake):
    """A segmenter whose masks are the boxes it is shown."""

    def masks(
        self, picture: Image | EncodedPicture, shapes: Sequence[Shape]
    ) -> list[tuple[Mask, float]]:
        assert isinstance(picture, EncodedPicture)
        assert picture.state == self.card.name
        pixels = np.zeros((10, 10), dtype=bool)
        pixels[1:5, 1:5] = True
        return [(Mask(pixels), 0.9) for _ in shapes]


CHAT, FINDS = {Capability.CHAT, Capability.CAPTION}, {Capability.DETECT, Capability.REFER}


def segmenter() -> SamBackend:
    return cast("SamBackend", FakeSegmenter("sam", {Capability.SEGMENT}))


def test_a_detector_finds_what_a_chat_model_names() -> None:
    chat = Fake("chat", CHAT, "The red mug is next to a cat.", "red mug, cat, dog")
    finder = Fake("finder", FINDS)
    both = RetrievalBackend(chat, finder)
    *deltas, answer = both.stream(picture(), "What is in the picture?")
    assert deltas == [Delta("The red mug is next to a cat.")]
    assert isinstance(answer, Answer)
    assert [(item.phrase.text, item.phrase.start) for item in answer.groundings] == [
        ("red mug", 4),
        ("cat", 25),
    ]
    assert "The red mug is next to a cat." in chat.asked[1][0]
    assert both.card.mechanism == "retrieval"
    assert both.card.licence == "chat-licence; finder-licence"
    assert both.card.capabilities == CHAT | FINDS


def test_the_second_model_reads_a_picture_only_when_needed_and_once() -> None:
    chat = Fake("chat", CHAT, "Yes.", "none", "A cat.", "cat", "A cat.", "cat")
    finder = Fake("finder", FINDS)
    both = RetrievalBackend(chat, finder)
    encoded = both.encode(picture())
    assert both.answer(encoded, "Is it day?").groundings == ()
    assert finder.encodes == 0
    both.answer(encoded, "What is it?")
    both.answer(encoded, "What is it?")
    assert (chat.encodes, finder.encodes) == (1, 1)


def test_expressions_go_to_the_detector() -> None:
    finder = Fake("finder", FINDS, "the cat")
    answer = RetrievalBackend(Fake("chat", CHAT), finder).answer(
        picture(), "the cat", task=Capability.REFER
    )
    assert answer.groundings[0].boxes == (HERE,)


def test_drawn_regions_become_masks() -> None:
    both = MaskedBackend(Fake("chat", CHAT), segmenter())
    answer = both.segment(picture(), HERE)
    assert answer.groundings[0].masks[0].pixels.sum() == 16
    assert Capability.SEGMENT in both.card.capabilities


def test_words_become_boxes_become_masks() -> None:
    finder = Fake("finder", FINDS, "the cat")
    answer = MaskedBackend(finder, segmenter()).answer(picture(), "segment the cat")
    assert finder.asked == [("segment the cat", Capability.REFER)]
    (found,) = answer.groundings
    assert found.boxes == (HERE,)
    assert len(found.masks) == 1


def test_three_models_work_together() -> None:
    chat = Fake("chat", CHAT, "A cat.", "cat")
    three = MaskedBackend(RetrievalBackend(chat, Fake("finder", FINDS)), segmenter())
    assert three.card.name == "chat+finder+sam"
    assert three.card.parameters == 3
    answer = three.answer(picture(), "What is it?")
    assert answer.groundings[0].phrase == Phrase("cat", 2, 5)


def test_closing_closes_both() -> None:
    chat, finder = Fake("chat", CHAT), Fake("finder", FINDS)
    RetrievalBackend(chat, finder).close()
    assert chat.closed
    assert finder.closed


@pytest.mark.parametrize("name", ["cat", "CAT"])
def test_names_are_found_whatever_their_case(name: str) -> None:
    chat = Fake("chat", CHAT, "A cat.", name)
    answer = RetrievalBackend(chat, Fake("finder", FINDS)).answer(picture(), "What is it?")
    assert answer.groundings[0].phrase == Phrase("cat", 2, 5)
