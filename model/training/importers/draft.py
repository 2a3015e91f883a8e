"""What an importer hands on for each picture, and the book it keeps about refused rows.

Everything here is still as the foreign file says it, in pixels of the upright picture; whether it
is true of the picture is checked later, in one place for all formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

from model.errors import DeixisError, RecordError
from model.training.importers.source import Source
from model.training.importers.values import Bbox, one_line, shown
from model.types import Size

Json = dict[str, Any]
MAX_REFUSALS = 1_000
"""Refused rows that are kept word for word; all are counted."""

MAX_REASON = 500

FAULTS = (
    *(DeixisError, KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(RecursionError, SyntaxError),
)
"""What reading a hostile row may raise; anything else is a mistake of ours and stops the import."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is not used.

    Attributes:
        file: path within the source.
        row: where in it, such as `line 7`, `annotations[3]` or `object 2`.
        reason: a sentence for people.
    """

    file: str
    row: str
    reason: str


class Rows:
    """The book of one import: refused rows and remarks."""

    def __init__(self) -> None:
        self.refused: list[Refusal] = []
        self.num_refused = 0
        self.num_lost = 0
        """Objects that went with a refused picture."""
        self._notes: Counter[str] = Counter()

    def refuse(self, file: PurePosixPath | str, row: str, reason: str, lost: int = 0) -> None:
        """Notes that a row is not used, and how many objects go with it."""
        self.num_refused += 1
        self.num_lost += lost
        if len(self.refused) < MAX_REFUSALS:
            self.refused.append(Refusal(one_line(str(file)), row, one_line(reason[:MAX_REASON])))

    @contextmanager
    def guard(self, file: PurePosixPath | str, row: str, lost: int = 0) -> Iterator[None]:
        """Refuses the row, instead of ending the import, if the block cannot make sense of it."""
        try:
            yield
        except FAULTS as error:
            self.refuse(file, row, reason_of(error), lost)

    def note(self, remark: str) -> None:
        """Counts something that was changed or passed over without harm."""
        self._notes[remark] += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks, each with how often it applied."""
        return tuple(
            text if count == 1 else f"{text} ({count} times)"
            for text, count in self._notes.most_common()
        )


def reason_of(error: BaseException) -> str:
    """Returns an error as a reason for people."""
    if isinstance(error, KeyError):
        return f"{shown(error.args[0])} is missing." if error.args else "a key is missing."
    if isinstance(error, DeixisError):
        return str(error)
    return f"cannot be understood ({type(error).__name__}: {error})."


@dataclass(slots=True)
class DraftObject:
    """A thing in a picture.

    Attributes:
        label: class name or phrase.
        bbox: x, y, width, height in pixels.
        row: where it was said.
        key: equal for the same object said in two files, such as an annotation's id; else None.
        crowd: whether it is a group that was not told apart.
        poly: outlines, each x, y, x, y, ... in pixels.
        keypoints: 17 times x, y, v in pixels, or empty.
    """

    label: str
    bbox: Bbox
    row: str
    key: str | None = None
    crowd: bool = False
    poly: list[list[float]] = field(default_factory=list)
    keypoints: list[float] = field(default_factory=list)


@dataclass(slots=True)
class DraftPhrase:
    """Characters `[start, end)` of one of the draft's captions and the objects they mean."""

    caption: int
    start: int
    end: int
    objects: list[int]
    label: str = ""


@dataclass(slots=True)
class DraftRef:
    """An expression and the object it means."""

    text: str
    object: int
    kind: str = "human"


