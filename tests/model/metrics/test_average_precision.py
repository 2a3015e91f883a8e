from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from model.metrics import average_precision
from model.metrics.average_precision import detection, pose
from model.metrics.measures import Measure
from model.metrics.precision_resampling import by_threshold
from model.metrics.predictions import Prediction
from model.metrics.queries import Task
from model.records import LabelledObject, PictureFile, Record
from model.types import Answer, Box, Grounding, Keypoints, Phrase, Size

Pair = tuple[Record, Prediction]

NAMES = {"pets": ("cat", "dog")}
CAT, DOG = Box(0.1, 0.1, 0.5, 0.5), Box(0.5, 0.5, 0.9, 0.9)
FAR = Box(0.0, 0.9, 0.05, 1.0)


def _record(*objects: LabelledObject, name: str = "a", side: int = 100) -> Record:
    file = PictureFile(Path(), None, "a.png")
    return Record(name, Size(side, side), file, objects, label_space="pets", exhaustive=True)


def _found(record: Record, *boxes: tuple[str, Box, float]) -> tuple[Record, Prediction]:
    groundings = tuple(Grounding(Phrase(label), (box,), (score,)) for label, box, score in boxes)
    answer = Answer("", groundings)
    return record, Prediction((Task.DETECT, record.id, 0), [], True, answer)


def test_the_right_box_found_second_halves_the_precision() -> None:
    record = _record(LabelledObject("cat", CAT))
    found = detection([_found(record, ("cat", FAR, 0.9), ("cat", CAT, 0.8))], NAMES)
    assert found["AP"].value == pytest.approx(0.5)


def test_half_of_two_objects_found_is_half_up_to_interpolation() -> None:
    record = _record(LabelledObject("cat", CAT), LabelledObject("cat", DOG))
    found = detection([_found(record, ("cat", CAT, 0.9))], NAMES)
    assert found["AP"].value == pytest.approx(51 / 101)


def test_a_loose_box_counts_at_the_lower_thresholds_only() -> None:
    loose = Box(0.1, 0.1, 0.5, 0.375)  # IoU 0.275 / 0.4 = 0.6875: thresholds 0.50 to 0.65
    record = _record(LabelledObject("cat", CAT))
    found = detection([_found(record, ("cat", loose, 0.9))], NAMES)
    assert found["AP50"].value == pytest.approx(1)
    assert found["AP75"].value == 0
    assert found["AP"].value == pytest.approx(0.4)


def test_classes_count_alike_and_a_missing_prediction_finds_nothing() -> None:
    both = _record(LabelledObject("cat", CAT), LabelledObject("dog", DOG))
    found = detection([_found(both, ("cat", CAT, 0.9))], NAMES)
    assert found["AP"].value == pytest.approx(0.5)
    assert detection([(both, None)], NAMES)["AP"].value == 0


def test_the_wrong_name_and_unknown_names_find_nothing() -> None:
    record = _record(LabelledObject("cat", CAT))
    found = detection([_found(record, ("dog", CAT, 0.9), ("unicorn", CAT, 0.9))], NAMES)
    assert found["AP"].value == 0


def test_boxes_inside_a_crowd_are_neither_right_nor_wrong() -> None:
    crowd = LabelledObject("cat", DOG, crowd=True)
    record = _record(LabelledObject("cat", CAT), crowd)
    found = detection([_found(record, ("cat", DOG, 0.9), ("cat", CAT, 0.8))], NAMES)
    assert found["AP"].value == pytest.approx(1)
    assert found["AP"].count == 1


@pytest.mark.parametrize(("side", "size"), [(50, "small"), (100, "medium"), (300, "large")])
def test_size_classes_are_in_packed_pixels(side: int, size: str) -> None:
    record = _record(LabelledObject("cat", CAT), side=side)
    found = detection([_found(record, ("cat", CAT, 0.9))], NAMES)
    assert set(found) == {"AP", "AP50", "AP75", f"AP_{size}"}


def test_no_objects_at_all_measure_nothing() -> None:
    assert detection([_found(_record(), ("cat", CAT, 0.9))], NAMES) == {}


