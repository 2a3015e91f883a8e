"""Are the boxes and masks where they should be: expressions, phrases, words, clicks, masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.errors import RecordError
from model.metrics.bootstrap import Values, mean
from model.metrics.items import Item
from model.metrics.measures import Measure
from model.records import GroundedPhrase, Json
from model.turns import mask_from_rle
from model.types import Box, Size

Pixels = NDArray[np.bool_]

HIT = 0.5
"""IoU from which a box is right."""


def iou(a: Box, b: Box) -> float:
    """Returns the intersection over union of two boxes; no tensors, as it is one pair at a time."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    inside = max(width, 0.0) * max(height, 0.0)
    return inside / (a.area + b.area - inside)


def nearest_iou(box: Box | None, truths: Sequence[Box]) -> float:
    """Returns the largest IoU of a box with any of the truths; 0 without a box."""
    return max((iou(box, truth) for truth in truths), default=0.0) if box else 0.0


def is_hit(box: Box | None, truths: Sequence[Box]) -> float:
    """Returns 1.0 if a box overlaps any of the truths by IoU 0.5 or more, else 0.0."""
    return float(nearest_iou(box, truths) >= HIT)


def expressions(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns accuracy at IoU 0.5, overall and by kind of expression, and boxes an expression."""
    overlaps: Values = []
    hits: Values = []
    kinds: dict[str, Values] = {}
    for item in items:
        expression = item.record.refs[item.query.index]
        overlap = nearest_iou(item.best_box, [item.record.objects[expression.object].box])
        overlaps.append((item.record.id, overlap))
        hits.append((item.record.id, float(overlap >= HIT)))
        kinds.setdefault(expression.kind, []).append(hits[-1])
    answered = [(i.record.id, i.prediction, i.boxes) for i in items if i.prediction]
    boxes = [(picture, float(len(found))) for picture, _, found in answered]
    absent = [(picture, float(not prediction.present)) for picture, prediction, _ in answered]
    return {
        "acc50": mean(hits),
        **{f"acc50_{kind}": mean(of_kind) for kind, of_kind in sorted(kinds.items())},
        "mean_iou": mean(overlaps),
        "boxes_per_expression": mean(boxes, share=False),
        "said_absent": mean(absent),
    }


def phrases(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns recall of phrases by their best box and, if words have boxes, their mean IoU."""
    hits: Values = []
    words: Values = []
    for item in items:
        for phrase in item.record.grounded:
            if phrase.caption == item.query.index:
                truths = [item.record.objects[i].box for i in phrase.objects]
                hits.append((item.record.id, is_hit(_box_of(item, phrase), truths)))
                for box in _words_inside(item, phrase):
                    words.append((item.record.id, nearest_iou(box, truths)))
    return {"recall1": mean(hits)} | ({"word_iou": mean(words)} if words else {})


def _box_of(item: Item, phrase: GroundedPhrase) -> Box | None:
    for grounding in item.prediction.answer.groundings if item.prediction else ():
        if (grounding.phrase.start, grounding.phrase.end) == (phrase.start, phrase.end):
            return grounding.boxes[0] if grounding.boxes else None
    return None


def _words_inside(item: Item, phrase: GroundedPhrase) -> Iterator[Box]:
    for word in item.prediction.answer.word_boxes if item.prediction else ():
        start, end = word.phrase.start or 0, word.phrase.end or 0
        if phrase.start <= start < end <= phrase.end:
            yield word.box


def clicks(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns how well the box of what was clicked fits the object."""
    overlaps = [(i.record.id, nearest_iou(i.best_box, [i.thing.box])) for i in items]
    hits = [(picture, float(overlap >= HIT)) for picture, overlap in overlaps]
    return {"box_iou": mean(overlaps), "box_acc50": mean(hits)}


def masks(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns the mean IoU of masks, and what the asked box itself would reach."""
    found: Values = []
    trivial: Values = []
    for item in items:
        size = item.record.size
        truth = item.thing.mask(size).pixels
        predicted = item.prediction.masks if item.prediction else ()
        found.append((item.record.id, _mask_iou(_pixels(predicted, size), truth)))
        trivial.append((item.record.id, _mask_iou(_filled(item.thing.box, size), truth)))
    return {"mean_iou": mean(found), "mean_iou_of_box": mean(trivial)}


def _mask_iou(found: Pixels, truth: Pixels) -> float:
    union = (found | truth).sum()
    return float((found & truth).sum() / union) if union else 0.0


def _pixels(masks: Sequence[Json], size: Size) -> Pixels:
    """Returns the first mask as bool[H, W]; empty if it is broken or of another size."""
    try:
        # The size first: run lengths of a huge mask would fill the memory.
        if masks and list(masks[0]["size"]) == [size.height, size.width]:
            return mask_from_rle(masks[0]).pixels
    except (RecordError, KeyError, TypeError, ValueError, OverflowError):
        pass
    return np.zeros((size.height, size.width), dtype=bool)


def _filled(box: Box, size: Size) -> Pixels:
    pixels = np.zeros((size.height, size.width), dtype=bool)
    x0, y0, x1, y1 = np.multiply(box.as_tuple(), [size.width, size.height] * 2).round().astype(int)
    pixels[y0:y1, x0:x1] = True
    return pixels
