from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.mask_head import crop
from model.preprocess import Letterbox
from model.roi import widened
from model.tokens import ROUTES, Special
from model.training.collate import Collator, Lesson, as_tensor
from model.types import Answer, Box, Size, Turn
from tests.model import taught, tiny

SIZES = (Size(96, 64), Size(76, 74))
WORDS = tiny.vocabulary()
collate = Collator(WORDS, tiny.tree())


def _lesson(
    *turns: Turn, names: tuple[tuple[str, list[Box]], ...] = (), picture: int = 0
) -> Lesson:
    return Lesson(SIZES[picture], turns, names)


def test_targets_stand_in_the_order_of_the_groups_in_the_canvas_frame() -> None:
    names = (("dog", [tiny.RIGHT, tiny.LEFT]), ("zebra", []))
    batch, truth = collate(
        [_lesson(*tiny.turns(), names=names), _lesson(*tiny.turns()[1:2], names=names, picture=1)],
        tiny.sight(2),
    )
    frames = [Letterbox.fit(size, 64) for size in SIZES]
    wanted = [
        (0, [tiny.LEFT]), (0, [tiny.RIGHT]), (0, [tiny.RIGHT]),  # the turns of the first picture
        (1, [tiny.LEFT]), (1, [tiny.RIGHT]),
        (0, [tiny.RIGHT, tiny.LEFT]), (0, []), (1, [tiny.RIGHT, tiny.LEFT]), (1, []),
    ]  # fmt: skip
    pictures = torch.cat([batch.rows.groups[:, 0], batch.asked[:, 0]]).tolist()
    assert pictures == [picture for picture, _ in wanted]
    for group, (picture, boxes) in enumerate(wanted):
        got = truth.boxes[group][truth.real[group]]
        assert tiny.close(got, frames[picture].to_canvas(as_tensor(boxes)), 1e-6)
    assert truth.expression.tolist() == [True] * 5 + [False] * 4
    dog, zebra = (tiny.tree().classes.index(name) for name in ("dog", "zebra"))
    assert truth.trunk_class.tolist() == [-100] * 5 + [dog, zebra] * 2
    assert batch.names.shape[0] == 2, "a name is encoded once for all pictures"
    assert batch.asked[:, 1].tolist() == [0, 1, 0, 1]


def test_words_know_the_span_of_their_phrases_boxes() -> None:
    turn = taught.lesson().turns[1]  # "squares" on both
    batch, truth = collate([_lesson(turn)], tiny.sight())
    both = Box(tiny.LEFT.x0, tiny.LEFT.y0, tiny.RIGHT.x1, tiny.RIGHT.y1)
    frame = Letterbox.fit(SIZES[0], 64)
    assert len(truth.word_boxes) == len(batch.rows.words) == len(WORDS.encode("squares"))
    wanted = frame.to_canvas(as_tensor([both])).expand(len(truth.word_boxes), -1)
    assert tiny.close(truth.word_boxes, wanted, 1e-6)


def test_what_does_not_fit_is_left_out_with_its_targets_and_regions() -> None:
    turns = tiny.turns()
    lengths = [int((collate([_lesson(t)], tiny.sight())[0].rows.turn >= 0).sum()) for t in turns]
    tree = tiny.tree()
    short = replace(tree, language=replace(tree.language, max_length=sum(lengths) - 1))
    batch, truth = Collator(WORDS, short)([_lesson(*turns)], tiny.sight())
    assert batch.rows.turn.max() == 1
    assert len(truth.boxes) == len(batch.rows.groups) == 2
    assert len(batch.regions) == int((batch.rows.ids == Special.REGION.id).sum()) == 2


def test_masks_and_joints_are_drawn_in_the_widened_box() -> None:
    turns = [
        t for t in taught.lesson().turns if t.question in ("Segment @1.", "Show the pose of @1.")
    ]
    batch, truth = collate([_lesson(*turns)], tiny.sight())
    frame = Letterbox.fit(SIZES[0], 64)
    rois = widened(frame.to_canvas(as_tensor([tiny.RIGHT, tiny.LEFT])))
    assert tiny.close(batch.rois, rois, 1e-6)
    assert [ROUTES[r] for r in batch.rows.groups[:, 2].tolist()] == [Special.SEG, Special.POSE]
    assert tiny.close(truth.masks[0], crop(taught.cut_out(), rois[0], frame), 1e-6)
    points = torch.tensor(taught.joints().points)
    assert tiny.close(frame.to_unit(truth.joints[0, :, :2]), points[:, :2], 1e-5)
    assert tiny.close(truth.joints[0, :, 2], points[:, 2])
    wide = frame.to_canvas(as_tensor([tiny.LEFT]))[0]
    assert tiny.close(truth.person_size[0], wide[2:] - wide[:2], 1e-6)


def test_later_turns_of_a_talk_see_the_earlier_and_turns_beside_do_not() -> None:
    talk = taught.talks()[0]
    lesson = Lesson(SIZES[0], [talk[0]], [], [talk])
    batch, _ = collate([lesson], tiny.sight())
    assert batch.rows.turn.unique().tolist() == [0, 1]
    first, second = ((batch.rows.turn[0] == number) for number in (0, 1))
    ids = batch.rows.ids[0]
    assert (ids[first] == Special.USER.id).sum() == 2
    assert (ids[second] == Special.USER.id).sum() == 1
    assert len(batch.regions) == 3, "@1 is read again where a later turn names it"


@pytest.mark.parametrize("lesson", [_lesson(), _lesson(Turn("hi", Answer("hello")))])
def test_nothing_to_point_at_gives_empty_targets(lesson: Lesson) -> None:
    batch, truth = collate([lesson], tiny.sight())
    assert len(truth.boxes) == len(truth.word_boxes) == len(batch.rois) == 0
    assert truth.masks.shape[1:] == (28, 28)
    assert truth.joints.shape[1:] == (17, 3)
    assert batch.asked.shape == (0, 2)
