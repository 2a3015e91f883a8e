from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.batch import Batch, Outputs
from model.conversation import NEVER, Conversation
from model.encoded import Encoded
from model.groundings import to_grounding
from model.mask_head import paste
from model.tokens import Marked, Special, referred
from model.training.collate import Collator, Lesson
from model.types import (
    Answer,
    Box,
    Delta,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Region,
    Size,
    Turn,
)
from model.vlm import DeixisModel
from tests.model import tiny

THRESHOLD = 0.0


def _encoded() -> Encoded:
    state = tiny.engine().encode(tiny.picture()).state
    assert isinstance(state, Encoded)
    return state


class Dictated(Conversation):
    """Writes what it is told, hears the true places, and remembers what it would have said."""

    def dictate(self, ids: list[int], found: Tensor) -> None:
        self.left, self.heard, self.found = ids, list[Tensor](), list(found.split(1))

    def _keep(self, grounding: Grounding) -> None:
        super()._keep(grounding)
        self._told = self.model.findings(self.found.pop(0))

    def _next(self, state: Tensor) -> int:
        self.heard.append(self.model.prefixed.logits(state)[0])
        return self.left.pop(0)


def _forced(turn: Turn, model: DeixisModel | None = None) -> tuple[Batch, Outputs]:
    lesson = Lesson(Size(96, 64), [turn], [])
    batch, _ = Collator(tiny.vocabulary(), tiny.tree())([lesson], _encoded().sight)
    with torch.inference_mode():
        return batch, (model or tiny.model())(batch)


def _dictated(turn: Turn) -> tuple[Dictated, list[Delta], Answer, Batch, Outputs]:
    batch, out = _forced(turn)
    talk = Dictated(tiny.model(), tiny.vocabulary(), _encoded(), THRESHOLD)
    talk.dictate([label for label in batch.rows.labels[0].tolist() if label != -100], batch.found)
    by_name = {region.name: region.shape for region in turn.regions}
    slots = referred(turn.question, list(by_name))
    *deltas, whole = talk.answer(turn.question, slots, [by_name[n] for n in slots], 99, None)
    assert isinstance(whole, Answer)
    return talk, [d for d in deltas if isinstance(d, Delta)], whole, batch, out


REVERSED = replace(tiny.turns()[0], question="Is @2 left of @1?")


@pytest.mark.parametrize("turn", [*tiny.turns(), REVERSED])
def test_token_by_token_gives_the_logits_of_one_pass(turn: Turn) -> None:
    talk, _, _, batch, out = _dictated(turn)
    told = batch.rows.labels[0] != -100
    wanted = tiny.model().prefixed.logits(out.states[0, told])
    assert tiny.close(torch.stack(talk.heard), wanted)


@pytest.mark.parametrize("turn", tiny.turns())
def test_words_boxes_and_phrases_are_those_of_one_pass(turn: Turn) -> None:
    talk, deltas, whole, batch, out = _dictated(turn)
    assert whole.text == turn.answer.text
    assert "".join(delta.text for delta in deltas) == whole.text
    assert whole.finish is Finish.STOP
    ids, start = batch.rows.ids[0], batch.rows.ids[0].tolist().index(Special.ASSISTANT.id)
    written = (ids >= len(Special)) & (torch.arange(len(ids)) > start)
    assert tiny.close(torch.stack(talk._states), out.states[0, written])
    assert len(whole.groundings) == len(turn.answer.groundings)
    for number, (got, told) in enumerate(
        zip(whole.groundings, turn.answer.groundings, strict=True)
    ):
        assert got.phrase == told.phrase
        logits, boxes = out.boxes.logits[-1, number], out.boxes.boxes[-1, number]
        letterbox = _encoded().letterbox
        wanted = to_grounding(got.phrase, logits, boxes, letterbox, threshold=THRESHOLD)
        assert got.scores == pytest.approx(wanted.scores, abs=1e-4)
        for a, b in zip(got.boxes, wanted.boxes, strict=True):
            assert a.as_tuple() == pytest.approx(b.as_tuple(), abs=1e-3)


def test_forced_phrases_have_the_link_states_of_one_pass() -> None:
    turn = tiny.turns()[1]
    model = tiny.build()
    for value in model.findings.parameters():
        value.zero_()  # A forced answer is read at once, before anything is found.
    batch, out = _forced(turn, model)
    pieces = [
        Marked("a"), Marked("red square", Special.GRD), Marked("and"),
        Marked("a blue square", Special.GRD),
    ]  # fmt: skip
    with torch.inference_mode():
        links, read = _encoded().prefix.force(model, tiny.vocabulary(), turn.question, pieces)
        wanted, _ = model.link_states(out.states, batch.rows.groups)
    assert links.shape == (2, 4, 32)
    assert tiny.close(links, wanted)
    places = batch.rows.words
    for group, states in enumerate(read):
        of_group = places[places[:, 2] == group]
        assert tiny.close(states, out.states[of_group[:, 0], of_group[:, 1]])


def test_word_boxes_span_the_boxes_of_their_tokens() -> None:
    talk, _, whole, _, out = _dictated(tiny.turns()[2])
    boxes = _encoded().letterbox.to_unit(out.word_boxes).clamp(0, 1)
    assert [word.phrase.text for word in whole.word_boxes] == ["blue", "square"]
    for word, (_, tokens) in zip(whole.word_boxes, talk.writer.words(), strict=True):
        low, high = boxes[tokens, :2].amin(0), boxes[tokens, 2:].amax(0)
        wanted = torch.cat([low, high]).tolist()
        assert word.box.as_tuple() == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("kind", ["mask", "pose"])
