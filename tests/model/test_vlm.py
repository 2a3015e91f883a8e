from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from model.batch import Batch, Outputs
from model.errors import ConfigError
from model.tokens import Special
from model.training.collate import Collator, Lesson
from model.types import Answer, Size, Turn
from model.vlm import DeixisConfig, DeixisModel, _link_numbers
from tests.model import tiny

SIZES = (Size(96, 64), Size(76, 74))
NAMES = [("dog", [tiny.LEFT]), ("zebra", [])]
collate = Collator(tiny.vocabulary(), tiny.tree())


def _lesson(turns: list[Turn], picture: int = 0, names: bool = True) -> Lesson:
    return Lesson(SIZES[picture], turns, NAMES if names else [])


def _run(*lessons: Lesson, first: int = 0) -> tuple[Batch, Outputs]:
    sight = tiny.sight(2)[first : first + len(lessons)]
    batch, _ = collate(lessons, sight)
    with torch.inference_mode():
        return batch, tiny.model()(batch)


def _states(batch: Batch, outputs: Outputs, row: int, turn: int) -> Tensor:
    return outputs.states[row][batch.rows.turn[row] == turn]


def test_shapes_are_as_promised() -> None:
    batch, out = _run(_lesson(tiny.turns()))
    groups, words = len(batch.rows.groups), len(batch.rows.words)
    assert (groups, len(batch.asked)) == (3, 2)
    assert out.states.shape == (1, batch.rows.ids.shape[1], 32)
    assert out.boxes.logits.shape == (2, 5, 12)
    assert out.boxes.class_logits.shape == (5, 80)
    assert out.word_boxes.shape == (words, 4)
    assert out.masks.shape == (0, 28, 28)
    assert out.joints.shape == (0, 17, 2)


def test_many_turns_behind_one_picture_give_what_each_gives_alone() -> None:
    turns = tiny.turns()
    batch, together = _run(_lesson(turns))
    group = word = 0
    for number, turn in enumerate(turns):
        alone_batch, alone = _run(_lesson([turn], names=False))
        count, num_words = len(alone_batch.rows.groups), len(alone_batch.rows.words)
        assert tiny.close(_states(batch, together, 0, number), _states(alone_batch, alone, 0, 0))
        assert tiny.close(together.boxes.logits[:, group : group + count], alone.boxes.logits)
        assert tiny.close(together.boxes.boxes[:, group : group + count], alone.boxes.boxes)
        assert tiny.close(together.word_boxes[word : word + num_words], alone.word_boxes)
        group, word = group + count, word + num_words
    _, names_alone = _run(_lesson([]))
    assert tiny.close(together.boxes.logits[:, group:], names_alone.boxes.logits)


def test_a_picture_gives_the_same_alone_and_in_a_padded_batch() -> None:
    lessons = [_lesson(tiny.turns()), _lesson(tiny.turns()[2:], picture=1)]
    batch, both = _run(*lessons)
    assert (batch.rows.turn[1] == -1).any(), "nothing is padded"
    of_group = torch.cat([batch.rows.groups[:, 0], batch.asked[:, 0]])
    for number, lesson in enumerate(lessons):
        alone_batch, alone = _run(lesson, first=number)
        for turn in range(len(lesson.turns)):
            assert tiny.close(
                _states(batch, both, number, turn), _states(alone_batch, alone, 0, turn)
            )
        mine = of_group == number
        assert tiny.close(both.boxes.logits[:, mine], alone.boxes.logits)
        assert tiny.close(both.boxes.boxes[:, mine], alone.boxes.boxes)


def test_turns_read_their_regions_and_their_picture() -> None:
    turns = tiny.turns()
    swapped = replace(turns[0], question="What are @2 and @1?")
    batch, out = _run(_lesson([turns[0], swapped]))
    a, b = (_states(batch, out, 0, turn) for turn in (0, 1))
    assert not tiny.close(a, b, 1e-3), "the order of two regions makes no difference"
    (_, one), (_, other) = _run(_lesson(turns)), _run(_lesson(turns, picture=1), first=1)
    assert not tiny.close(one.states, other.states, 1e-3), "the picture makes no difference"


def test_regions_fill_the_slots_in_the_order_they_are_mentioned() -> None:
    turn = replace(tiny.turns()[0], question="What are @2 and @1?")
    batch, _ = _run(_lesson([turn]))
    model = tiny.model()
    tokens = model.region_encoder(batch.regions, batch.sight, model.objects(batch.sight).queries)
    embeddings = model.embed(batch.rows.ids, tokens)[0]
    slots = (batch.rows.ids[0] == Special.REGION.id).nonzero().flatten()
    assert batch.regions.kind.tolist() == [2, 1], "first the scribble @2, then the box @1"
    for slot, token in zip(slots.tolist(), tokens, strict=True):
        assert torch.equal(embeddings[slot], token[0])


def test_links_have_the_queries_of_their_route() -> None:
    ids = torch.tensor([[99, Special.GRD.id, 50, 50, 98, Special.DET.id, 50, 50]])
    assert _link_numbers(ids, 2).tolist() == [[0, 0, 2, 3, 0, 0, 0, 1]]


@pytest.mark.parametrize("blind", [False, True])
def test_nothing_asked_and_nothing_seen_is_still_finite(blind: bool) -> None:
    sight = tiny.sight(2)
    sight = tiny.blind(sight) if blind else sight
    for turns in ([], [Turn("hello?", Answer("hello"))], tiny.turns()):
        batch, _ = collate([_lesson(turns), _lesson([], 1, names=False)], sight)
        with torch.inference_mode():
            out = tiny.model()(batch)
        for name in Outputs.__slots__:
            value = getattr(out, name)
            tensors = [value.logits, value.boxes] if name == "boxes" else [value]
            assert all(tensor.isfinite().all() for tensor in tensors), name


def test_a_checkpoint_loads_through_transformers(tmp_path: Path) -> None:
    model = tiny.build(seed=3)
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), DeixisConfig)
    again = AutoModel.from_pretrained(tmp_path, use_safetensors=True, trust_remote_code=False)
    assert isinstance(again, DeixisModel)
    assert again.tree == model.tree
    batch, _ = collate([_lesson(tiny.turns())], tiny.sight())
    with torch.inference_mode():
        a, b = model(batch), again.eval()(batch)
    assert torch.equal(a.states, b.states)
    assert torch.equal(a.boxes.boxes, b.boxes.boxes)


def test_unknown_keys_in_a_config_file_are_refused(tmp_path: Path) -> None:
    config = DeixisConfig(sections={"decoder": {"num_link": 8}})
    config.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="DecoderConfig has no"):
        AutoModel.from_config(AutoConfig.from_pretrained(tmp_path))
