"""Corrected turns with their pictures, on disk as a data set that training reads as it is.

    corrections/
    ├── examples.jsonl      one example a line: `model.turns`, plus id, saved, owner and title
    ├── pictures/           JPEG, named by the sha256 of their pixels, so each lies here once
    └── thumbnails/         the same names, small

A line is appended by one write that is forced to the disk before it counts; whatever a crash tears
off is skipped when reading and never joined to the next line. A picture is there before the line
that names it, and goes after it.
"""

from __future__ import annotations

import errno
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from PIL import Image

from app import disk, words
from app.intake import Picture
from app.settings import Settings
from model.errors import InputError, RecordError
from model.turns import example_from_json, example_to_json
from model.types import Example, Phrase, Turn

LINES = "examples.jsonl"
THUMBNAIL = (160, 160)
JPEG_QUALITY = 95

_IDENTITY = re.compile(r"[0-9a-f]{16}")
_PICTURE = re.compile(r"pictures/[0-9a-f]{32}\.jpg")
_LOCK_SECONDS = 20
_MAX_LINE = 16 * 1024**2
"""Characters of one line; many full-size masks stay far below."""


@dataclass(frozen=True, slots=True)
class Saved:
    """An example as it lies on disk.

    Attributes:
        identity: 16 hexadecimal digits; names the example.
        saved: seconds since the epoch.
        owner: whoever saved it, as `save` was told; empty if unknown.
        title: the picture's title; hostile text.
        example: the picture's place in the folder, its size and turns.
    """

    identity: str
    saved: float
    owner: str
    title: str
    example: Example


