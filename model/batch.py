"""Tensors that go into and come out of the model. Training and serving build the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from model.regions import Regions
from model.tokens import ROUTES, Special, TokenRow
from model.vision import Sight

_ROUTE_OF = {route.id: number for number, route in enumerate(ROUTES)}


@dataclass(frozen=True, slots=True)
class Rows:
    """Turns packed behind their picture: each sees the picture and itself, never another turn.

    Attributes:
        ids: int64[B, T].
        labels: int64[B, T], what is predicted at each place; -100 for nothing.
        turn: int64[B, T], number of the turn a token belongs to; -1 for padding.
        position: int64[B, T], place within the turn.
        groups: int64[G, 3]: batch row, index of the routing token, number of its route.
        words: int64[W, 3]: batch row, token index, group the word belongs to.
    """

    ids: Tensor
    labels: Tensor
    turn: Tensor
    position: Tensor
    groups: Tensor
    words: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Returns the rows on a device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Batch:
    """B pictures with their turns, and class names to be detected in them.

    Attributes:
        sight: what was seen of the pictures.
        rows: the packed turns.
        regions: R shapes in the order of their `<region>` slots, row by row.
        names: int64[N, U], class names as detection encodes them; padded.
        asked: int64[M, 2]: picture and name of each detection group, which follow the G groups.
        rois: float[S, 4], widened boxes in the canvas frame, one for each group routed to a mask or
            a pose, in their order.
        found: float[G, 5], the true boxes of each of the G groups, see `findings.summary`.
    """

    sight: Sight
    rows: Rows
    regions: Regions
    names: Tensor
    asked: Tensor
    rois: Tensor
    found: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Returns the batch on a device."""
        return type(self)(
            self.sight.map(lambda tensor: tensor.to(device)),
            self.rows.to(device),
            self.regions.to(device),
            self.names.to(device),
            self.asked.to(device),
            self.rois.to(device),
            self.found.to(device),
        )


@dataclass(frozen=True, slots=True)
class Boxes:
    """What the box decoder says of every phrase, last layer last (N layers, G groups, Q queries).

    Attributes:
        logits: float[N, G, Q].
        boxes: float[N, G, Q, 4], xyxy, canvas frame.
        class_logits: float[G, K], which of the trunk's classes the phrase means.
        states: float[G, Q, D], the last layer's object queries, for mask and key points.
        picture: int64[G].
        start: float[G, Q], the trunk's own score logits that the layers corrected.
    """

    logits: Tensor
    boxes: Tensor
    class_logits: Tensor
    states: Tensor
    picture: Tensor
    start: Tensor

    @property
    def agreed(self) -> Tensor:
        """The mean of the layers' logits, float[G, Q]: each was taught to decide by itself.

        The first is left out, if there are others: its queries have not yet seen what each other
        makes of the phrase.
        """
        return self.logits[1:].mean(0) if len(self.logits) > 1 else self.logits[0]

    def __getitem__(self, groups: slice) -> Boxes:
        """Returns some of the groups."""
        return Boxes(
            self.logits[:, groups],
            self.boxes[:, groups],
            self.class_logits[groups],
            self.states[groups],
            self.picture[groups],
            self.start[groups],
        )


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model says of a batch.

    Attributes:
        states: float[B, T, D], the language model's last states of the packed turns.
        boxes: groups of the turns, then groups of the names asked.
        word_boxes: float[W, 4], xyxy, canvas frame.
        masks: float[S1, 28, 28], mask logits over the boxes of the groups routed to a mask.
        joints: float[S2, 17, 2], canvas frame, for the groups routed to a pose.
        visible: float[S2, 17], logits.
    """

    states: Tensor
    boxes: Boxes
    word_boxes: Tensor
    masks: Tensor
    joints: Tensor
    visible: Tensor


def pack(rows: Sequence[Sequence[TokenRow]]) -> Rows:
    """Returns the turns of B pictures, packed and padded.

    Args:
        rows: for each picture its turns.
    """
    length = max(1, *(sum(len(turn.ids) for turn in turns) for turns in rows))
    ids = torch.full((len(rows), length), Special.PAD.id)
    labels = torch.full((len(rows), length), -100)
    turn_of = torch.full((len(rows), length), -1)
    position = torch.zeros(len(rows), length, dtype=torch.long)
    groups: list[tuple[int, int, int]] = []
    words: list[tuple[int, int, int]] = []
    for b, turns in enumerate(rows):
        start = 0
        for number, turn in enumerate(turns):
            end = start + len(turn.ids)
            ids[b, start:end] = torch.tensor(turn.ids)
            labels[b, start:end] = torch.tensor(turn.labels)
            turn_of[b, start:end] = number
            position[b, start:end] = torch.arange(end - start)
            group_of = {piece: len(groups) + i for i, (_, piece) in enumerate(turn.groups)}
            groups += [(b, start + t, _ROUTE_OF[turn.ids[t]]) for t, _ in turn.groups]
            words += [(b, start + t, group_of[piece]) for t, piece in turn.words]
            start = end
    return Rows(ids, labels, turn_of, position, _table(groups, 3), _table(words, 3))


def pad_names(names: Sequence[Sequence[int]]) -> Tensor:
    """Returns name rows padded on the left, so that all links stand at the end: int64[N, U]."""
    length = max((len(name) for name in names), default=0)
    rows = [[Special.PAD.id] * (length - len(name)) + list(name) for name in names]
    return torch.tensor(rows, dtype=torch.long).view(len(names), length)


def _table(rows: Sequence[Sequence[int]], columns: int) -> Tensor:
    return torch.tensor(rows, dtype=torch.long).view(-1, columns)
