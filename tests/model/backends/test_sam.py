"""SAM and SAM 2: prompts in the encoder's pixels, masks at the picture's size."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch

from model.backends.sam import Embedding, SamBackend, masked
from model.errors import CapabilityError, RegionError
from model.types import (
    Box,
    Capability,
    Finish,
    Mask,
    Phrase,
    Point,
    Points,
    Region,
    Scribble,
    Shape,
)
from tests.model.backends.conftest import Loaded
from tests.model.backends.tiny import picture

SHAPES: list[Shape] = [
    Box(0.1, 0.2, 0.5, 0.6),
    Points((Point(0.3, 0.4), Point(0.9, 0.9, positive=False))),
    Scribble(tuple((i / 40, 0.5) for i in range(1, 40))),
    Mask(np.eye(12, 16, dtype=bool)),
]


@pytest.fixture(params=["sam", "sam2"], scope="module")
def backend(request: pytest.FixtureRequest, loaded: Loaded) -> SamBackend:
    backend = loaded(request.param, SamBackend)
    assert isinstance(backend, SamBackend)
    return backend


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_every_shape_gives_a_mask_of_the_pictures_size(backend: SamBackend, shape: Shape) -> None:
    ((mask, score),) = backend.masks(picture(), [shape])
    assert mask.pixels.shape == (120, 160)
    assert 0 <= score <= 1


def test_sam_gives_what_the_library_gives(loaded: Loaded) -> None:
    backend = loaded("sam", SamBackend)
    assert isinstance(backend, SamBackend)
    with torch.inference_mode():
        inputs = backend.processor(
            images=picture(), input_boxes=[[[16.0, 24.0, 80.0, 72.0]]], return_tensors="pt"
        )
        out = backend.model(
            pixel_values=inputs["pixel_values"],
            input_boxes=inputs["input_boxes"].float(),
            multimask_output=False,
        )
        theirs = backend.processor.post_process_masks(
            out.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )[0]
    encoded = backend.encode(picture())
    backend.masks(picture(90, 250, "green"), [Box(0, 0, 1, 1)])
    ((mask, _),) = backend.masks(encoded, [Box(0.1, 0.2, 0.5, 0.6)])
    np.testing.assert_array_equal(mask.pixels, theirs[0, 0].numpy())


def test_sam2_sees_the_pixels_it_would_without_a_cache(loaded: Loaded) -> None:
    backend = loaded("sam2", SamBackend)
    assert isinstance(backend, SamBackend)
    encoded = backend.encode(picture())
    seen = []
    get = backend.model.get_image_embeddings
    with patch.object(backend.model, "get_image_embeddings", lambda p: (seen.append(p), get(p))[1]):
        backend.encode(picture())
    with torch.inference_mode():
        box = torch.tensor([[[12.8, 25.6, 64.0, 76.8]]])
        out = backend.model(pixel_values=seen[0], input_boxes=box, multimask_output=False)
    assert seen[0].shape == (1, 3, 128, 128)
    assert seen[0].mean().item() == pytest.approx(2, abs=0.5)  # white, normalised
    assert isinstance(encoded.state, Embedding)
    ((_, score),) = backend.masks(encoded, [Box(0.1, 0.2, 0.5, 0.6)])
    assert score == pytest.approx(min(max(out.iou_scores[0, 0, 0].item(), 0), 1), abs=1e-5)


def test_regions_are_answered_by_name(backend: SamBackend) -> None:
    whole = Mask(np.ones((120, 160), dtype=bool))
    regions = [Region("@1", SHAPES[0]), Region("@2", SHAPES[1])]
    with patch.object(backend, "_mask", return_value=(whole, 0.9)):
        answer = backend.answer(picture(), "Segment @1 and @2.", regions=regions)
    assert answer.text == "@1, @2"
    assert [item.phrase for item in answer.groundings] == [
        Phrase("@1", 0, 2),
        Phrase("@2", 4, 6),
    ]
    assert answer.groundings[0].boxes == (Box(0, 0, 1, 1),)
    assert answer.groundings[0].masks == (whole,)


def test_an_empty_mask_is_absent() -> None:
    nothing = Mask(np.zeros((4, 4), dtype=bool))
    answer = masked([Region("@1", Box(0, 0, 1, 1))], [(nothing, 0.5)])
    assert answer.finish is Finish.ABSENT


def test_words_alone_are_refused(backend: SamBackend) -> None:
    with pytest.raises(RegionError, match="draw"):
        backend.answer(picture(), "segment the dog")
    with pytest.raises(CapabilityError):
        backend.answer(picture(), "what is this", task=Capability.CHAT)
