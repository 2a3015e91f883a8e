"""The same lesson, learned and asked for by each of the three ways to localize."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from model import boxes
from model.config import MECHANISMS, ModelConfig
from model.coordinates import Bins
from model.engine import Engine
from model.errors import ConfigError
from model.mechanisms import conversation_class
from model.preprocess import Letterbox
from model.tokens import Special
from model.training.collate import Collator, Lesson, as_tensor
from model.training.losses import LossConfig
from model.training.mechanisms import WEIGHTS, with_mechanism
from model.types import Answer, Box, Capability, Finish, Grounding, Turn
from tests.model import taught, tiny

BINS = 33
TOLD = ("words", "coordinates")


def _config(mechanism: str) -> ModelConfig:
    return with_mechanism(tiny.tree(), mechanism, BINS)


def _lesson() -> Lesson:
    left = Turn("the red square", tiny.grounded("the red square", ("the red square", tiny.LEFT)))
    right = Turn("the blue one", tiny.grounded("the blue one", ("the blue one", tiny.RIGHT)))
    caption = next(t for t in taught.lesson().turns if t.question == "Describe this picture.")
    absent = Turn("the zebra", Answer("Not present.", finish=Finish.ABSENT))
    names = [("dog", [tiny.LEFT]), ("bird", [tiny.RIGHT]), ("cat", list[Box]())]
    return Lesson(taught.SIZE, [left, right, caption, absent], names)


@cache
def _engine(mechanism: str) -> Engine:
    weights = replace(WEIGHTS.get(mechanism, LossConfig()), smoothing=0.0)
    return taught.teach(_config(mechanism), _lesson(), weights, 200)


def _overlap(grounding: Grounding, box: Box) -> float:
    places = as_tensor(grounding.boxes[:1])
    return float(boxes.iou(places, as_tensor([box])))


@pytest.mark.parametrize("mechanism", TOLD)
def test_an_expression_is_found_with_a_likelihood(mechanism: str) -> None:
    engine = _engine(mechanism)
    assert engine.card.mechanism == mechanism
    for words, box in (("the red square", tiny.LEFT), ("the blue one", tiny.RIGHT)):
        answer = engine.answer(tiny.picture(), words, task=Capability.REFER)
        (grounding,) = answer.groundings
        assert _overlap(grounding, box) > 0.7
        assert 0.4 < grounding.scores[0] <= 1


@pytest.mark.parametrize("mechanism", TOLD)
def test_a_caption_is_written_with_places_and_without_their_tokens(mechanism: str) -> None:
    answer = _engine(mechanism).caption(tiny.picture())
    assert answer.text == taught.CAPTION
    assert answer.finish is Finish.STOP
    assert [g.phrase.text for g in answer.groundings] == ["a red square", "a blue square"]
    for grounding, box in zip(answer.groundings, (tiny.LEFT, tiny.RIGHT), strict=True):
        assert _overlap(grounding, box) > 0.7


@pytest.mark.parametrize("mechanism", TOLD)
def test_names_are_detected_and_an_absent_one_is_not(mechanism: str) -> None:
    answer = _engine(mechanism).detect(tiny.picture(), ["dog", "cat", "bird"])
    found = {g.phrase.text: g for g in answer.groundings}
    assert set(found) == {"dog", "bird"}
    assert _overlap(found["dog"], tiny.LEFT) > 0.7
    assert _overlap(found["bird"], tiny.RIGHT) > 0.7


@pytest.mark.parametrize("mechanism", TOLD)
def test_given_phrases_are_found_even_overlapping_ones(mechanism: str) -> None:
    spans = [(0, 12), (17, 30), (2, 12)]
    answer = _engine(mechanism).ground(tiny.picture(), taught.CAPTION, spans, threshold=0.0)
    assert {(g.phrase.start, g.phrase.end) for g in answer.groundings} >= {(0, 12), (17, 30)}
    assert _overlap(answer.groundings[0], tiny.LEFT) > 0.7


def test_boxes_are_written_behind_their_phrase_and_learned_as_words() -> None:
    config = _config("coordinates")
    turn = _lesson().turns[0]
    batch, truth = Collator(tiny.vocabulary(), config)(
        [Lesson(taught.SIZE, [turn], [("cat", [])])], tiny.sight()
    )
    frame = Letterbox.fit(taught.SIZE, 64)
    tokens = Bins.of(config.language).write(frame.to_canvas(as_tensor([tiny.LEFT])))
    ids = batch.rows.ids[0].tolist()
    end = ids.index(Special.PHRASE_END.id)
    assert ids[end + 1 : end + 6] == [*tokens, Special.EOS.id]
    assert batch.rows.labels[0, end : end + 4].tolist() == tokens
    assert len(batch.rows.groups) == len(truth.boxes) == len(batch.asked) == 0
    said = tiny.vocabulary().decode(batch.rows.ids[0][batch.rows.turn[0] == 1].tolist())
    assert "find all cats" in said
    assert "not present" in said


def test_masks_still_have_their_route() -> None:
    cut = next(turn for turn in taught.lesson().turns if turn.question == "Segment @1.")
    batch, truth = Collator(tiny.vocabulary(), _config("coordinates"))(
        [Lesson(taught.SIZE, [*_lesson().turns, cut], [])], tiny.sight()
    )
    assert len(batch.rows.groups) == len(truth.boxes) == len(batch.rois) == len(truth.masks) == 1


def test_models_of_all_mechanisms_begin_alike() -> None:
    states = [tiny.build(config=_config(mechanism)).state_dict() for mechanism in MECHANISMS]
    for name, value in states[0].items():
        assert all(torch.equal(value, other[name]) for other in states[1:]), name


def test_location_tokens_are_off_unless_asked_for_and_others_are_refused() -> None:
    assert tiny.model().prefixed.embedding.weight.shape[0] == 512
    assert ModelConfig().mechanism == "queries"
    with pytest.raises(ConfigError, match="'retrieval'; choose one of"):
        conversation_class("retrieval")
