"""Expressions that follow from boxes: "the leftmost dog", "second dog from the left".

The records hold a few; here are all that are clear, and the ways to word each. What counts as clear
are the margins that the records' own keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from types import MappingProxyType

from model.records import Expression, Record
from model.training.material import whole_class
from model.training.wording import swap_sides
from model.types import Box

FEWEST, MOST = 2, 5
"""Classes with so many instances are told apart by place and size."""
ACROSS, DOWN, BETWEEN, IN_A_ROW = 0.08, 0.15, 0.1, 0.06
"""Centres of the first and the next are so far apart: from a side, from the top or the bottom;
those of all neighbours: about a middle one, in a row that is counted."""
LARGER, SMALLER = 2.0, 2.5
"""The largest has so many times the area of the next, and the next that of the smallest."""
TOO_SMALL = 0.001
"""Share of the picture below which a thing is not asked for."""

_LEFT = (
    "the leftmost {}", "the {} on the left", "left {}", "{} furthest left", "leftmost {}",
    "the left {}", "the {} at the left", "the {} to the left", "{} on the left",
    "the {} on the left side", "the {} furthest to the left",
)  # fmt: skip
_SECOND = (
    "second {} from the left", "the second {} from the left", "second {} from left",
    "the {} that is second from the left", "{} number two from the left",
    "the 2nd {} from the left",
)  # fmt: skip
_THIRD = tuple(
    way.replace("second", "third").replace("two", "three").replace("2nd", "3rd") for way in _SECOND
)


def _mirrored(ways: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(swap_sides, ways))


WAYS = MappingProxyType(
    {
        "leftmost": _LEFT,
        "rightmost": _mirrored(_LEFT),
        "topmost": (
            "the {} at the top", "the upper {}", "topmost {}", "the topmost {}", "the top {}",
            "top {}", "upper {}",
        ),
        "bottommost": (
            "the {} at the bottom", "the lower {}", "bottom {}", "the bottom {}", "lower {}",
            "the lowest {}",
        ),
        "middle": ("middle {}", "the {} in the middle", "the middle {}", "{} in the middle"),
        "second left": _SECOND,
        "second right": _mirrored(_SECOND),
        "third left": _THIRD,
        "third right": _mirrored(_THIRD),
        "largest": ("the largest {}", "the biggest {}", "largest {}", "biggest {}"),
        "smallest": ("the smallest {}", "smallest {}", "the littlest {}"),
    }
)  # fmt: skip
"""What singles a thing out among its class, and the wordings that mean exactly that."""
NEXT_TO = (" next to ", " beside ", " by ", " right next to ")
MEANING = MappingProxyType({way: meaning for meaning, ways in WAYS.items() for way in ways})


def expressions(record: Record) -> list[Expression]:
    """Returns every clear expression by place or size in a class that is boxed wholly."""
    classes: dict[str, list[int]] = {}
    for index, thing in enumerate(record.objects):
        classes.setdefault(thing.label, []).append(index)
    return [
        Expression(WAYS[meaning][0].format(label), indices[at], kind)
        for label, indices in classes.items()
        if FEWEST <= len(indices) <= MOST and whole_class(record, label)
        for kind, meaning, at in _singled_out([record.objects[i].box for i in indices])
        if record.objects[indices[at]].box.area >= TOO_SMALL
        and not (kind == "size" and record.stretched)
    ]


def vary(ref: Expression, label: str, random: Random) -> str:
    """Returns an expression for a thing of a class, half the time in other words that mean it."""
    if random.random() < 0.5:
        return ref.text
    if ref.kind == "relation":
        return ref.text.replace(" next to ", random.choice(NEXT_TO), 1)
    meaning = MEANING.get(ref.text.replace(label, "{}", 1))
    return random.choice(WAYS[meaning]).format(label) if meaning else ref.text


def _singled_out(boxes: Sequence[Box]) -> Iterator[tuple[str, str, int]]:
    """Yields kind, meaning and which box."""
    across, steps = _sorted(boxes, lambda box: box.centre[0])
    yield from _ends("leftmost", "rightmost", across, steps, ACROSS)
    if len(boxes) == 3 and min(steps) >= BETWEEN:
        yield "position", "middle", across[1]
    if min(steps) >= IN_A_ROW:
        for place, word in enumerate(("second", "third"), 1):
            if len(boxes) > place + 1:
                yield "ordinal", f"{word} left", across[place]
                yield "ordinal", f"{word} right", across[-1 - place]
    yield from _ends("topmost", "bottommost", *_sorted(boxes, lambda box: box.centre[1]), DOWN)
    by_size, _ = _sorted(boxes, lambda box: box.area)
    areas = [boxes[i].area for i in by_size]
    if areas[-1] >= LARGER * areas[-2]:
        yield "size", "largest", by_size[-1]
    if areas[1] >= SMALLER * areas[0]:
        yield "size", "smallest", by_size[0]


def _ends(
    first: str, last: str, order: Sequence[int], steps: Sequence[float], gap: float
) -> Iterator[tuple[str, str, int]]:
    if steps[0] >= gap:
        yield "position", first, order[0]
    if steps[-1] >= gap:
        yield "position", last, order[-1]


def _sorted(boxes: Sequence[Box], value: Callable[[Box], float]) -> tuple[list[int], list[float]]:
    """Returns which boxes come first and next by a value, and the steps between neighbours."""
    order = sorted(range(len(boxes)), key=lambda i: value(boxes[i]))
    return order, [value(boxes[b]) - value(boxes[a]) for a, b in pairwise(order)]
