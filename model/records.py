# Over 300 lines: the record and its strict reading belong together.
"""Records of photographs with boxes and language, read from JSONL with tar shards beside it.

A record on disk holds boxes `[x, y, w, h]`, polygons and key points in pixels of the packed
picture; here everything is already in the one frame (unit xyxy). Pictures are read when asked for.
The JSONL decides what belongs to a split: a shard may hold other pictures as well.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import tarfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from pycocotools import mask as coco_mask

from model.errors import RecordError, RegionError
from model.types import Box, Keypoints, Mask, Size
from model.vocabulary import LABEL_SPACES

Json = dict[str, Any]
NUM_JOINTS = 17


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """A thing in a picture.

    Attributes:
        label: class name.
        box: where.
        crowd: whether the box covers a group that was not told apart.
        polygons: outlines x0, y0, x1, y1, ... in [0, 1]; empty if unknown.
        keypoints: a person's 17 joints in COCO's order, visibility 0, 1 or 2; None if unknown.
        top_color: colour of a person's upper clothing, if somebody said it.
    """

    label: str
    box: Box
    crowd: bool = False
    polygons: tuple[tuple[float, ...], ...] = ()
    keypoints: Keypoints | None = None
    top_color: str | None = None

    def mask(self, size: Size) -> Mask:
        """Returns the filled polygons as bool[H, W]; raises RecordError if there are none."""
        if not self.polygons:
            raise RecordError(f"The {self.label} at {self.box.as_tuple()} has no polygons.")
        scale = np.array([size.width, size.height])
        outlines = [(np.reshape(p, (-1, 2)) * scale).ravel().tolist() for p in self.polygons]
        rle = coco_mask.merge(coco_mask.frPyObjects(outlines, size.height, size.width))
        with warnings.catch_warnings():
            # pycocotools 2.0 does not know the copy keyword of numpy 2 yet; it decodes well.
            warnings.simplefilter("ignore", DeprecationWarning)
            return Mask(coco_mask.decode(rle).astype(bool))


@dataclass(frozen=True, slots=True)
class GroundedPhrase:
    """Characters `[start, end)` of one caption and the objects they mean, by index."""

    caption: int
    start: int
    end: int
    objects: tuple[int, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Expression:
    """Words that mean one object, by index; `kind` says how they single it out."""

    text: str
    object: int
    kind: str


@dataclass(frozen=True, slots=True)
class PictureFile:
    """Where a picture lies: a member of a tar shard, or a file beside the JSONL (no shard)."""

    folder: Path
    shard: str | None
    image: str

    def __str__(self) -> str:
        """Returns the path, for messages; a member's lies beyond that of its shard."""
        return str(Path(self.folder, self.shard or "", self.image))


@dataclass(frozen=True, slots=True)
class Record:
    """A photograph and what people said about it.

    Attributes:
        id: unique within a file.
        size: of the packed picture in pixels.
        label_space: which class names were looked for, a key of `LABEL_SPACES` or another name.
        exhaustive: every instance of every class is boxed, so a missing class is truly absent.
        stretched: the picture lost its proportions; not for shape or size words.
        redistributable: whether the photograph may be shipped.
    """

    id: str
    size: Size
    file: PictureFile
    objects: tuple[LabelledObject, ...] = ()
    captions: tuple[str, ...] = ()
    grounded: tuple[GroundedPhrase, ...] = ()
    refs: tuple[Expression, ...] = ()
    label_space: str = "none"
    exhaustive: bool = False
    stretched: bool = False
    redistributable: bool = False

    def read_picture(self) -> Image.Image:
        """Returns the upright RGB picture.

        Raises:
            RecordError: it is missing, unreadable, or not of the record's size.
        """
        wanted = self.size.width, self.size.height
        try:
            with Image.open(io.BytesIO(_read_bytes(self.file))) as picture:
                size = picture.size
                # The header is compared first, so that a pixel bomb is never unpacked.
                if {*size} == {*wanted}:
                    upright = ImageOps.exif_transpose(picture).convert("RGB")
                    if upright.size == wanted:
                        return upright
        except (OSError, KeyError, tarfile.TarError, SyntaxError, ValueError) as error:
            raise self._unusable(f"cannot be read ({_reason(error)})") from error
        told = "{}×{} as stored, {}×{} in its record, so boxes would be misplaced"
        raise self._unusable(f"is {told.format(*size, *wanted)}")

    def _unusable(self, why: str) -> RecordError:
        return RecordError(
            f"The picture {self.file} of record {self.id} {why}. "
            f"Put the right file back, or import the data set again."
        )


def _reason(error: Exception) -> str:
    """Returns why a picture cannot be read, in words that do not name it once more."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture, or a broken one"
    return getattr(error, "strerror", None) or str(error)


@lru_cache(maxsize=64)
def _shard_members(path: Path) -> dict[str, tuple[int, int]]:
    """Returns offset and length of every file in a tar, so that reading needs no open handle."""
    with tarfile.open(path, "r:") as tar:
        return {member.name: (member.offset_data, member.size) for member in tar}


def _read_bytes(file: PictureFile) -> bytes:
    if file.shard is None:
        return (file.folder / file.image).read_bytes()
    path = file.folder / file.shard
    if file.image not in (members := _shard_members(path)):
        raise FileNotFoundError(errno.ENOENT, "it is not in the shard", file.image)
    offset, length = members[file.image]
    with path.open("rb") as shard:
        shard.seek(offset)
        return shard.read(length)


def read_records(path: str | Path, limit: int | None = None) -> Iterator[Record]:
    """Yields the records of a JSONL file, gzipped or not, in its order.

    Args:
        path: the file; its shards and pictures lie beside it.
        limit: most records.

    Raises:
        RecordError: the file or a line is invalid; the message names file, line and reason.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if limit is not None and len(seen) >= limit:
                    return
                if line.strip():
                    record = _record_from_line(line, path, number)
                    if record.id in seen:
                        raise RecordError(
                            f"{path}:{number}: id {record.id!r} was used in line {seen[record.id]}."
                        )
                    seen[record.id] = number
                    yield record
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} could not be read: {error}") from error


