"""COCO average precision of boxes and of persons' key points, by pycocotools, with intervals.

The values are pycocotools' own; `precision_resampling` adds how sure they are.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.metrics.bootstrap import measure, resamples
from model.metrics.measures import Measure
from model.metrics.precision_resampling import by_threshold, num_truths
from model.metrics.predictions import Prediction
from model.records import Json, LabelledObject, Record
from model.types import Box, Size

REPLICATES = 200
PERSON_FILL = 0.51
"""Share of a person's box inside the outline: mean of 2,080 persons with polygons."""

_ALL = slice(None)
_MEASURES = {"AP": _ALL, "AP50": slice(0, 1), "AP75": slice(5, 6)}
"""Which of the ten IoU thresholds each measure is the mean of."""

Kind = Literal["bbox", "keypoints"]
Pairs = Sequence[tuple[Record, Prediction | None]]


def detection(pairs: Pairs, names: Mapping[str, Sequence[str]]) -> dict[str, Measure]:
    """Returns AP, AP50, AP75 and AP by size of detected boxes.

    Args:
        pairs: each record with its prediction, or None if there is none.
        names: the class names of each label space, see `records.class_names`; boxes of other names
            are left out.
    """
    spaces = {record.label_space for record, _ in pairs}
    known = sorted({name for space in spaces for name in names[space]})
    categories = {name: number for number, name in enumerate(known, 1)}
    truths: list[Json] = []
    found: list[Json] = []
    for number, (record, prediction) in enumerate(pairs, 1):
        for thing in record.objects:
            if thing.label in categories:
                truths.append(_truth(thing, record.size, number, categories[thing.label]))
        for grounding in prediction.answer.groundings if prediction else ():
            if grounding.phrase.text in names[record.label_space]:
                category = categories[grounding.phrase.text]
                for box, score in zip(grounding.boxes, grounding.scores, strict=True):
                    found.append(_found(box, record.size, number, category) | {"score": score})
    return _scores("bbox", len(pairs), list(categories.values()), truths, found)


def pose(pairs: Sequence[tuple[Record, LabelledObject, Prediction | None]]) -> dict[str, Measure]:
    """Returns OKS-AP of key points, one prediction for each person asked for."""
    numbers: dict[str, int] = {}
    truths: list[Json] = []
    found: list[Json] = []
    for record, person, prediction in pairs:
        number = numbers.setdefault(record.id, len(numbers) + 1)
        truths.append(_person(person, record.size, number))
        if prediction and prediction.poses:
            score, joints = max(prediction.poses)
            flat = _pixels(joints, record.size)
            xs, ys = flat[0::3], flat[1::3]
            sides = max(xs) - min(xs), max(ys) - min(ys)
            pose_found = {"image_id": number, "category_id": 1, "keypoints": flat, "score": score}
            box = {"bbox": [min(xs), min(ys), *sides], "area": sides[0] * sides[1], "iscrowd": 0}
            found.append(pose_found | box)
    return _scores("keypoints", len(numbers), [1], truths, found)


def _bbox(box: Box, size: Size) -> list[float]:
    """Returns a box as COCO writes it: x, y, width, height in pixels."""
    width, height = size.width, size.height
    sides = (box.x1 - box.x0) * width, (box.y1 - box.y0) * height
    return [box.x0 * width, box.y0 * height, *sides]


def _found(box: Box, size: Size, number: int, category: int) -> Json:
    bbox = _bbox(box, size)
    area = bbox[2] * bbox[3]
    placed = {"bbox": bbox, "area": area, "iscrowd": 0}
    return {"image_id": number, "category_id": category, **placed}


def _truth(thing: LabelledObject, size: Size, number: int, category: int) -> Json:
    return _found(thing.box, size, number, category) | {"iscrowd": int(thing.crowd)}


def _pixels(joints: Sequence[tuple[float, float, float]], size: Size) -> list[float]:
    return [n for x, y, v in joints for n in (x * size.width, y * size.height, v)]


def _person(person: LabelledObject, size: Size, number: int) -> Json:
    assert person.keypoints is not None
    truth = _found(person.box, size, number, 1)
    if person.polygons:
        rle = coco_mask.encode(np.asfortranarray(person.mask(size).pixels.astype(np.uint8)))
        truth["area"] = float(coco_mask.area(rle))
    else:
        truth["area"] *= PERSON_FILL
    labelled = sum(v > 0 for _, _, v in person.keypoints.points)
    joints = _pixels(person.keypoints.points, size)
    return truth | {"keypoints": joints, "num_keypoints": labelled}


def _scores(
    kind: Kind, num_pictures: int, categories: list[int], truths: list[Json], found: list[Json]
) -> dict[str, Measure]:
    if not truths:
        return {}
    evaluation = _evaluate(kind, num_pictures, categories, truths, found)
    precision = evaluation.eval["precision"][..., -1]
    weights = resamples(num_pictures, REPLICATES)
    out: dict[str, Measure] = {}
    for size, label in enumerate(evaluation.params.areaRngLbl):
        count = num_truths(evaluation, size)
        if not count:
            continue
        resampled = by_threshold(evaluation, size, weights)
        for name, thresholds in _MEASURES.items() if size == 0 else [(f"AP_{label}", _ALL)]:
            # pycocotools marks categories without a truth by -1.
            known = precision[thresholds, :, :, size]
            value = float(known[known > -1].mean())
            out[name] = measure(value, resampled[:, thresholds].mean(1), count)
    return out


def _evaluate(
    kind: Kind, num_pictures: int, categories: list[int], truths: list[Json], found: list[Json]
) -> COCOeval:
    # Its progress is printed to stdout, which belongs to our own table.
    with contextlib.redirect_stdout(io.StringIO()):
        wanted = _coco(num_pictures, categories, truths)
        evaluation = COCOeval(wanted, _coco(num_pictures, categories, found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _coco(num_pictures: int, categories: list[int], boxes: list[Json]) -> COCO:
    coco: Any = COCO()
    # Ids begin at 1: pycocotools takes the id 0 of a match for none.
    coco.dataset = {
        "images": [{"id": number} for number in range(1, num_pictures + 1)],
        "categories": [{"id": category} for category in categories],
        "annotations": [box | {"id": number} for number, box in enumerate(boxes, 1)],
    }
    coco.createIndex()
    return coco
