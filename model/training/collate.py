"""Turns to tensors, with the same tokens, regions and frames that serving uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Batch, pack, pad_names
from model.config import ModelConfig
from model.coordinates import Bins
from model.dialogue import dialogue_row, kept_groundings, routed
from model.findings import summary
from model.mask_head import MASK_SIDE, crop
from model.mechanisms import asking_for
from model.pose_head import NUM_JOINTS
from model.preprocess import Letterbox
from model.regions import draw
from model.roi import widened
from model.tokens import TokenRow, Vocabulary
from model.training.targets import Targets, pad_boxes
from model.training.wording import NOT_PRESENT
from model.types import Answer, Box, Finish, Grounding, Phrase, Shape, Size, Turn
from model.vision import Sight


@dataclass(frozen=True, slots=True)
class Lesson:
    """One visit to a picture.

    Attributes:
        size: of the picture.
        turns: each a conversation of its own.
        names: class names to detect, with all their boxes.
        talks: conversations of several turns, of which the later see the earlier.
    """

    size: Size
    turns: Sequence[Turn]
    names: Sequence[tuple[str, Sequence[Box]]]
    talks: Sequence[Sequence[Turn]] = ()


class Collator:
    """Lessons about B pictures, and what was seen of them, to a batch and its targets."""

    def __init__(self, vocabulary: Vocabulary, config: ModelConfig) -> None:
        self._vocabulary = vocabulary
        self._config = config
        self._class_of = {name: number for number, name in enumerate(config.classes)}

    @property
    def sides(self) -> tuple[int, ...]:
        """Of the canvases on which the pictures of its lessons are looked at."""
        return self._config.trunk.sides

    def __call__(self, lessons: Sequence[Lesson], sight: Sight) -> tuple[Batch, Targets]:
        """Returns the batch and its targets; what would not fit is left out."""
        config = self._config
        letterboxes = [Letterbox.fit(lesson.size, config.trunk.sides[0]) for lesson in lessons]
        truth = _Truth(self._class_of, grouped=config.mechanism != "coordinates")
        rows: list[list[TokenRow]] = []
        shapes: list[tuple[Shape, int]] = []
        for number, (lesson, letterbox) in enumerate(zip(lessons, letterboxes, strict=True)):
            rows.append([])
            budget = config.language.max_length
            alone = [*lesson.turns, *self._names_as_turns(lesson)]
            for turns in (*lesson.talks, *((turn,) for turn in alone)):
                row, slots = dialogue_row(
                    turns, self._vocabulary, config.decoder, write=self._writer(letterbox)
                )
                if budget < len(row.ids):
                    break
                budget -= len(row.ids)
                rows[-1].append(row)
                shapes += [(shape, number) for shape in slots]
                truth.add_turns(turns, row, letterbox)
        names: dict[str, int] = {}
        asked: list[tuple[int, int]] = []
        for number, (lesson, letterbox) in enumerate(zip(lessons, letterboxes, strict=True)):
            for name, boxes in lesson.names if config.mechanism == "queries" else ():
                asked.append((number, names.setdefault(name, len(names))))
                truth.add_name(name, boxes, letterbox)
        regions = draw(
            [shape for shape, _ in shapes],
            [letterboxes[number] for _, number in shapes],
            [number for _, number in shapes],
            config.trunk.sides[0] // 16,
        )
        links = config.decoder.num_links
        tokens = pad_names([self._vocabulary.name(name, links) for name in names])
        table = torch.tensor(asked, dtype=torch.long).view(-1, 2)
        batch = Batch(sight, pack(rows), regions, tokens, table, truth.rois(), truth.found())
        return batch, truth.targets()

    def _names_as_turns(self, lesson: Lesson) -> list[Turn]:
        """Returns the names to detect as questions, for mechanisms that can do nothing else."""
        if self._config.mechanism == "queries":
            return []
        turns = []
        for name, boxes in lesson.names:
            question, words = asking_for(name)
            phrase = Phrase(words, 0, len(words))
            found = Grounding(phrase, tuple(boxes), (1.0,) * len(boxes))
            absent = Answer(NOT_PRESENT, finish=Finish.ABSENT)
            turns.append(Turn(question, Answer(words, (found,)) if boxes else absent))
        return turns

    def _writer(self, letterbox: Letterbox) -> Callable[[Sequence[Box]], list[int]] | None:
        """Returns what writes boxes of a picture as text, if that is how phrases are located."""
        if self._config.mechanism != "coordinates":
            return None
        bins = Bins.of(self._config.language)
        return lambda boxes: bins.write(letterbox.to_canvas(as_tensor(boxes)))


class _Truth:
    """Gathers the targets of the groups in the order in which the batch has them."""

    def __init__(self, class_of: dict[str, int], *, grouped: bool) -> None:
        self._class_of, self._grouped = class_of, grouped
        self._turn_boxes: list[Tensor] = []
        self._turn_classes: list[int] = []
        self._name_boxes: list[Tensor] = []
        self._name_classes: list[int] = []
        self._words: list[Tensor] = []
        self._rois: list[Tensor] = []
        self._masks: list[Tensor] = []
        self._joints: list[Tensor] = []
        self._person_sizes: list[Tensor] = []

    def add_turns(self, turns: Sequence[Turn], row: TokenRow, letterbox: Letterbox) -> None:
        for turn in turns:
            for grounding in kept_groundings(turn.answer):
                if grounding.masks or grounding.keypoints:
                    self._draw_inside(grounding, turn, letterbox)
        groundings = routed(turns, as_text=not self._grouped)
        in_canvas = [letterbox.to_canvas(as_tensor(g.boxes)) for g in groundings]
        self._turn_boxes += in_canvas
        self._turn_classes += [self._class_of.get(g.phrase.text.lower(), -100) for g in groundings]
        piece_to_group = {piece: i for i, (_, piece) in enumerate(row.groups)}
        for _, piece in row.words:
            boxes = in_canvas[piece_to_group[piece]]
            self._words.append(torch.cat([boxes[:, :2].amin(0), boxes[:, 2:].amax(0)]))

    def _draw_inside(self, grounding: Grounding, turn: Turn, letterbox: Letterbox) -> None:
        shape = turn.regions[0].shape if turn.regions else None
        box = shape if isinstance(shape, Box) else grounding.boxes[0]
        roi = widened(letterbox.to_canvas(as_tensor([box])))[0]
        self._rois.append(roi)
        if grounding.masks:
            self._masks.append(crop(grounding.masks[0], roi, letterbox))
        else:
            joints = torch.tensor(grounding.keypoints[0].points)
            joints[:, :2] = letterbox.to_canvas(joints[:, :2])
            self._joints.append(joints)
            true = letterbox.to_canvas(as_tensor(grounding.boxes[:1]))[0]
            self._person_sizes.append(true[2:] - true[:2])

    def rois(self) -> Tensor:
        return torch.stack(self._rois) if self._rois else torch.zeros(0, 4)

    def found(self) -> Tensor:
        return _stack([summary(boxes) for boxes in self._turn_boxes], 5)

    def add_name(self, name: str, boxes: Sequence[Box], letterbox: Letterbox) -> None:
        self._name_boxes.append(letterbox.to_canvas(as_tensor(boxes)))
        self._name_classes.append(self._class_of.get(name, -100))

    def targets(self) -> Targets:
        boxes, real = pad_boxes([*self._turn_boxes, *self._name_boxes])
        expression = torch.zeros(len(boxes), dtype=torch.bool)
        expression[: len(self._turn_boxes)] = True
        words = torch.stack(self._words) if self._words else torch.zeros(0, 4)
        classes = torch.tensor([*self._turn_classes, *self._name_classes], dtype=torch.long)
        return Targets(
            boxes, real, classes, expression, words,
            masks=_stack(self._masks, MASK_SIDE, MASK_SIDE),
            joints=_stack(self._joints, NUM_JOINTS, 3),
            person_size=_stack(self._person_sizes, 2),
        )  # fmt: skip


def _stack(rows: Sequence[Tensor], *shape: int) -> Tensor:
    return torch.stack(list(rows)) if rows else torch.zeros(0, *shape)


def as_tensor(boxes: Sequence[Box]) -> Tensor:
    """Returns boxes as float[N, 4] in the unit frame."""
    return torch.tensor([box.as_tuple() for box in boxes]).view(-1, 4)
