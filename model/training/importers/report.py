"""What an import found, for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from model.counts import Forms, counted
from model.training.importers.draft import Refusal
from model.vocabulary import plural

MAX_ROUND_TRIP_PX = 1.0
"""Training refuses a data set whose boxes come back from the model's input further off."""

MAX_CLASSES = 500
"""Classes that are listed; all are counted."""

_COPIES: Forms = (
    "{count} picture has the same pixels as another one; copies stay on one side, {out}",
    "{count} pictures have the same pixels as another one; copies stay on one side, {out}",
)
_LEFT_OUT: Forms = (
    "{count} is left out because a copy is held out",
    "{count} are left out because a copy is held out",
)


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often a class occurs: boxes in all, and boxes and pictures by split."""

    name: str
    boxes: int
    pictures: int
    boxes_by_split: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import.

    Attributes:
        name: of the data set, also its label space.
        format: how it was read.
        pictures: how many are in each split.
        counts: objects, crowds, outlines, poses, captions, phrases, expressions and turns.
        classes: the most frequent ones first.
        num_classes: all of them.
        duplicates: pictures with the same pixels as an earlier one.
        left_out: of these, how many are not used because a copy is held out.
        refused: rows that are not used, at most the first thousand.
        num_refused: all of them.
        num_lost: objects that went with a refused picture.
        notes: what was changed or passed over without harm.
        round_trip_px: how far a box is off at most after the model's letterbox and back.
    """

    name: str
    format: str
    pictures: Mapping[str, int]
    counts: Mapping[str, int]
    classes: Sequence[ClassCount]
    num_classes: int
    duplicates: int
    left_out: int
    refused: Sequence[Refusal]
    num_refused: int
    num_lost: int
    notes: Sequence[str]
    round_trip_px: float

    @property
    def needs_consent(self) -> bool:
        """Whether a person must agree to train on the valid rows only."""
        return self.num_refused > 0

    @property
    def usable(self) -> bool:
        """Whether it can be trained on at all."""
        return self.pictures.get("train", 0) > 0 and self.round_trip_px <= MAX_ROUND_TRIP_PX

    def to_json(self) -> dict[str, Any]:
        """Returns every field and the two verdicts."""
        return asdict(self) | {"needs_consent": self.needs_consent, "usable": self.usable}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Returns the report of `to_json`."""
        fields = {key: value[key] for key in cls.__slots__}
        fields["classes"] = tuple(ClassCount(**item) for item in value["classes"])
        fields["refused"] = tuple(Refusal(**item) for item in value["refused"])
        fields["notes"] = tuple(value["notes"])
        return cls(**fields)

    def to_text(self) -> str:
        """Returns the report as lines for people."""
        pictures = ", ".join(f"{count} {split}" for split, count in self.pictures.items())
        counts = ", ".join(_some(n, _ONE[name]) for name, n in self.counts.items() if n)
        lines = [
            f"{self.name}: read as {self.format}",
            f"pictures: {sum(self.pictures.values()):,} ({pictures})",
            f"in them:  {counts or 'nothing'}",
            f"classes:  {self.num_classes}",
            *(f"  {c.boxes:>8,}  {c.name}{_shares(c)}" for c in self.classes[:40]),
        ]
        if len(self.classes) < self.num_classes or self.num_classes > 40:
            lines.append(f"  ... and {self.num_classes - min(40, len(self.classes))} more")
        if self.duplicates:
            out = counted(_LEFT_OUT, self.left_out)
            lines.append(f"copies:   {counted(_COPIES, self.duplicates, out=out)}")
        lines.append(f"boxes come back from the model's input within {self.round_trip_px:.3f} px")
        lines += [f"note: {note}" for note in self.notes]
        lines += self._refusals()
        return "\n".join(lines) + "\n"

    def _refusals(self) -> list[str]:
        if not self.num_refused:
            return ["refused:  nothing"]
        lost = f", and {_some(self.num_lost, 'object')} in refused pictures"
        lines = [f"refused:  {_some(self.num_refused, 'row')}{lost if self.num_lost else ''}"]
        lines += [f"  {row.file}: {row.row}: {row.reason}" for row in self.refused]
        if len(self.refused) < self.num_refused:
            lines.append(f"  ... and {self.num_refused - len(self.refused)} more")
        return lines


def _shares(count: ClassCount) -> str:
    split = ", ".join(f"{boxes} {name}" for name, boxes in count.boxes_by_split.items())
    return f"  (in {_some(count.pictures, 'picture')}; {split})"


def _some(count: int, thing: str) -> str:
    """Returns so many of a thing, which is named in the singular."""
    return counted((f"{{count}} {thing}", f"{{count}} {plural(thing)}"), count)


def contents(record: Mapping[str, Any]) -> dict[str, int]:
    """Returns how much of each kind there is in one record's line."""
    objects = record["objects"]
    return {
        "boxes": sum(not thing["crowd"] for thing in objects),
        "crowds": sum(thing["crowd"] for thing in objects),
        "outlined objects": sum("poly" in thing for thing in objects),
        "poses": sum("keypoints" in thing for thing in objects),
        "captions": len(record["captions"]),
        "grounded phrases": len(record["grounded"]),
        "expressions": len(record["refs"]),
        "turns": len(record.get("turns", ())),
    }


_ONE = {
    plural(one): one
    for one in (
        "box", "crowd", "outlined object", "pose", "caption", "grounded phrase", "expression",
        "turn",
    )
}  # fmt: skip
"""The names of `contents` in the singular."""


def class_counts(pictures: Iterable[tuple[Mapping[str, int], str]]) -> list[ClassCount]:
    """Returns the classes, the most frequent first.

    Args:
        pictures: for each, how many objects of each class it has, and its split.
    """
    boxes: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    by_split: dict[str, Counter[str]] = {}
    for labels, split in pictures:
        for label, count in labels.items():
            boxes[label] += count
            shown[label] += 1
            by_split.setdefault(label, Counter())[split] += count
    return [
        ClassCount(label, count, shown[label], dict(by_split[label]))
        for label, count in boxes.most_common()
    ]
