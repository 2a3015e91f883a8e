from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tokens import REGION_NAME
from model.training import wording
from model.training.wording import mentions_side, swap_sides

WAYS = {name: ways for name, ways in vars(wording).items() if isinstance(ways, tuple)}
FIRST = [name for name in WAYS if not name.startswith("FOLLOW")]
SIDES = ("left", "right", "leftmost", "rightmost", "Left", "lefty", "upright", "a", "dog", ",", "-")


@pytest.mark.parametrize("name", FIRST)
def test_every_task_can_be_asked_in_ten_ways(name: str) -> None:
    assert len(set(WAYS[name])) == len(WAYS[name]) >= 10


@pytest.mark.parametrize("name", WAYS)
def test_the_ways_of_a_task_leave_the_same_places_open(name: str) -> None:
    def places(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}

    def regions(text: str) -> set[str]:
        return set(REGION_NAME.findall(text))

    assert len({frozenset(places(text)) for text in WAYS[name]}) == 1
    if name not in ("OFF_TOPIC",) and not name.startswith("FOLLOW"):
        assert len({frozenset(regions(text)) for text in WAYS[name]}) == 1


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("the dog on the left", "the dog on the right"),
        ("the leftmost of two", "the rightmost of two"),
        ("left of the right-hand cup", "right of the left-hand cup"),
        ("the second cat from the Right", "the second cat from the left"),
        ("leftover rice, upright", "leftover rice, upright"),
    ],
)
def test_sides_change_places(text: str, mirrored: str) -> None:
    assert swap_sides(text) == mirrored
    assert mentions_side(text) == (mirrored != text)


@given(st.lists(st.sampled_from(SIDES)).map(" ".join))
def test_swapping_twice_is_nothing(text: str) -> None:
    assert swap_sides(swap_sides(text)).lower() == text.lower()
    assert mentions_side(text) == (swap_sides(text) != text)
