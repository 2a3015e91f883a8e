"""YOLO text files: boxes, outlines and person key points, with class names in data.yaml.

A picture's labels lie in a `.txt` of the same stem, in the folder `labels` where the picture's
path has `images`, or beside the picture. A picture without labels is a picture with nothing in it
if others of its folder have some; else it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import yaml

from model.errors import RecordError
from model.records import NUM_JOINTS
from model.training.importers.draft import Draft, DraftObject, Json, Rows
from model.training.importers.source import Source, split_of
from model.training.importers.values import label_of
from model.types import Size

_ROW = re.compile(r"\d+(\s+[-+.\deE]+){4,}\s*")
_NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "classes.names")
_YAML_BYTES = 1_000_000
_SLACK = 0.01
"""How far beyond the picture a coordinate may lie and still be a matter of rounding."""


class Yolo:
    """Reads YOLO detection, segmentation and pose labels."""

    name = "yolo"
    needs = "a data.yaml (or classes.txt) with class names and a .txt of rows for each picture"

    def recognises(self, source: Source) -> bool:
        """Returns whether there are class names and a label file whose first row fits."""
        if _name_file(source) is None:
            return False
        texts = {*source.named(".txt")}
        labels = (_label_file(picture, texts) for picture in source.pictures[:1000])
        return any(file is not None and _ROW.match(source.head(file)) for file in labels)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields every picture that has labels, or lies where others have some."""
        file = _name_file(source)
        if file is None:
            raise RecordError("no class names were found; add data.yaml or classes.txt.")
        about = _Names(file, source)
        texts = {*source.named(".txt")}
        labels = {picture: _label_file(picture, texts) for picture in source.pictures}
        labelled = {picture.parent for picture, label in labels.items() if label is not None}
        for picture, label in labels.items():
            if label is None and picture.parent not in labelled:
                rows.refuse(picture, "the picture", "it has no label file.")
                continue
            with rows.guard(label or picture, "the whole file"):
                draft = Draft(picture, label or picture, "the whole file", exhaustive=True)
                draft.split = about.split(picture)
                if label is not None:
                    draft.stated = source.size(picture)
                    _read_rows(draft, draft.stated, about, source, rows)
                else:
                    rows.note("A picture without label file was taken to show nothing.")
                yield draft
        used = {*labels.values()}
        for text in sorted(texts):
            if text not in used and "labels" in text.parts:
                rows.refuse(text, "the whole file", "its picture is not among the files.")


