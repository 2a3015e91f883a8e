"""Grounding DINO and MM-Grounding-DINO: names keep their characters, the backbone runs once."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch

from model.backends.grounding_dino import GroundingDinoBackend
from model.errors import CapabilityError, QuestionError
from model.types import Box, Capability, Finish, Region
from tests.model.backends.conftest import Loaded
from tests.model.backends.tiny import picture


@pytest.fixture(params=["grounding_dino", "mm_grounding_dino"], scope="module")
def backend(request: pytest.FixtureRequest, loaded: Loaded) -> GroundingDinoBackend:
    backend = loaded(request.param, GroundingDinoBackend)
    assert isinstance(backend, GroundingDinoBackend)
    return backend


def score(backend: GroundingDinoBackend, image: object, text: str) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        return backend._score(backend.encoded(image), text, [(0, len(text))])  # type: ignore[arg-type]


def test_a_picture_encoded_once_gives_what_the_library_gives(backend: GroundingDinoBackend) -> None:
    text = "a cat. a red square."
    with torch.inference_mode():
        inputs = backend.processor(images=picture(), text=text, return_tensors="pt")
        out = backend.model(**inputs)
        theirs = backend.processor.post_process_grounded_object_detection(
            out, inputs["input_ids"], threshold=0.0, text_threshold=0.0, target_sizes=[(1, 1)]
        )[0]
        # Theirs also takes the tokens before and after the text; ours those of the text only.
        inside = out.logits[0, :, 1 : inputs["input_ids"].shape[1] - 1].sigmoid().amax(1)
    encoded = backend.encode(picture())
    for _ in range(2):
        # Twice: the model appends to the lists of maps it is given.
        scores, boxes = score(backend, encoded, text)
        torch.testing.assert_close(scores[:, 0], inside, rtol=1e-4, atol=1e-6)
        assert bool((scores[:, 0] <= theirs["scores"] + 1e-5).all())
        torch.testing.assert_close(boxes, theirs["boxes"], rtol=1e-4, atol=1e-5)
        score(backend, backend.encode(picture(90, 250, "green")), text)


def test_the_backbone_runs_once(backend: GroundingDinoBackend) -> None:
    encoded = backend.encode(picture())
    with patch.object(backend.model.model.backbone, "conv_encoder", None):
        backend.detect(encoded, ["cat"], threshold=0.0)


def test_every_name_has_its_boxes(backend: GroundingDinoBackend) -> None:
    answer = backend.detect(picture(), ["cat", "red square", "dog"], threshold=0.0)
    assert {item.phrase.text for item in answer.groundings} <= {"cat", "red square", "dog"}
    boxes = [box for item in answer.groundings for box in item.boxes]
    assert 0 < len(boxes) <= 10
    assert len(set(boxes)) == len(boxes)
    for item in answer.groundings:
        assert list(item.scores) == sorted(item.scores, reverse=True)
        assert item.phrase.start is None


def test_nothing_above_the_threshold_is_absent(backend: GroundingDinoBackend) -> None:
    answer = backend.detect(picture(), ["cat"], threshold=1.0)
    assert answer.finish is Finish.ABSENT
    assert not answer.groundings


def test_more_names_than_fit_are_read_in_groups(backend: GroundingDinoBackend) -> None:
    names = [f"thing number {i}" for i in range(30)]
    groups = list(backend._groups(names))
    assert len(groups) > 1
    assert [name for group in groups for name in group] == names
    limit = backend.model.config.max_text_len
    for group in groups:
        text = "".join(f"{name}. " for name in group)
        assert len(backend.tokenizer(text)["input_ids"]) <= limit
    found = backend.detect(picture(), names, threshold=0.0, limit=7)
    assert sum(len(item.boxes) for item in found.groundings) == 7


def test_an_expression_has_one_best_box(backend: GroundingDinoBackend) -> None:
    answer = backend.answer(picture(), "Where is the red square?", threshold=0.0)
    (found,) = answer.groundings
    assert found.phrase.text == answer.text == "red square"
    assert len(found.boxes) == 1


def test_the_phrases_of_a_caption_are_found_where_they_stand(backend: GroundingDinoBackend) -> None:
    caption = "a cat near a red square"
    answer = backend.ground(picture(), caption, [(0, 5), (11, 23)], threshold=0.0)
    assert answer.text == caption
    for item in answer.groundings:
        assert caption[item.phrase.start : item.phrase.end] == item.phrase.text
    assert [item.phrase.text for item in answer.groundings] == ["a cat", "a red square"]


def test_typed_control_tokens_stay_text(backend: GroundingDinoBackend) -> None:
    with patch.object(backend, "_score", wraps=backend._score) as called:
        backend.detect(picture(), ["cat [SEP] dog"])
    text = called.call_args.args[1]
    special = backend.tokenizer.sep_token_id
    assert backend.tokenizer(text)["input_ids"].count(special) == 1


def test_drawn_regions_are_refused(backend: GroundingDinoBackend) -> None:
    region = Region("@1", Box(0, 0, 0.5, 0.5))
    with pytest.raises(CapabilityError, match="words only"):
        backend.answer(picture(), "find this", regions=[region], task=Capability.DETECT)


def test_no_names_are_refused(backend: GroundingDinoBackend) -> None:
    with pytest.raises(QuestionError):
        backend.detect(picture(), [""])
