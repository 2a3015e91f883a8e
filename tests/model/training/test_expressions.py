from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from model.records import Expression, LabelledObject, Record, read_records
from model.training.expressions import MEANING, WAYS, expressions, vary
from model.training.mirror import mirrored
from model.types import Box
from tests.model.training import park

SEEDS = range(200)


def _dogs(*places: tuple[float, float, float]) -> Record:
    """Returns a picture of dogs with these centres and sides."""
    boxes = (Box(x - a / 2, y - a / 2, x + a / 2, y + a / 2) for x, y, a in places)
    things = tuple(LabelledObject("dog", box) for box in boxes)
    return park.record(objects=things, grounded=(), refs=())


def _said(record: Record) -> dict[str, int]:
    return {made.text: made.object for made in expressions(record)}


THREE = _dogs((0.8, 0.5, 0.1), (0.2, 0.2, 0.3), (0.5, 0.8, 0.1))


def test_three_dogs_are_told_apart_by_place_row_and_size() -> None:
    assert _said(THREE) == {
        "the leftmost dog": 1,
        "the rightmost dog": 0,
        "middle dog": 2,
        "second dog from the left": 2,
        "second dog from the right": 2,
        "the dog at the top": 1,
        "the dog at the bottom": 2,
        "the largest dog": 1,
    }
    assert {e.text: e.kind for e in expressions(THREE)}["second dog from the left"] == "ordinal"


def test_in_the_mirror_the_other_side_comes_first() -> None:
    flipped = _said(mirrored(THREE))
    assert flipped["the leftmost dog"] == 0
    assert flipped["the rightmost dog"] == 1
    four = mirrored(_dogs(*((x, 0.5, 0.1) for x in (0.1, 0.3, 0.5, 0.7))))
    said = _said(four)
    assert [said[f"{w} dog from the left"] for w in ("second", "third")] == [2, 1]
    assert [said[f"{w} dog from the right"] for w in ("second", "third")] == [1, 2]


@pytest.mark.parametrize(
    ("places", "unclear"),
    [
        (((0.2, 0.5, 0.1), (0.27, 0.5, 0.1)), ("left", "right", "top", "bottom", "largest")),
        (((0.2, 0.5, 0.1), (0.5, 0.64, 0.1)), ("top", "bottom")),
        (((0.2, 0.5, 0.1), (0.5, 0.5, 0.13)), ("largest", "smallest")),
        (((0.2, 0.5, 0.1), (0.5, 0.5, 0.15)), ("smallest",)),
        (((0.2, 0.5, 0.1), (0.25, 0.5, 0.1), (0.5, 0.5, 0.1)), ("second", "middle", "leftmost")),
        (((0.2, 0.5, 0.1), (0.5, 0.5, 0.03)), ("right", "smallest")),
    ],
)
def test_what_is_nearly_the_same_is_not_told_apart(
    places: Sequence[tuple[float, float, float]], unclear: Sequence[str]
) -> None:
    assert not [t for t in _said(_dogs(*places)) if any(word in t for word in unclear)]


def test_only_a_class_that_is_boxed_wholly_is_told_apart() -> None:
    assert not expressions(replace(THREE, exhaustive=False))
    crowd = LabelledObject("dog", Box(0, 0, 1, 0.1), crowd=True)
    assert not expressions(replace(THREE, objects=(*THREE.objects, crowd)))
    assert not expressions(replace(THREE, objects=THREE.objects[:1]))
    assert not expressions(_dogs(*((0.1 + 0.15 * i, 0.5, 0.1) for i in range(6))))
    assert not any("largest" in text for text in _said(replace(THREE, stretched=True)))


def test_no_words_mean_two_things() -> None:
    assert len(MEANING) == sum(len(set(ways)) for ways in WAYS.values())
    assert all(way.count("{}") == 1 for way in MEANING)


def test_other_words_mean_the_same() -> None:
    for made in expressions(THREE):
        said = {vary(made, "dog", Random(seed)) for seed in SEEDS}
        meanings = {MEANING[text.replace("dog", "{}")] for text in said}
        assert len(meanings) == 1
        assert said == {way.format("dog") for way in WAYS[meanings.pop()]}
    beside = Expression("the dog next to the cat", 0, "relation")
    assert "the dog beside the cat" in {vary(beside, "dog", Random(seed)) for seed in SEEDS}


def test_people_s_own_words_stay() -> None:
    for text in ("the dog in black", "the dog closest to the camera", "the hot dog"):
        for kind in ("caption", "size", "colour_auto"):
            assert {vary(Expression(text, 0, kind), "dog", Random(s)) for s in SEEDS} == {text}


@pytest.mark.shared
def test_the_same_words_mean_what_they_mean_in_the_records(shared: Path) -> None:
    same = dict.fromkeys(("position", "size", "ordinal"), 0)
    for record in read_records(shared / "data" / "photos" / "coco-train.jsonl.gz"):
        label = {i: thing.label for i, thing in enumerate(record.objects)}

        def meaning(ref: Expression, label: dict[int, str] = label) -> tuple[str, str | None]:
            name = label[ref.object]
            return name, MEANING.get(ref.text.replace(name, "{}", 1))

        made = {meaning(ref): ref for ref in expressions(record)}
        for ref in record.refs:
            if ref.kind in same and meaning(ref) in made:
                assert made[meaning(ref)].object == ref.object, (record.id, ref.text)
                same[ref.kind] += 1
    assert min(same.values()) > 300