class _Names:
    """What data.yaml says: class names, number of key points, which folder is which split."""

    def __init__(self, file: PurePosixPath, source: Source) -> None:
        text = source.read_text(file)
        if len(text) > _YAML_BYTES:
            raise RecordError(f"{file} has {len(text)} characters; class names need far fewer.")
        self.joints: tuple[int, int] = (0, 0)
        self._folders: list[tuple[tuple[str, ...], str]] = []
        self._listed: dict[str, str] = {}
        if file.suffix.lower() in {".yaml", ".yml"}:
            self._read_yaml(text, file, source)
        else:
            lines = [line for line in text.splitlines() if line.strip()]
            self.classes = {i: label_of(line) for i, line in enumerate(lines)}

    def _read_yaml(self, text: str, file: PurePosixPath, source: Source) -> None:
        value = _parse_yaml(text, file)
        names = value["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        # A name that is a nest of YAML aliases is refused before it is written out.
        self.classes = {int(key): label_of(_plain(name)) for key, name in pairs}
        shape = value.get("kpt_shape")
        if isinstance(shape, list) and len(shape) == 2:
            self.joints = int(shape[0]), int(shape[1])
        for key, split in (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test")):
            where = value.get(key)
            for path in where if isinstance(where, list) else [where]:
                if isinstance(path, str):
                    self._add_split(path, split, source)

    def _add_split(self, path: str, split: str, source: Source) -> None:
        """Notes which split a folder, or a list of pictures in a text file, belongs to."""
        parts = _inner(path)
        texts = [f for f in source.named(".txt") if parts and f.parts[-len(parts) :] == parts]
        if path.endswith(".txt") and texts:
            for line in source.read_text(texts[0]).splitlines():
                self._listed["/".join(_inner(line.strip())[-2:])] = split
        elif parts:
            self._folders.append((parts, split))

    def split(self, picture: PurePosixPath) -> str:
        """Returns the split of a picture; empty if nothing says so."""
        if self._listed:
            return self._listed.get("/".join(picture.parts[-2:]), "")
        for parts, split in self._folders:
            ends = range(len(picture.parts) - len(parts))
            if any(picture.parts[i : i + len(parts)] == parts for i in ends):
                return split
        return split_of(PurePosixPath(*picture.parts[:-1], "x"))


def _parse_yaml(text: str, file: PurePosixPath) -> Json:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecordError(f"{file} is no YAML ({error}).") from error
    if not isinstance(value, dict) or not isinstance(value.get("names"), list | dict):
        raise RecordError(f"{file} has no list `names`.")
    return value


def _plain(name: object) -> object:
    """Returns a name as text if YAML took it for a number, such as 7."""
    return str(name) if isinstance(name, int | float) else name


def _inner(path: str) -> tuple[str, ...]:
    """Returns a path's parts without what leads out of or back into the data set."""
    return tuple(part for part in PurePosixPath(path).parts if part not in {"/", "..", "."})


def _name_file(source: Source) -> PurePosixPath | None:
    """Returns the file with class names; a YAML file comes before plain lists."""
    for file in source.named(".yaml", ".yml"):
        if re.search(r"^names\s*:", source.head(file, _YAML_BYTES), re.MULTILINE):
            return file
    return next((f for f in source.annotations if f.name.lower() in _NAME_LISTS), None)


def _label_file(picture: PurePosixPath, texts: set[PurePosixPath]) -> PurePosixPath | None:
    """Returns a picture's label file if there is one."""
    candidates = [picture.with_suffix(".txt")]
    parts = picture.parts
    for i in reversed(range(len(parts) - 1)):
        if parts[i] == "images":
            swapped = PurePosixPath(*parts[:i], "labels", *parts[i + 1 :])
            candidates.insert(0, swapped.with_suffix(".txt"))
            break
    return next((file for file in candidates if file in texts), None)


def _read_rows(draft: Draft, size: Size, about: _Names, source: Source, rows: Rows) -> None:
    """Adds the rows of a label file to a draft."""
    for number, line in enumerate(source.read_text(draft.file).splitlines(), 1):
        if not line.strip():
            continue
        num_refused = rows.num_refused
        with rows.guard(draft.file, f"line {number}"):
            draft.add_object(_object(line.split(), size, about, f"line {number}", rows))
        draft.exhaustive &= rows.num_refused == num_refused


def _object(words: Sequence[str], size: Size, about: _Names, row: str, rows: Rows) -> DraftObject:
    index, values = int(words[0]), [float(word) for word in words[1:]]
    if index not in about.classes:
        raise RecordError(f"class {index} is not one of the {len(about.classes)} in data.yaml.")
    label, (joints, width) = about.classes[index], about.joints
    if joints and len(values) == 4 + joints * width:
        thing = DraftObject(label, _box(values[:4], size), row)
        if joints == NUM_JOINTS and width in (2, 3):
            thing.keypoints = _joints(values[4:], width, size)
        else:
            rows.note(f"Key points that are not a person's {NUM_JOINTS} were passed over.")
        return thing
    if len(values) == 4:
        return DraftObject(label, _box(values, size), row)
    if len(values) < 6 or len(values) % 2:
        raise RecordError(
            f"a row is class, x, y, width, height, or class and x, y of at least three places; "
            f"this one has {len(words)} numbers."
        )
    outline = _places(values, size)
    xs, ys = outline[::2], outline[1::2]
    bbox = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    return DraftObject(label, bbox, row, poly=[outline])


def _box(values: Sequence[float], size: Size) -> tuple[float, float, float, float]:
    """Returns x, y, width, height in pixels of a centre and size in shares of the picture."""
    x, y, width, height = values
    _check_shares(values)
    if width <= 0 or height <= 0:
        raise RecordError(f"width {width:g} and height {height:g} leave no area.")
    return (
        (x - width / 2) * size.width,
        (y - height / 2) * size.height,
        width * size.width,
        height * size.height,
    )


def _places(values: Sequence[float], size: Size) -> list[float]:
    _check_shares(values)
    return [value * (size.height if i % 2 else size.width) for i, value in enumerate(values)]


def _joints(values: Sequence[float], width: int, size: Size) -> list[float]:
    joints = []
    for i in range(0, len(values), width):
        x, y = _places(values[i : i + 2], size)
        visible = values[i + 2] if width == 3 else 2 * (x > 0 or y > 0)
        joints += [x, y, visible]
    return joints


def _check_shares(values: Sequence[float]) -> None:
    """Raises RecordError unless all values are shares of the picture."""
    for value in values:
        if not -_SLACK <= value <= 1 + _SLACK:
            raise RecordError(
                f"{value:g} is no share of the picture from 0 to 1; are the numbers pixels?"
            )
