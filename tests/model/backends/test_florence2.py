"""Florence-2: its sentences and coordinates, captions in two passes, masks from outlines."""

from __future__ import annotations

from typing import cast

import pytest

from model.backends.florence2 import Florence2Backend, fill
from model.backends.generation import GenerativeBackend
from model.types import Answer, Box, Capability, Delta, Finish, Phrase, Point, Points, Region, Size
from tests.model.backends.conftest import Loaded
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture

CAR = "<loc_100><loc_200><loc_500><loc_900>"
CAR_BOX = (0.1005, 0.2005, 0.5005, 0.9005)


@pytest.fixture(scope="module")
def backend(loaded: Loaded) -> GenerativeBackend:
    return cast("GenerativeBackend", loaded("florence2", Florence2Backend))


def test_a_caption_is_grounded_in_a_second_pass(backend: GenerativeBackend) -> None:
    with writes(backend, "A green car on a road.", f"A green car{CAR}") as prompts:
        *deltas, answer = backend.stream(picture(), "Describe this picture.")
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == answer.text
    assert isinstance(answer, Answer)
    (found,) = answer.groundings
    assert found.phrase == Phrase("A green car", 0, 11)
    assert found.boxes[0].as_tuple() == pytest.approx(CAR_BOX)
    assert prompts[0].endswith("<s>Describe in detail what is shown in the image.</s>")
    assert "Locate the phrases in the caption: A green car on a road.</s>" in prompts[1]


def test_names_are_asked_for_one_by_one(backend: GenerativeBackend) -> None:
    with writes(backend, f"dog{CAR}<loc_1><loc_1><loc_9><loc_9>", "") as prompts:
        answer = backend.detect(picture(), ["dog", "cat"])
    (found,) = answer.groundings
    assert found.phrase == Phrase("dog")
    assert len(found.boxes) == 2
    assert all(0.5 < score < 1 for score in found.scores)
    assert "Locate cat in the image." in prompts[1]


def test_a_missing_thing_is_absent(backend: GenerativeBackend) -> None:
    with writes(backend, ""):
        assert backend.answer(picture(), "Where is the cat?").finish is Finish.ABSENT


def test_a_region_reaches_the_prompt_in_its_own_coordinates(backend: GenerativeBackend) -> None:
    region = Region("@1", Box(0.1, 0.2, 0.5, 0.9))
    with writes(backend, "a red square") as prompts:
        answer = backend.answer(picture(), "What is @1?", regions=[region])
    assert answer.text == "a red square"
    assert "What does the region <loc_100><loc_200><loc_500><loc_900> describe?" in prompts[0]


def test_a_click_becomes_a_small_square(backend: GenerativeBackend) -> None:
    click = Region("@1", Points((Point(0.5, 0.5),)))
    with writes(backend, "square") as prompts:
        backend.answer(picture(), "What is @1?", regions=[click], task=Capability.CLICK)
    assert "<loc_450><loc_450><loc_550><loc_550>" in prompts[0]


def test_outlines_become_masks_at_the_pictures_size(backend: GenerativeBackend) -> None:
    outline = "<loc_0><loc_0><loc_999><loc_0><loc_999><loc_999><loc_0><loc_999>"
    with writes(backend, outline):
        answer = backend.segment(picture(), Box(0.1, 0.1, 0.9, 0.9))
    (found,) = answer.groundings
    assert found.masks[0].pixels.shape == (120, 160)
    assert found.masks[0].pixels.mean() > 0.95


def test_words_can_be_segmented_too(backend: GenerativeBackend) -> None:
    with writes(backend, "<loc_0><loc_0><loc_500><loc_0><loc_500><loc_500>") as prompts:
        answer = backend.answer(picture(), "segment the dog", task=Capability.SEGMENT)
    assert "Locate segment the dog in the image with mask" in prompts[0]
    assert answer.groundings[0].masks


def test_an_outline_is_filled() -> None:
    mask = fill(((0, 0), (0.5, 0), (0.5, 1), (0, 1)), Size(40, 20))
    assert mask.pixels[:, :20].all()
    assert not mask.pixels[:, 21:].any()


def test_given_spans_of_a_caption_are_grounded(backend: GenerativeBackend) -> None:
    caption = "A dog and a dogfish."
    with writes(backend, f"a dog{CAR}"):
        answer = backend.ground(picture(), caption, [(0, 5), (10, 19)])
    assert [item.phrase for item in answer.groundings] == [Phrase("A dog", 0, 5)]
    assert answer.text == caption
