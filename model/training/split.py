"""Divides pictures into those to learn from and those to be judged on.

- Pictures with the same pixels are never on both sides, whatever their files are called.
- Held-out pictures that a data set brings along stay held out, as `test`; the checkpoint is then
  chosen on a `val` drawn from the rest, so that the score on `test` is honest. Only a data set
  that brings a `val` *and* a `test` keeps both as they are.
- What is drawn is stratified by class and seeded: the same data and seed give the same split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from model.errors import ConfigError

TRAIN, VAL, TEST = "train", "val", "test"
LEFT_OUT = ""
"""Split of a picture that is not used: a copy of it is held out."""

MAX_CLASSES = 200
"""Classes that are balanced, the most frequent first; free phrases are as good as unique."""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture as far as splitting is concerned.

    Attributes:
        id: of the record.
        pixels: equal for pictures with equal pixels.
        labels: how many objects of each class it has.
        declared: `train`, `val` or `test` if its data set said so, else empty.
    """

    id: str
    pixels: str
    labels: Mapping[str, int]
    declared: str = ""


def assign(items: Sequence[Item], val_share: float = 0.2, seed: int = 0) -> dict[str, str]:
    """Returns the split of every picture by its id.

    Args:
        items: the pictures.
        val_share: of the pictures that are not held out already, how many become `val`; unless it
            is 0 or 1, both sides get at least one picture where there are two.
        seed: of the drawing.

    Raises:
        ConfigError: `val_share` is no share.
    """
    if not 0.0 <= val_share <= 1.0:
        raise ConfigError(f"val_share is {val_share}; choose a share from 0 to 1.")
    splits = _declared(items)
    held_out = {item.pixels for item in items if splits.get(item.id) in {VAL, TEST}}
    open_groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if splits.get(item.id) in {VAL, TEST}:
            continue
        if item.pixels in held_out:
            splits[item.id] = LEFT_OUT
        elif item.id not in splits:
            open_groups[item.pixels].append(item)
    drawn = _draw(open_groups, val_share, seed)
    for pixels, group in open_groups.items():
        for item in group:
            splits[item.id] = VAL if pixels in drawn else TRAIN
    return splits


def _declared(items: Sequence[Item]) -> dict[str, str]:
    """Returns the splits that follow from what the data set said; the other pictures are drawn."""
    said = {item.declared for item in items}
    if not said & {VAL, TEST} or not said - {VAL, TEST}:
        return {}  # nothing is held out, or everything is: then nothing would be left to learn from
    both = {VAL, TEST} <= said
    splits: dict[str, str] = {}
    by_pixels: dict[str, str] = {}
    for wanted in (TEST, VAL):
        for item in items:
            if item.declared == wanted:
                split = wanted if both else TEST
                # The stricter side wins a picture that was put on both.
                kept = by_pixels.setdefault(item.pixels, split) == split
                splits[item.id] = split if kept else LEFT_OUT
    if both:
        splits |= {i.id: TRAIN for i in items if i.pixels not in by_pixels}
    return splits


def _draw(groups: Mapping[str, Sequence[Item]], val_share: float, seed: int) -> set[str]:
    """Returns the groups of equal pictures that become `val`.

    Source: iterative stratification (Sechidis et al. 2011, algorithm 1) for two sides: the class
    with the fewest unplaced pictures goes first, each picture to the side that lacks it most.
    """
    order = sorted(groups)
    Random(seed).shuffle(order)
    most = round(val_share * len(order))
    if 0 < val_share < 1 and len(order) > 1:
        most = min(max(most, 1), len(order) - 1)
    classes = {key: _classes(groups[key]) for key in order}
    frequent = Counter(label for labels in classes.values() for label in labels)
    balanced = {label for label, _ in frequent.most_common(MAX_CLASSES)}
    waiting = {
        label: [key for key in order if label in classes[key]]
        for label in sorted(balanced, key=lambda label: (frequent[label], label))
    }
    placed: dict[str, bool] = {}
    num_val = 0
    wanted = {label: val_share * frequent[label] for label in balanced}
    while waiting:
        rarest = min(waiting, key=lambda label: (len(waiting[label]), label))
        for key in waiting[rarest]:
            in_val = wanted[rarest] >= 0.5 and num_val < most
            placed[key] = in_val
            num_val += in_val
            for label in classes[key] & balanced:
                wanted[label] -= in_val
        del waiting[rarest]
        waiting = {
            label: rest
            for label, keys in waiting.items()
            if (rest := [key for key in keys if key not in placed])
        }
    return _fill(order, placed, most)


def _fill(order: Sequence[str], placed: Mapping[str, bool], most: int) -> set[str]:
    """Returns the `val` side filled up to `most`, first with pictures that have no class."""
    val = {key for key, in_val in placed.items() if in_val}
    empty = [key for key in order if key not in placed]
    spare = [key for key in order if key in placed and key not in val]
    return val | {*(empty + spare)[: max(0, most - len(val))]}


def _classes(group: Sequence[Item]) -> set[str]:
    return {label for item in group for label in item.labels}