def _scattered() -> list[tuple[Record, Prediction]]:
    """Returns thirty pictures with up to five objects, found roughly, with false ones between."""
    chance = random.Random(3)

    def box() -> Box:
        x, y = chance.uniform(0, 0.7), chance.uniform(0, 0.7)
        return Box(x, y, x + chance.uniform(0.03, 0.3), y + chance.uniform(0.03, 0.3))

    def near(truth: Box) -> Box:
        return Box.parse(side + chance.gauss(0, 0.015) for side in truth.as_tuple())

    pairs = []
    for number in range(30):
        things = [
            LabelledObject(chance.choice(NAMES["pets"]), box(), crowd=chance.random() < 0.1)
            for _ in range(chance.randrange(6))
        ]
        guesses = [(t.label, near(t.box), chance.random()) for t in things if chance.random() < 0.8]
        guesses += [(chance.choice(NAMES["pets"]), box(), chance.random() * 0.8) for _ in range(9)]
        pairs.append(_found(_record(*things, name=str(number), side=500), *guesses))
    return pairs


def _resampled(
    monkeypatch: pytest.MonkeyPatch, pairs: Sequence[Pair], weights: Sequence[int]
) -> tuple[dict[str, Measure], dict[int, np.ndarray]]:
    """Returns the measures, and AP[T] of the one given resample for each area range."""
    seen: dict[int, np.ndarray] = {}

    def keep(evaluation: COCOeval, size: int, drawn: np.ndarray) -> np.ndarray:
        resampled = by_threshold(evaluation, size, drawn)
        seen[size] = resampled[0]
        return resampled

    monkeypatch.setattr(average_precision, "resamples", lambda *_: np.array([weights]))
    monkeypatch.setattr(average_precision, "by_threshold", keep)
    return detection(pairs, NAMES), seen


def test_every_picture_once_gives_the_value_of_pycocotools(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = _scattered()
    found, seen = _resampled(monkeypatch, pairs, [1] * len(pairs))
    assert 0.05 < found["AP"].value < 0.95
    assert seen[0].mean() == pytest.approx(found["AP"].value, abs=1e-12)
    assert seen[0][0] == pytest.approx(found["AP50"].value, abs=1e-12)
    assert seen[0][5] == pytest.approx(found["AP75"].value, abs=1e-12)
    for size, label in enumerate(("small", "medium", "large"), 1):
        assert seen[size].mean() == pytest.approx(found[f"AP_{label}"].value, abs=1e-12)


def test_a_picture_drawn_twice_is_the_picture_written_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = _scattered()
    weights = [i % 4 for i in range(len(pairs))]
    written = [pair for pair, count in zip(pairs, weights, strict=True) for _ in range(count)]
    found = detection(written, NAMES)
    _, seen = _resampled(monkeypatch, pairs, weights)
    assert found["AP"].value == pytest.approx(seen[0].mean(), abs=1e-12)
    assert found["AP_large"].value == pytest.approx(seen[3].mean(), abs=1e-12)


def test_the_interval_holds_the_value_and_is_wider_with_fewer_pictures() -> None:
    pairs = _scattered()
    many, few = (detection(some, NAMES)["AP50"] for some in (pairs, pairs[:6]))
    assert many.low < many.value < many.high
    assert few.high - few.low > many.high - many.low


def _joints(dx: float = 0.0) -> Keypoints:
    return Keypoints(tuple((0.2 + 0.03 * i + dx, 0.2 + 0.03 * i, 2.0) for i in range(17)))


def _posed(record: Record, keypoints: Keypoints, score: float = 0.9) -> Prediction:
    poses = ((score, keypoints.points),)
    return Prediction((Task.POSE, record.id, 0), {}, True, Answer(""), poses=poses)


def test_poses_by_how_far_the_joints_are_off() -> None:
    person = LabelledObject("person", Box(0.1, 0.1, 0.9, 0.9), keypoints=_joints())
    record = _record(person, side=200)
    assert pose([(record, person, _posed(record, _joints()))])["AP"].value == pytest.approx(1)
    slightly = pose([(record, person, _posed(record, _joints(0.02)))])
    assert 0 < slightly["AP"].value < slightly["AP50"].value
    assert pose([(record, person, _posed(record, _joints(0.3)))])["AP"].value == 0
    assert pose([(record, person, None)])["AP"].value == 0


def test_unlabelled_joints_do_not_count() -> None:
    places = _joints().points
    half = Keypoints(tuple((x, y, v if i < 8 else 0) for i, (x, y, v) in enumerate(places)))
    moved = Keypoints(tuple((x if i < 8 else 1 - x, y, v) for i, (x, y, v) in enumerate(places)))
    person = LabelledObject("person", Box(0.1, 0.1, 0.9, 0.9), keypoints=half)
    record = _record(person, side=200)
    assert pose([(record, person, _posed(record, moved))])["AP"].value == pytest.approx(1)
