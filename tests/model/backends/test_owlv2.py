"""OWLv2: by words and by example; boxes of the padded square come back to the picture."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from model.backends.owlv2 import Owlv2Backend, Patches
from model.types import Box, Capability, Region
from tests.model.backends.conftest import Loaded
from tests.model.backends.tiny import picture


@pytest.fixture(scope="module")
def backend(loaded: Loaded) -> Owlv2Backend:
    return cast("Owlv2Backend", loaded("owlv2", Owlv2Backend))


def test_a_picture_encoded_once_gives_what_the_library_gives(backend: Owlv2Backend) -> None:
    names = ["a cat", "a red square"]
    with torch.inference_mode():
        inputs = backend.processor(images=picture(), text=[names], return_tensors="pt")
        out = backend.model(**inputs)
        theirs = backend.processor.post_process_grounded_object_detection(
            out, threshold=0.0, target_sizes=[(120, 160)], text_labels=[names]
        )[0]
        encoded = backend.encode(picture())
        backend.detect(picture(250, 90, "green"), names)
        state = encoded.state
        assert isinstance(state, Patches)
        tokens = backend.tokenizer(names, padding="max_length", return_tensors="pt")
        queries = backend.model.owlv2.get_text_features(**tokens).pooler_output
        logits, _ = backend.model.class_predictor(state.features, queries[None])
    torch.testing.assert_close(logits[0].sigmoid().amax(1), theirs["scores"], rtol=1e-4, atol=1e-6)
    pixels = state.boxes_xyxy * torch.tensor([160, 120, 160, 120])
    torch.testing.assert_close(pixels, theirs["boxes"], rtol=1e-4, atol=1e-3)


def test_names_and_phrases_are_found(backend: Owlv2Backend) -> None:
    answer = backend.detect(picture(), ["cat", "dog"], threshold=0.0)
    assert answer.groundings
    caption = "a cat and a dog"
    grounded = backend.ground(picture(), caption, [(0, 5)], threshold=0.0)
    assert grounded.groundings[0].phrase.text == "a cat"


def test_a_drawn_box_is_an_example(backend: Owlv2Backend) -> None:
    encoded = backend.encode(picture())
    state = encoded.state
    assert isinstance(state, Patches)
    inside = state.boxes_xyxy.clamp(0, 1)
    solid = (inside[:, 2:] - inside[:, :2]).amin(1) > 0.01
    region = Region("@1", Box(*inside[solid][0].tolist()))
    answer = backend.answer(
        encoded, "find more like @1", regions=[region], task=Capability.DETECT, threshold=0.0
    )
    (found,) = answer.groundings
    assert found.phrase.text == "like @1"
    assert len(found.boxes) > 1
    drawn = region.shape
    assert isinstance(drawn, Box)
    assert drawn in found.boxes
