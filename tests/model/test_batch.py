from __future__ import annotations

import torch

from model.batch import pack, pad_names
from model.tokens import ROUTES, Marked, Special, TokenRow
from tests.model import tiny

WORDS = tiny.vocabulary()


def _row(question: str, *answer: Marked) -> TokenRow:
    return WORDS.turn(WORDS.question(question, [], 1), answer, 4)


A = _row("where?", Marked("the dog", Special.GRD), Marked("on"), Marked("a bed", Special.SEG))
B = _row("what is this?", Marked("a cat"))


def test_turns_are_packed_one_after_the_other_and_padded() -> None:
    rows = pack([[A, B], [B]])
    a, b = len(A.ids), len(B.ids)
    assert rows.ids[0].tolist() == [*A.ids, *B.ids]
    assert rows.ids[1].tolist() == [*B.ids] + [Special.PAD.id] * a
    assert rows.turn[0].tolist() == [0] * a + [1] * b
    assert rows.turn[1].tolist() == [0] * b + [-1] * a
    assert rows.position[0].tolist() == [*range(a), *range(b)]
    assert rows.labels[0].tolist() == [*A.labels, *B.labels]
    assert (rows.labels[1, b:] == -100).all()


def test_groups_and_words_point_at_their_tokens() -> None:
    rows = pack([[B, A], [A]])
    shift = len(B.ids)
    assert rows.groups[:, 0].tolist() == [0, 0, 1, 1]
    routes = rows.ids[rows.groups[:, 0], rows.groups[:, 1]].tolist()
    assert routes == [Special.GRD.id, Special.SEG.id] * 2
    assert [ROUTES[number] for number in rows.groups[:, 2].tolist()] == [
        Special.GRD, Special.SEG, Special.GRD, Special.SEG,
    ]  # fmt: skip
    assert rows.groups[0, 1] == rows.groups[2, 1] + shift
    by_group = [
        rows.ids[b, t].item() for b, t, group in rows.words.tolist() if group == 3
    ]  # fmt: skip
    assert by_group == WORDS.encode("a bed")
    assert rows.words[:, 2].unique().tolist() == [0, 1, 2, 3]


def test_pictures_without_turns_are_all_padding() -> None:
    rows = pack([[], []])
    assert rows.ids.shape == (2, 1)
    assert (rows.turn == -1).all()
    assert rows.groups.shape == rows.words.shape == (0, 3)


def test_names_end_together() -> None:
    names = pad_names([WORDS.name("dog", 4), WORDS.name("traffic light", 4)])
    assert (names[:, -4:] == Special.LINK.id).all()
    assert (names[:, -5] == Special.DET.id).all()
    assert names[0, 0] == Special.PAD.id
    assert names[1, 0] == Special.BOS.id
    assert pad_names([]).shape == (0, 0)


def test_rows_move_as_a_whole() -> None:
    moved = pack([[A]]).to("meta")
    assert {getattr(moved, name).device for name in type(moved).__slots__} == {torch.device("meta")}
