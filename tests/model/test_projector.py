from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import ModelConfig, ProjectorConfig
from model.encoded import Prefix
from model.engine import Engine
from model.errors import ConfigError
from model.objects import ObjectEncoder
from model.projector import Projector, question_mean
from model.tokens import Special, mark
from model.training.collate import Collator, Lesson
from model.types import Capability, Finish, Size
from model.vlm import DeixisModel
from tests.model import tiny


def _config(**projector: object) -> ModelConfig:
    return replace(tiny.tree(), projector=ProjectorConfig(num_objects=8, **projector))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "shuffle", "cells"),
    [("linear", 1, 4), ("mlp", 1, 4), ("mlp", 2, 1), ("resampler", 1, 32)],
)
def test_every_kind_gives_grid_tokens_and_object_tokens(
    kind: str, shuffle: int, cells: int
) -> None:
    config = _config(kind=kind, shuffle=shuffle)
    sight = tiny.sight(2)
    tokens, real = Projector(config)(sight, ObjectEncoder(config)(sight).queries)
    assert tokens.shape == (2, cells + 8, 32)
    assert real.all()
    assert not tiny.close(tokens[0], tokens[1]), "both pictures look the same"


def test_padded_proposals_give_no_real_tokens_and_the_grid_stays() -> None:
    sight = tiny.sight(2)
    sight = replace(sight, valid=sight.valid & (torch.arange(2)[:, None] == 0))
    _, real = tiny.model().projector(sight, tiny.model().objects(sight).queries)
    assert real[0].all()
    assert real[1].tolist() == [True] * 4 + [False] * 8


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="'qformer'; choose linear, mlp or resampler"):
        Projector(_config(kind="qformer"))


def _guided(count: int = 3) -> DeixisModel:
    tree = tiny.tree()
    return tiny.build(config=replace(tree, decoder=replace(tree.decoder, num_guided=count)))


def test_the_words_of_a_question_are_averaged_and_no_others() -> None:
    user, image, told = Special.USER.id, Special.IMAGE.id, Special.ASSISTANT.id
    first = [user, 20, 21, image, image, told, 30]
    ids = torch.tensor([[*first, user, 40, 41, 42, image, image, told]])
    words = torch.arange(14.0).view(1, 14, 1).expand(-1, -1, 2)
    number = torch.zeros_like(ids)
    number[0, [4, 12]] = 1
    mean = question_mean(words, ids, number)[0, :, 0]
    assert mean[[3, 4]].tolist() == [1.5, 1.5]
    assert mean[[11, 12]].tolist() == [9, 9]


def test_what_is_picked_follows_the_words_and_the_picture() -> None:
    model, words = _guided(), tiny.vocabulary()
    sight = tiny.sight(2, model)
    image, real = model.image_tokens(sight, model.objects(sight))
    none = torch.zeros(0, 1, 32)

    def picked(question: str) -> torch.Tensor:
        ids = torch.tensor([words.question(question, (), 1, 3)] * 2)
        filled = model.pick(model.embed(ids, none), ids, image, real)
        slots = ids[0] == Special.IMAGE.id
        assert tiny.close(filled[:, ~slots], model.embed(ids, none)[:, ~slots])
        return filled[:, slots]

    dog, cat = picked("where is the dog?"), picked("where is the cat?")
    assert dog.shape == (2, 3, 32)
    assert not tiny.close(dog, cat), "other words pick other things"
    assert not tiny.close(dog[0], dog[1]), "from another picture comes something else"
    assert not tiny.close(dog[:, 0], dog[:, 1]), "every slot asks in its own way"


def test_picked_tokens_are_served_as_they_are_taught() -> None:
    model, words = _guided(), tiny.vocabulary()
    turns = [turn for turn in tiny.turns() if turn.answer.groundings]
    sight = tiny.sight(1, model)
    batch, _ = Collator(words, model.tree)([Lesson(Size(96, 64), turns, [])], sight)
    assert (batch.rows.ids == Special.IMAGE.id).sum() == 3 * len(turns)
    with torch.no_grad():
        model.findings.read[-1].weight.zero_()
        model.findings.read[-1].bias.zero_()
        taught = model(batch).boxes
        objects = model.objects(sight)
        prefix = Prefix.of(model, sight, objects)
        caption = turns[0]
        spans = [(g.phrase.start, g.phrase.end) for g in caption.answer.groundings]
        links, _ = prefix.force(
            model, words, caption.question, list(mark(caption.answer.text, spans, Special.GRD))
        )
        served = model.box_decoder(
            links, torch.zeros(len(links), dtype=torch.long), sight,
            model.context(objects, prefix.states),
        )  # fmt: skip
    assert len(links) == 2
    assert tiny.close(served.logits[-1], taught.logits[-1][: len(links)])


def test_a_question_is_answered_with_what_it_picks() -> None:
    engine = Engine(_guided(), tiny.vocabulary(), name="guided", version="0", device="cpu")
    encoded = engine.encode(tiny.picture())
    once = engine.answer(encoded, "What is in this picture?")
    again = engine.answer(tiny.picture(), "What is in this picture?")
    assert once.text == again.text
    found = engine.answer(encoded, "the red square", task=Capability.REFER)
    assert found.groundings or found.finish is Finish.ABSENT