def open_text(path: Path, errors: str = "strict") -> io.TextIOBase:
    """Returns a text file opened for reading, unpacked if its name ends in .gz."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8", errors=errors)
    return path.open(encoding="utf-8", errors=errors)


def _record_from_line(line: str, path: Path, number: int) -> Record:
    try:
        return record_from_json(json.loads(line), path.parent)
    except (RecordError, RegionError, KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"{path}:{number}: {reason}") from error


def record_from_json(value: Json, folder: Path) -> Record:
    """Returns the record of one JSON object; keys that say where it comes from are passed over.

    Raises:
        RecordError, RegionError, KeyError, TypeError, ValueError: something is missing or invalid.
    """
    size = Size(int(value["width"]), int(value["height"]))
    objects = tuple(_object(o, size, i) for i, o in enumerate(value.get("objects", ())))
    captions = tuple(str(caption) for caption in value.get("captions", ()))
    return Record(
        id=str(value["id"]),
        size=size,
        file=_picture_file(value, folder),
        objects=objects,
        captions=captions,
        grounded=tuple(_grounded(g, captions, len(objects)) for g in value.get("grounded", ())),
        refs=tuple(
            Expression(str(r["text"]), _index(r["object"], len(objects)), str(r["kind"]))
            for r in value.get("refs", ())
        ),
        label_space=str(value.get("label_space", "none")),
        exhaustive=bool(value.get("exhaustive", False)),
        stretched=value.get("aspect") == "stretched",
        redistributable=bool(value.get("redistributable", False)),
    )


def _picture_file(value: Json, folder: Path) -> PictureFile:
    shard = value.get("shard")
    for name in [value["image"]] if shard is None else [shard, value["image"]]:
        if not name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise RecordError(f"{name!r:.80} is not a path inside {folder}.")
    return PictureFile(folder, shard, value["image"])


def _index(value: object, length: int) -> int:
    if not isinstance(value, int) or not 0 <= value < length:
        raise RecordError(f"index {value!r:.20} is not one of 0 to {length - 1}.")
    return value


def _object(value: Json, size: Size, index: int) -> LabelledObject:
    try:
        x, y, width, height = (float(side) for side in value["bbox"])
        sides = (x / size.width, y / size.height, width / size.width, height / size.height)
        if width <= 0 or height <= 0:
            raise RecordError(f"box {value['bbox']} has no area.")
        box = Box.parse((sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3]))
    except (RecordError, RegionError, TypeError, ValueError) as error:
        raise RecordError(f"object {index}: {error}") from error
    return LabelledObject(
        label=str(value["label"]),
        box=box,
        crowd=bool(value.get("crowd", 0)),
        polygons=tuple(_polygon(p, size) for p in value.get("poly", ())),
        keypoints=_keypoints(value["keypoints"], size) if value.get("keypoints") else None,
        top_color=value.get("attrs", {}).get("top_color"),
    )


def _polygon(values: Sequence[float], size: Size) -> tuple[float, ...]:
    places = np.asarray(values, dtype=float)
    if places.ndim != 1 or len(places) < 6 or len(places) % 2 or not np.isfinite(places).all():
        raise RecordError(f"a polygon is x, y of at least three finite places; got {values!r:.80}.")
    return tuple((places.reshape(-1, 2) / (size.width, size.height)).ravel().tolist())


def _keypoints(values: Sequence[float], size: Size) -> Keypoints:
    joints = np.asarray(values, dtype=float)
    if joints.shape != (NUM_JOINTS * 3,) or not np.isfinite(joints).all():
        raise RecordError(f"key points are {NUM_JOINTS} times x, y, v; got {values!r:.80}.")
    joints = joints.reshape(NUM_JOINTS, 3) / (size.width, size.height, 1)
    return Keypoints(tuple((x, y, v) for x, y, v in joints.tolist()))


def _grounded(value: Json, captions: Sequence[str], num_objects: int) -> GroundedPhrase:
    caption = _index(value["caption"], len(captions))
    start, end = int(value["start"]), int(value["end"])
    if not 0 <= start < end <= len(captions[caption]):
        raise RecordError(f"span {start}:{end} lies outside caption {caption}.")
    things = tuple(_index(i, num_objects) for i in value["objects"])
    return GroundedPhrase(caption, start, end, things, str(value.get("label", "")))


def class_names(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """Returns the class names of each label space in use.

    A label space we know has its official list; any other has the labels of its objects, sorted.
    """
    seen: dict[str, set[str]] = {}
    for record in records:
        seen.setdefault(record.label_space, set()).update(o.label for o in record.objects)
    return {
        space: LABEL_SPACES.get(space) or tuple(sorted(labels)) for space, labels in seen.items()
    }
