"""InternVL: tags around words, boxes per mille, tiles of a picture, conversations."""

from __future__ import annotations

from typing import cast

import pytest

from model.backends.internvl import InternVLBackend
from model.types import Answer, Box, Capability, Phrase, Region, Turn
from tests.model.backends.conftest import Loaded
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture


@pytest.fixture(scope="module")
def backend(loaded: Loaded) -> InternVLBackend:
    return cast("InternVLBackend", loaded("internvl", InternVLBackend))


def test_words_and_boxes_are_read_as_documented(backend: InternVLBackend) -> None:
    # Source: the InternVL documentation, "Grounding".
    written = "There is <ref>a red square</ref><box>[[100, 200, 500, 900]]</box> here."
    with writes(backend, written):
        answer = backend.caption(picture())
    assert answer.text == "There is a red square here."
    (found,) = answer.groundings
    assert found.phrase == Phrase("a red square", 9, 21)
    assert found.boxes == (Box(0.1, 0.2, 0.5, 0.9),)
    assert 0.5 < found.scores[0] < 1


def test_several_things_are_found_at_once(backend: InternVLBackend) -> None:
    written = (
        "<ref>cat</ref><box>[[0, 0, 500, 500], [10, 10, 90, 90]]</box>"
        "<ref>dog</ref><box>[[0, 0, 900, 900]]</box>"
    )
    with writes(backend, written) as prompts:
        answer = backend.detect(picture(), ["cat", "dog", "fox"])
    assert "of these kinds in the image: cat, dog, fox." in prompts[0]
    counts = [(item.phrase.text, len(item.boxes)) for item in answer.groundings]
    assert counts == [("cat", 2), ("dog", 1)]


def test_the_picture_comes_once_and_regions_are_numbers(backend: InternVLBackend) -> None:
    square = Region("@1", Box(0.1, 0.2, 0.5, 0.9))
    history = [Turn("What is @1?", Answer("a square"), (square,))]
    with writes(backend, "yes") as prompts:
        backend.answer(picture(), "Is @1 red?", history=history)
    first, rest = prompts[0].split("</img>")
    assert "<IMG_CONTEXT>" in first
    assert "<IMG_CONTEXT>" not in rest
    assert rest.count("[[100, 200, 500, 900]]") == 2
    assert "<|im_start|>assistant\na square<|im_end|>" in rest


def test_a_wide_picture_is_read_in_tiles(backend: InternVLBackend) -> None:
    def tokens(width: int, height: int) -> int:
        encoded = backend.encode(picture(width, height))
        ids = backend.inputs(encoded, "x", ())["input_ids"]
        return int((ids == backend.processor.image_token_id).sum())

    assert tokens(56, 56) == 4
    assert tokens(170, 56) == 4 * (3 + 1), "three tiles and the whole"


def test_it_cannot_be_taught_and_says_who_can(backend: InternVLBackend) -> None:
    assert Capability.CHAT in backend.card.capabilities
    with pytest.raises(Exception, match="Florence-2, Qwen-VL and PaliGemma"):
        backend.lesson(picture(), "a", "b")
