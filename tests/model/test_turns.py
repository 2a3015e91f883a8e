from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from model import turns
from model.errors import DeixisError, RecordError, RegionError
from model.types import (
    Answer,
    Box,
    Example,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Point,
    Points,
    Region,
    Scribble,
    Shape,
    Size,
    Turn,
    WordBox,
)

units = st.floats(0, 1)
texts = st.text(max_size=8)
five_digits = st.integers(0, 100_000).map(lambda number: number / 100_000)


@st.composite
def boxes(draw: st.DrawFn, sides: st.SearchStrategy[float] = five_digits) -> Box:
    x0, x1 = sorted(draw(st.lists(sides, min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(sides, min_size=2, max_size=2, unique=True)))
    return Box(x0, y0, x1, y1)


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    height, width = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    pixels = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return Mask(np.array(pixels).reshape(height, width))


points = st.builds(Point, units, units, st.booleans())
shapes = st.one_of(
    boxes(units),
    masks(),
    st.builds(
        lambda first, rest: Points((Point(first.x, first.y), *rest)),
        points,
        st.lists(points, max_size=3),
    ),
    st.builds(
        Scribble, st.lists(st.tuples(units, units), min_size=2, max_size=5).map(tuple), units
    ),
)


@st.composite
def phrases(draw: st.DrawFn) -> Phrase:
    if draw(st.booleans()):
        return Phrase(draw(texts))
    start = draw(st.integers(0, 9))
    return Phrase(draw(texts), start, start + draw(st.integers(0, 9)))


@st.composite
def groundings(draw: st.DrawFn) -> Grounding:
    several = tuple(draw(st.lists(boxes(), max_size=3)))

    def each(values: st.SearchStrategy[Any]) -> tuple[Any, ...]:
        return tuple(draw(values) for _ in several)

    joints = st.lists(st.tuples(five_digits, five_digits, five_digits), max_size=3)
    return Grounding(
        draw(phrases()),
        several,
        each(five_digits),
        each(masks()) if draw(st.booleans()) else (),
        each(joints.map(lambda pose: Keypoints(tuple(pose)))) if draw(st.booleans()) else (),
    )


answers = st.builds(
    Answer,
    texts,
    st.lists(groundings(), max_size=3).map(tuple),
    st.lists(st.builds(WordBox, phrases(), boxes()), max_size=2).map(tuple),
    st.sampled_from(Finish),
)
regions = st.lists(shapes, max_size=3).map(
    lambda several: tuple(Region(f"@{n}", shape) for n, shape in enumerate(several, 1))
)
examples = st.builds(
    Example,
    texts,
    st.builds(Size, st.integers(1, 9999), st.integers(1, 9999)),
    st.lists(st.builds(Turn, texts, answers, regions), max_size=3).map(tuple),
)


def through_json(value: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(value, allow_nan=False))


@given(examples)
def test_an_example_survives_json(example: Example) -> None:
    assert turns.example_from_json(through_json(turns.example_to_json(example))) == example


@given(shapes)
def test_a_shape_survives_json_exactly(shape: Shape) -> None:
    assert turns.shape_from_json(through_json(turns.shape_to_json(shape))) == shape


@given(boxes(units))
def test_a_box_of_an_answer_moves_by_rounding_only(box: Box) -> None:
    grounding = Grounding(Phrase("it"), (box,), (0.5,))
    back = turns.grounding_from_json(through_json(turns.grounding_to_json(grounding))).boxes[0]
    assert back.as_tuple() == pytest.approx(box.as_tuple(), abs=5.1e-6)


@given(masks())
def test_run_lengths_are_those_of_coco(mask: Mask) -> None:
    rle = turns.mask_to_rle(mask)
    height, width = mask.pixels.shape
    packed = coco.frPyObjects({"size": [height, width], "counts": rle["counts"]}, height, width)
    assert np.array_equal(coco.decode(packed).astype(bool), mask.pixels)
    assert turns.mask_from_rle(through_json(rle)) == mask


def test_the_worked_example_of_run_lengths() -> None:
    rle = {"size": [2, 2], "counts": [1, 3]}
    assert turns.mask_to_rle(Mask(np.array([[False, True], [True, True]]))) == rle
    assert turns.mask_to_rle(Mask(np.ones((1, 2), bool))) == {"size": [1, 2], "counts": [0, 2]}


@pytest.mark.parametrize(
    "rle",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": [[4]]},
        {"size": [2, 2], "counts": "PPYo0"},
        {"size": [2, 2], "counts": [2**62, 2**62, 2**62, 2**62, 4]},
        {"size": [2, 2], "counts": [10**30]},
        {"size": [0, 0], "counts": []},
        {"size": [-2, -2], "counts": [4]},
        {"size": [4], "counts": [4]},
        {"size": [2, None], "counts": [4]},
        {"size": [10**6, 10**6], "counts": [10**12]},
    ],
)
def test_run_lengths_that_are_no_mask_are_refused(rle: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="mask"):
        turns.mask_from_rle(rle)
    with pytest.raises(RegionError):
        turns.shape_from_json({"mask": rle})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"circle": [0, 0, 1]},
        {"box": [0, 0, 1]},
        {"box": None},
        {"box": [float("nan"), 0, 1, 1]},
        {"box": [10**400, 0, 1, 1]},
        {"points": []},
        {"points": [[0, 0]]},
        {"points": [[0, 2, 1]]},
        {"points": 3},
        {"scribble": [[0, 0]]},
        {"scribble": [[0, 0], [1, 1]], "width": "thick"},
        {"scribble": [[0, 0], [1, 1]], "width": -1},
        {"mask": None},
    ],
)
def test_what_is_no_shape_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(RegionError):
        turns.shape_from_json(value)


def test_a_loose_box_of_a_region_is_ordered_and_clipped() -> None:
    assert turns.shape_from_json({"box": [0.9, 2, 0.1, -1]}) == Box(0.1, 0, 0.9, 1)


def whole() -> dict[str, Any]:
    answer = Answer("a dog", (Grounding(Phrase("a dog", 0, 5), (Box(0, 0, 1, 1),), (0.5,)),))
    turn = Turn("what is @1?", answer, (Region("@1", Box(0, 0, 0.5, 0.5)),))
    return turns.example_to_json(Example("dog.jpg", Size(4, 3), (turn,)))


@pytest.mark.parametrize("key", ["picture", "width", "height", "turns"])
def test_a_missing_field_of_an_example_is_named(key: str) -> None:
    value = whole()
    del value[key]
    with pytest.raises(RecordError, match=key):
        turns.example_from_json(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", 0), ("width", "wide"), ("turns", None), ("turns", [3]), ("turns", 3)],
)
def test_an_invalid_field_of_an_example_is_refused(key: str, value: Any) -> None:
    with pytest.raises(RecordError, match=r"dog\.jpg"):
        turns.example_from_json(whole() | {key: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Ways to every node below `value`."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, inner in steps:
        found.append((key,))
        if isinstance(inner, dict | list):
            found += [(key, *rest) for rest in paths(inner)]
    return found


@given(st.sampled_from(paths(whole())), json_values)
def test_any_damage_to_an_example_is_read_or_refused(path: tuple[Any, ...], damage: Any) -> None:
    value = node = whole()
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = damage
    try:
        read = turns.example_from_json(value)
    except DeixisError:
        return
    assert isinstance(read, Example)


@given(json_values)
def test_anything_else_is_no_example(value: Any) -> None:
    with pytest.raises(RecordError):
        turns.example_from_json(value)