def test_masks_and_poses_are_drawn_in_the_drawn_box(kind: str) -> None:
    asked = Region("@1", Box(0.3, 0.2, 0.8, 0.9))
    answer = tiny.grounded("red square", ("red square", tiny.LEFT))
    inside = answer.groundings[0]
    if kind == "mask":
        inside = replace(inside, masks=(Mask(np.ones((64, 96), bool)),))
    else:
        inside = replace(inside, keypoints=(Keypoints(((0.3, 0.4, 2.0),) * 17),))
    turn = Turn("Show @1.", replace(answer, groundings=(inside,)), (asked,))
    _, _, whole, batch, out = _dictated(turn)
    (got,) = whole.groundings
    assert got.boxes == (asked.shape,)
    if kind == "mask":
        wanted = paste(out.masks[0], batch.rois[0], _encoded().letterbox)
        assert (got.masks[0].pixels == wanted.pixels).mean() > 0.99
    else:
        places = _encoded().letterbox.to_unit(out.joints[0]).clamp(0, 1).flatten().tolist()
        said = [number for x, y, _ in got.keypoints[0].points for number in (x, y)]
        assert said == pytest.approx(places, abs=1e-3)


def test_routes_need_a_phrase_and_some_tokens_are_never_said() -> None:
    talk = Conversation(tiny.model(), tiny.vocabulary(), _encoded(), THRESHOLD)
    embedding = tiny.model().prefixed.embedding.weight
    for token in Special:
        state = 100 * embedding[token.id].unsqueeze(0)
        assert talk._next(state) not in NEVER
        if token in (Special.GRD, Special.SEG, Special.POSE):
            assert talk._next(state) != token.id
            talk._phrase = Phrase("dog", 0, 3)
            assert talk._next(state) == token.id
            talk._phrase = None


def test_a_new_question_does_not_see_the_last_one() -> None:
    first, second, third = (_dictated(tiny.turns()[i])[0].heard for i in (0, 1, 0))
    assert torch.equal(torch.stack(first), torch.stack(third))
    assert len(second) != len(first) or not torch.equal(second[0], first[0])


def test_earlier_turns_are_read_as_they_are_taught() -> None:
    earlier, later = tiny.turns()[2], Turn("And where is @1?", Answer("blue square"))
    lesson = Lesson(Size(96, 64), [], [], talks=[[earlier, later]])
    batch, _ = Collator(tiny.vocabulary(), tiny.tree())([lesson], _encoded().sight)
    with torch.inference_mode():
        out = tiny.model()(batch)
    start = batch.rows.ids[0].tolist().index(Special.EOS.id)
    told = (batch.rows.labels[0] != -100) & (torch.arange(batch.rows.ids.shape[1]) > start)
    talk = Dictated(tiny.model(), tiny.vocabulary(), _encoded(), THRESHOLD)
    talk.dictate(batch.rows.labels[0, told].tolist(), batch.found[1:])
    shapes = [region.shape for region in earlier.regions]
    list(talk.answer(later.question, ["@1"], shapes, 99, None, [earlier]))
    wanted = tiny.model().prefixed.logits(out.states[0, told])
    assert tiny.close(torch.stack(talk.heard), wanted)
    assert not tiny.close(wanted[0], _dictated(replace(later, regions=earlier.regions))[0].heard[0])


def test_length_and_stop_end_an_answer() -> None:
    def ask(max_tokens: int, stop_after: int) -> Answer:
        calls = iter(range(100))
        talk = Dictated(tiny.model(), tiny.vocabulary(), _encoded(), THRESHOLD)
        talk.dictate(tiny.vocabulary().encode("a red square and a blue square"), torch.zeros(0, 5))
        *_, whole = talk.answer("what?", [], [], max_tokens, lambda: next(calls) >= stop_after)
        assert isinstance(whole, Answer)
        return whole

    assert ask(3, 99).finish is Finish.LENGTH
    stopped = ask(99, 2)
    assert stopped.finish is Finish.CANCELLED
    assert "a red square".startswith(stopped.text)


def test_not_present_is_an_absence() -> None:
    _, _, whole, _, _ = _dictated(Turn("Where is the cat?", Answer("not present.")))
    assert (whole.text, whole.finish, whole.present) == ("Not present.", Finish.ABSENT, False)


def test_the_word_behind_a_phrase_knows_what_was_found_for_it() -> None:
    """With true boxes swapped, words behind the phrase change and words before it do not."""
    turn = tiny.turns()[1]
    batch, out = _forced(turn)
    with torch.inference_mode():
        swapped = tiny.model()(replace(batch, found=batch.found.flip(0)))
    behind = int(batch.rows.groups[0, 1]) + tiny.tree().decoder.num_links + 1
    assert tiny.close(swapped.states[:, :behind], out.states[:, :behind])
    assert not tiny.close(swapped.states[:, behind], out.states[:, behind], 1e-3)


def test_what_is_served_is_told_as_it_is_taught() -> None:
    """A grounding of the answer is summed up in the frame and with the count of training."""
    turn = tiny.turns()[1]
    batch, _ = _forced(turn)
    talk = Conversation(tiny.model(), tiny.vocabulary(), _encoded(), THRESHOLD)
    assert tiny.close(talk._summaries(turn.answer.groundings), batch.found)
    both = replace(turn.answer.groundings[0], boxes=(tiny.LEFT, tiny.RIGHT), scores=(1.0, 1.0))
    whole = talk._summaries([both])[0]
    low, high = batch.found[:, :2].amin(0), batch.found[:, 2:4].amax(0)
    assert tiny.close(whole, torch.cat([low, high, torch.tensor([2.0])]))