@dataclass(slots=True)
class Draft:
    """What one place of a source says about one picture; places are merged by picture.

    Attributes:
        picture: path within the source.
        file: the annotation file.
        row: where in it.
        stated: size that the annotations were made for, if said.
        split: `train`, `val` or `test`, or empty.
        exhaustive: every instance of every class of the data set is boxed.
        turns: chat turns in the JSON of `model.turns`, kept word for word.
    """

    picture: PurePosixPath
    file: PurePosixPath
    row: str
    stated: Size | None = None
    split: str = ""
    exhaustive: bool = False
    objects: list[DraftObject] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    grounded: list[DraftPhrase] = field(default_factory=list)
    refs: list[DraftRef] = field(default_factory=list)
    turns: list[Json] = field(default_factory=list)

    def add_object(self, thing: DraftObject) -> int:
        """Returns the index of an object, added unless it is there already.

        An object with a known key, or with the same label and place, is the same; outlines and
        key points that one file has and the other lacks are brought together.
        """
        for index, known in enumerate(self.objects):
            if _same(known, thing):
                known.poly = known.poly or thing.poly
                known.keypoints = known.keypoints or thing.keypoints
                return index
        self.objects.append(thing)
        return len(self.objects) - 1

    def add_caption(self, text: str) -> int:
        """Returns the index of a caption, added unless it is there already."""
        if text not in self.captions:
            self.captions.append(text)
        return self.captions.index(text)

    def merge(self, other: Draft) -> None:
        """Takes over what another place says about the same picture.

        Raises:
            RecordError: they contradict each other about its size.
        """
        if self.stated and other.stated and self.stated != other.stated:
            raise RecordError(
                f"the picture was said to be {self.stated.width}×{self.stated.height} in "
                f"{self.file} and {other.stated.width}×{other.stated.height} here."
            )
        self.stated = self.stated or other.stated
        # The stricter split wins: a picture held out anywhere is held out.
        self.split = max(self.split, other.split, key=["", "train", "val", "test"].index)
        self.exhaustive |= other.exhaustive
        objects = [self.add_object(thing) for thing in other.objects]
        captions = [self.add_caption(text) for text in other.captions]
        for phrase in other.grounded:
            phrase.caption = captions[phrase.caption]
            phrase.objects = [objects[index] for index in phrase.objects]
            if phrase not in self.grounded:
                self.grounded.append(phrase)
        self.refs += [DraftRef(ref.text, objects[ref.object], ref.kind) for ref in other.refs]
        self.turns += [turn for turn in other.turns if turn not in self.turns]


def _same(a: DraftObject, b: DraftObject) -> bool:
    if a.key is not None and b.key is not None and a.key != b.key:
        return False
    return a.label == b.label and all(
        abs(p - q) <= 0.01 for p, q in zip(a.bbox, b.bbox, strict=True)
    )


class Importer(Protocol):
    """Reads one foreign format."""

    @property
    def name(self) -> str:
        """As typed on the command line."""
        ...

    @property
    def needs(self) -> str:
        """What the format is recognised by, in words for people."""
        ...

    def recognises(self, source: Source) -> bool:
        """Returns whether the files, by their content, are of this format."""
        ...

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields what the files say, picture by picture; refuses what it cannot read."""
        ...


def fits_first(source: Source, fits: Callable[[Json], bool]) -> bool:
    """Returns whether a file's first rows, JSON lines or a JSON list, are of some form."""
    return any(fits(row) for _, first in source.first_rows() for row in first)


def drafts_of_rows(
    source: Source,
    rows: Rows,
    fits: Callable[[Json], bool],
    make: Callable[[Json, PurePosixPath, str], Draft],
) -> Iterator[Draft]:
    """Yields a draft for each row of every file whose first rows are of some form.

    Args:
        source: the files.
        rows: takes the rows that `make` cannot read.
        fits: whether a row is of the form.
        make: draft of a row, its file and its place in words.
    """
    for file, first in source.first_rows():
        if not any(fits(row) for row in first):
            continue
        for place, row in source.rows(file):
            with rows.guard(file, place):
                if isinstance(row, RecordError):
                    raise row
                if not isinstance(row, dict):
                    raise RecordError(f"{shown(row)} is no JSON object.")
                yield make(row, file, place)
