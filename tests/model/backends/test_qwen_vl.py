"""Qwen-VL: JSON boxes per mille or in pixels, conversations, regions of earlier turns."""

from __future__ import annotations

from typing import cast

import pytest

from model.backends.qwen_vl import QwenVLBackend
from model.types import Answer, Box, Capability, Phrase, Region, Size, Turn
from tests.model.backends.conftest import Loaded
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture


@pytest.fixture(scope="module")
def qwen3(loaded: Loaded) -> QwenVLBackend:
    return cast("QwenVLBackend", loaded("qwen3_vl", QwenVLBackend))


@pytest.fixture(scope="module")
def qwen25(loaded: Loaded) -> QwenVLBackend:
    return cast("QwenVLBackend", loaded("qwen2_5_vl", QwenVLBackend))


def test_an_answer_ties_its_words_to_boxes(qwen3: QwenVLBackend) -> None:
    written = 'It is a red square.\n[{"bbox_2d": [100, 200, 500, 900], "label": "red square"}]'
    with writes(qwen3, written):
        answer = qwen3.answer(picture(), "What is in the corner?")
    assert answer.text == "It is a red square."
    (found,) = answer.groundings
    assert found.phrase == Phrase("red square", 8, 18)
    assert found.boxes == (Box(0.1, 0.2, 0.5, 0.9),)
    assert 0.5 < found.scores[0] < 1


def test_scores_are_those_of_the_coordinate_tokens(qwen3: QwenVLBackend) -> None:
    """The script makes every token equally probable, so the mean is that probability."""
    with writes(qwen3, '[{"bbox_2d": [100, 200, 500, 900], "label": "cat"}]'):
        answer = qwen3.answer(picture(), "the cat", task=Capability.REFER)
    size = qwen3.model.config.text_config.vocab_size
    e8 = 2.718281828**8
    assert answer.groundings[0].scores[0] == pytest.approx(e8 / (e8 + size - 1), rel=1e-3)


def test_qwen25_counts_pixels_of_the_resized_picture(qwen25: QwenVLBackend) -> None:
    encoded = qwen25.encode(picture(163, 117))
    shown = qwen25.shown(encoded)
    assert (shown.width % 28, shown.height % 28) == (0, 0)
    assert shown != Size(163, 117)
    half = f"[0, 0, {shown.width // 2}, {shown.height}]"
    with writes(qwen25, f'[{{"bbox_2d": {half}, "label": "cat"}}]'):
        answer = qwen25.answer(encoded, "the cat", task=Capability.REFER)
    assert answer.groundings[0].boxes == (Box(0, 0, 0.5, 1),)


def test_regions_of_earlier_turns_are_spoken_of(qwen3: QwenVLBackend) -> None:
    square = Region("@1", Box(0.1, 0.2, 0.5, 0.9))
    history = [
        Turn("What is @1?", Answer("a square"), (square,)),
        Turn("Is @1 round?", Answer("no")),
    ]
    with writes(qwen3, "yes") as prompts:
        qwen3.answer(picture(), "Is @1 red?", history=history)
    said = prompts[0].replace("<|image_pad|>", "")
    assert "What is the thing in the box [100, 200, 500, 900]?<|im_end|>" in said
    assert "<|im_start|>assistant\na square<|im_end|>" in said
    assert "Is the thing in the box [100, 200, 500, 900] round?<|im_end|>" in said
    assert "Is the thing in the box [100, 200, 500, 900] red?<|im_end|>" in said


def test_all_names_are_asked_for_at_once(qwen3: QwenVLBackend) -> None:
    written = (
        '[{"bbox_2d": [0, 0, 500, 500], "label": "dogs"}, '
        '{"bbox_2d": [0, 0, 900, 500], "label": "red car"}, '
        '{"bbox_2d": [0, 0, 900, 900], "label": "moose"}]'
    )
    with writes(qwen3, written) as prompts:
        answer = qwen3.detect(picture(), ["dog", "red car", "cat"])
    assert '"dog", "red car", "cat"' in prompts[0]
    assert [item.phrase for item in answer.groundings] == [Phrase("dog"), Phrase("red car")]


def test_a_caption_names_its_things_after_the_words(qwen3: QwenVLBackend) -> None:
    written = 'A dog by a tree.\n```json\n[{"bbox_2d": [0, 0, 500, 500], "label": "dog"}]\n```'
    with writes(qwen3, written):
        answer = qwen3.caption(picture())
    assert answer.text == "A dog by a tree."
    assert answer.groundings[0].phrase == Phrase("dog", 2, 5)
