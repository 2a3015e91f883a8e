"""Kosmos-2: phrases between tags, boxes as cells, answers to its own prompts."""

from __future__ import annotations

from typing import cast

import pytest

from model.backends.kosmos2 import Kosmos2Backend
from model.types import Box, Phrase, Region
from tests.model.backends.conftest import Loaded
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture

SNOWMAN = (
    "<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0863></object> warming"
    "<phrase> a fire</phrase><object><patch_index_0005><patch_index_0911></object>."
)


@pytest.fixture(scope="module")
def backend(loaded: Loaded) -> Kosmos2Backend:
    return cast("Kosmos2Backend", loaded("kosmos2", Kosmos2Backend))


def test_a_caption_carries_boxes(backend: Kosmos2Backend) -> None:
    with writes(backend, SNOWMAN):
        answer = backend.caption(picture())
    assert answer.text == "a snowman warming a fire."
    assert [item.phrase for item in answer.groundings] == [
        Phrase("a snowman", 0, 9),
        Phrase("a fire", 18, 24),
    ]
    # As the library reads the same string; see the docstring of its post-processing.
    assert answer.groundings[0].boxes[0].as_tuple() == (0.390625, 0.046875, 0.984375, 0.828125)


def test_the_library_reads_the_same(backend: Kosmos2Backend) -> None:
    text, entities = backend.processor.post_process_generation(SNOWMAN)
    parsed = backend.grammar.read(SNOWMAN, backend.encode(picture()).size)
    assert parsed.text == text
    assert [
        (item.phrase.text, (item.phrase.start, item.phrase.end), [b.as_tuple() for b in item.boxes])
        for item in parsed.found
    ] == entities


def test_an_expression_is_put_between_the_tags(backend: Kosmos2Backend) -> None:
    with writes(backend, "<object><patch_index_0000><patch_index_0033></object>") as prompts:
        answer = backend.answer(picture(), "Where is the snowman?", task=None)
    assert "Question: Where is the snowman? Answer:" in prompts[0]
    with writes(backend, "<object><patch_index_0000><patch_index_0033></object>") as prompts:
        answer = backend.is_present(picture(), "snowman")
    assert "<phrase> snowman</phrase>" in prompts[0]
    assert answer.present


def test_a_region_is_asked_about_in_cells(backend: Kosmos2Backend) -> None:
    with writes(backend, "a fire") as prompts:
        answer = backend.describe_region(picture(), Box(0, 0, 0.5, 0.5))
    assert answer.text == "a fire"
    assert "<object><patch_index_0000><patch_index_0495></object> is" in prompts[0]


def test_a_question_speaks_of_a_region(backend: Kosmos2Backend) -> None:
    region = Region("@1", Box(0, 0, 0.5, 0.5))
    with writes(backend, "red") as prompts:
        backend.answer(picture(), "What colour is @1?", regions=[region])
    assert "What colour is<phrase>it</phrase><object><patch_index_0000>" in prompts[0].replace(
        "is <phrase>", "is<phrase>"
    )
