"""PaliGemma: several names in one prompt, y before x, names after the numbers."""

from __future__ import annotations

from typing import cast

import pytest

from model.backends.paligemma import PaliGemmaBackend
from model.types import Box, Phrase
from tests.model.backends.conftest import Loaded
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture


@pytest.fixture(scope="module")
def backend(loaded: Loaded) -> PaliGemmaBackend:
    return cast("PaliGemmaBackend", loaded("paligemma", PaliGemmaBackend))


def test_names_are_asked_for_at_once(backend: PaliGemmaBackend) -> None:
    written = "<loc0256><loc0128><loc0512><loc0512> cat ; <loc0000><loc0000><loc0512><loc0512> dog"
    with writes(backend, written) as prompts:
        answer = backend.detect(picture(), ["cat", "dog", "owl"])
    assert "detect cat ; dog ; owl\n" in prompts[0]
    assert [item.phrase for item in answer.groundings] == [Phrase("cat"), Phrase("dog")]
    assert answer.groundings[0].boxes == (Box(0.125, 0.25, 0.5, 0.5),)


def test_a_region_is_captioned(backend: PaliGemmaBackend) -> None:
    with writes(backend, "a red square") as prompts:
        answer = backend.describe_region(picture(), Box(0.25, 0.5, 0.75, 1.0))
    assert "caption <loc0512><loc0256><loc1023><loc0768>\n" in prompts[0]
    assert answer.text == "a red square"
