from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ConfigError
from model.training.split import LEFT_OUT, TEST, TRAIN, VAL, Item, assign

items_of_any_kind = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), max_size=3),
        st.sampled_from(["", TRAIN, VAL, TEST]),
    ),
    max_size=30,
).map(
    lambda rows: [
        Item(f"{number}", f"pixels {pixels}", labels, declared)
        for number, (pixels, labels, declared) in enumerate(rows)
    ]
)


@given(items_of_any_kind, st.floats(0, 1), st.integers(0, 3))
def test_equal_pictures_are_never_on_two_sides(
    items: list[Item], val_share: float, seed: int
) -> None:
    splits = assign(items, val_share, seed)
    assert {*splits} == {item.id for item in items}
    sides = defaultdict(set)
    for item in items:
        if splits[item.id] != LEFT_OUT:
            sides[item.pixels].add(splits[item.id])
    assert all(len(side) == 1 for side in sides.values())
    # Nothing is lost: of every picture at least one copy is used.
    assert {*sides} == {item.pixels for item in items}
    assert splits == assign(items, val_share, seed)


def _items(*labels: str, declared: str = "") -> list[Item]:
    return [
        Item(f"{declared}{i}", f"{declared}{i}", Counter(text), declared)
        for i, text in enumerate(labels)
    ]


def _val(items: list[Item], **options: float) -> list[Item]:
    splits = assign(items, **options)  # type: ignore[arg-type]
    return [item for item in items if splits[item.id] == VAL]


def test_every_class_gets_its_share() -> None:
    items = _items(*["a"] * 80, *["ab"] * 10, *["c"] * 10, *[""] * 20)
    val = _val(items, val_share=0.2)
    assert len(val) == 24
    counts = Counter(label for item in val for label in item.labels)
    assert (counts["a"], counts["b"], counts["c"]) == (18, 2, 2)
    assert sum(not item.labels for item in val) == 4


def test_a_class_with_a_single_picture_is_learned_from() -> None:
    assert all("b" not in item.labels for item in _val(_items(*["a"] * 9, "b"), val_share=0.3))


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(2, 0.01, 1), (2, 0.99, 1), (1, 0.5, 0), (9, 0, 0), (9, 1, 9)]
)
def test_both_sides_get_a_picture_if_they_can(count: int, share: float, expected: int) -> None:
    assert len(_val(_items(*["a"] * count), val_share=share)) == expected


def test_another_seed_draws_others() -> None:
    items = _items(*["a"] * 40)
    assert len({frozenset(item.id for item in _val(items, seed=seed)) for seed in range(5)}) > 1


def test_a_val_that_came_along_is_kept_for_the_end() -> None:
    items = [*_items(*["a"] * 10, declared=TRAIN), *_items("a", "a", declared=VAL)]
    splits = assign(items, 0.3)
    assert Counter(splits.values()) == {TRAIN: 7, VAL: 3, TEST: 2}
    assert all(splits[item.id] == TEST for item in items if item.declared == VAL)


def test_three_declared_sides_stay_as_they_are() -> None:
    items = [
        item
        for side in (TRAIN, VAL, TEST)
        for item in _items(*["a"] * 4, declared=side)
    ]  # fmt: skip
    splits = assign(items, 0.9)
    assert all(splits[item.id] == item.declared for item in items)


def test_a_set_that_is_all_held_out_is_divided_anew() -> None:
    splits = assign(_items(*["a"] * 10, declared=VAL), 0.2)
    assert Counter(splits.values()) == {TRAIN: 8, VAL: 2}


def test_a_training_copy_of_a_held_out_picture_is_left_out() -> None:
    items = [
        Item("one", "same", {}, TRAIN),
        Item("two", "same", {}, TEST),
        Item("three", "other", {}, TRAIN),
        Item("four", "third", {}, TRAIN),
    ]
    splits = assign(items, 0.5)
    assert (splits["one"], splits["two"]) == (LEFT_OUT, TEST)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_no_other_share_is_one(share: float) -> None:
    with pytest.raises(ConfigError, match="val_share"):
        assign([], share)