class Corrections:
    """A folder of saved examples, shared by threads and processes.

    Args:
        settings: the folder and its limits.
        clock: seconds since the epoch; replaced in tests.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self.folder = settings.corrections

    # --- what is there ---------------------------------------------------------------------------

    def all(self, owner: str | None = None) -> list[Saved]:
        """Returns the saved examples, newest last; only those of `owner` unless it is None."""
        young = self._young(self._read())
        return [saved for saved in young if owner is None or saved.owner == owner]

    def thumbnail(self, saved: Saved) -> Path:
        """Returns the file of an example's small picture."""
        return self.folder / "thumbnails" / Path(saved.example.picture).name

    def find(self, identity: str, owner: str | None = None) -> Saved:
        """Returns one example.

        Raises:
            InputError: there is none of this name, or it is not the owner's.
        """
        if _IDENTITY.fullmatch(identity):
            for saved in self.all(owner):
                if saved.identity == identity:
                    return saved
        raise InputError(words.EXAMPLE_GONE.format(identity=identity[:40]))

    def reopen(self, identity: str, owner: str | None = None) -> tuple[Saved, Image.Image]:
        """Returns one example and its picture.

        Raises:
            InputError: there is none of this name, it is not the owner's, or its picture is lost.
        """
        saved = self.find(identity, owner)
        try:
            with Image.open(self.folder / saved.example.picture, formats=["JPEG"]) as picture:
                return saved, picture.convert("RGB")
        except OSError as error:
            raise InputError(words.EXAMPLE_BLIND) from error

    # --- changes ---------------------------------------------------------------------------------

    def save(
        self,
        picture: Picture,
        turns: Sequence[Turn],
        *,
        owner: str = "",
        title: str = "",
        replaced: Saved | None = None,
    ) -> Saved:
        """Stores a picture with corrected turns and returns it; it takes the place of `replaced`.

        Raises:
            InputError: a turn cannot be used, the folder is full, or the disk is.
        """
        check(turns, self._settings)
        file = f"pictures/{picture.key[:32]}.jpg"
        saved = Saved(
            replaced.identity if replaced else secrets.token_hex(8),
            round(self._clock(), 3),
            replaced.owner if replaced else owner,
            title[: self._settings.max_text],
            Example(file, picture.size, tuple(turns)),
        )
        line = _line(saved)
        with self._alone():
            lines = self._read()
            others = [known for known in self._young(lines) if known.identity != saved.identity]
            content = b"" if (self.folder / file).exists() else _jpeg(picture.image)
            self._require_room(len(others), len(line) + len(content))
            if content:
                disk.write(self.folder / "thumbnails" / Path(file).name, _thumbnail(picture.image))
                disk.write(self.folder / file, content)
            if len(others) == len(lines):
                disk.append(self.folder / LINES, line)
            else:
                self._rewrite([*others, saved])
        return saved

    def delete(self, identity: str, owner: str | None = None) -> None:
        """Deletes an example, and its picture unless another example needs it.

        Raises:
            InputError: there is none of this name, or it is not the owner's.
        """
        with self._alone():
            gone = self.find(identity, owner)
            kept = self._young(self._read())
            self._rewrite([saved for saved in kept if saved.identity != gone.identity])

    def sweep(self) -> None:
        """Deletes examples over their age, and files that a crash left without an example."""
        with self._alone():
            self._rewrite(self._young(self._read()))

    def _young(self, lines: Sequence[Saved]) -> list[Saved]:
        """Returns the examples that are not over their age."""
        age = self._settings.corrections_age
        return [saved for saved in lines if not age or saved.saved > self._clock() - age]

    def _require_room(self, count: int, more: int) -> None:
        most, most_bytes = self._settings.corrections_count, self._settings.corrections_bytes
        if count >= most:
            raise InputError(words.counted(words.EXAMPLES_MANY, count, most=most))
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        if used + more > most_bytes:
            shown = {"used": used / 1e6, "most": most_bytes / 1e6}
            raise InputError(words.EXAMPLES_LARGE.format(**shown))

    # --- the disk --------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other threads and processes from changing the folder; says when the disk fails."""
        try:
            for name in ("pictures", "thumbnails"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise InputError(words.EXAMPLES_BUSY) from error
        except OSError as error:
            reason = words.DISK_FULL if error.errno == errno.ENOSPC else error.strerror
            raise InputError(words.EXAMPLES_STUCK.format(reason=reason)) from error

    def _read(self) -> list[Saved]:
        """Returns every line that is whole; torn and foreign ones are skipped."""
        try:
            with (self.folder / LINES).open(encoding="utf-8", errors="replace") as file:
                return [saved for line in file if (saved := _saved(line)) is not None]
        except FileNotFoundError:
            return []

    def _rewrite(self, kept: Sequence[Saved]) -> None:
        """Replaces all lines at once, then deletes the pictures nobody needs any more."""
        disk.write(self.folder / LINES, b"".join(map(_line, kept)))
        needed = {Path(saved.example.picture).name for saved in kept}
        for name in ("pictures", "thumbnails"):
            for path in (self.folder / name).iterdir():
                if path.name not in needed:
                    path.unlink()
        for staged in self.folder.glob(f".{LINES}.*"):
            staged.unlink()


def check(turns: Iterable[Turn], settings: Settings) -> None:
    """Raises InputError unless corrected turns can teach: texts in bounds, phrases in their text.

    A phrase with a place must be those characters of the answer, else training would learn a box
    for other words.
    """
    turns = list(turns)
    if not turns or len(turns) > settings.max_turns:
        raise InputError(words.EXAMPLE_TURNS.format(most=settings.max_turns, count=len(turns)))
    for turn in turns:
        if not turn.question.strip():
            raise InputError(words.QUESTION_EMPTY)
        for text in (turn.question, turn.answer.text):
            if len(text) > settings.max_text:
                shown = {"length": len(text), "limit": settings.max_text}
                raise InputError(words.TEXT_TOO_LONG.format(**shown))
        for grounding in turn.answer.groundings:
            if not _in_place(grounding.phrase, turn.answer.text):
                raise InputError(words.PHRASE_ASTRAY.format(phrase=grounding.phrase.text[:60]))


def _in_place(phrase: Phrase, text: str) -> bool:
    """Returns whether a phrase is a class name, or just those characters of a text."""
    if phrase.start is None or phrase.end is None:
        return phrase.start is phrase.end
    inside = 0 <= phrase.start < phrase.end <= len(text)
    return inside and text[phrase.start : phrase.end] == phrase.text


def _line(saved: Saved) -> bytes:
    record: dict[str, Any] = {
        "id": saved.identity,
        "saved": saved.saved,
        "owner": saved.owner,
        "title": saved.title,
        **example_to_json(saved.example),
    }
    return json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _saved(line: str) -> Saved | None:
    """Returns the example of a line, or None if it is torn or not one of ours."""
    if len(line) > _MAX_LINE:
        return None
    try:
        record = json.loads(line)
        example = example_from_json(record)
        if not _IDENTITY.fullmatch(record["id"]) or not _PICTURE.fullmatch(example.picture):
            return None
        return Saved(
            record["id"],
            float(record["saved"]),
            str(record["owner"]),
            str(record["title"]),
            example,
        )
    except (RecordError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()


def _thumbnail(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail(THUMBNAIL)
    return _jpeg(small)
