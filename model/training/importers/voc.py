"""Pascal VOC XML: one file a picture, with `bndbox` corners; image sets give the split.

Official files count pixels from 1 and include the last one; many tools count from 0. A data set
in which any corner is 0 is read the second way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

from model.errors import RecordError
from model.training.importers.draft import Draft, DraftObject, Rows
from model.training.importers.source import Source, split_of
from model.training.importers.values import Bbox, from_corners, label_of, size_of
from model.types import Size


class Voc:
    """Reads Pascal VOC XML."""

    name = "voc"
    needs = "an .xml file for each picture, with <annotation> and <object>"

    def recognises(self, source: Source) -> bool:
        """Returns whether one of the first XML files is an annotation."""
        return any("<annotation" in source.head(file) for file in source.named(".xml")[:50])

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each XML file."""
        splits = _image_sets(source, rows)
        drafts = []
        for file in source.named(".xml"):
            with rows.guard(file, "the whole file"):
                root = parse_xml(source, file)
                if root.tag == "annotation":
                    drafts.append(_draft(root, file, source, rows, splits))
        lowest = (side for d in drafts for thing in d.objects for side in thing.bbox[:2])
        if drafts and not any(corner == 0 for corner in lowest):
            rows.note("Corners count from 1, as in the official data set.")
            for draft in drafts:
                for thing in draft.objects:
                    thing.bbox = _from_one(thing.bbox)
        yield from drafts


def parse_xml(source: Source, file: PurePosixPath) -> Element:
    """Returns an XML file's root; a file that defines entities is refused.

    Raises:
        RecordError, ValueError, SyntaxError: it is no such file.
    """
    return ElementTree.fromstring(source.read_bytes(file), forbid_dtd=True)


def stated_size(root: Element) -> Size | None:
    """Returns the size in `<size>`, None if there is none or it is 0×0."""
    return size_of(_whole(root.findtext("size/width")), _whole(root.findtext("size/height")))


def corners(box: Element) -> list[float]:
    """Returns the corners of a `<bndbox>` as written; raises RecordError if one is missing."""
    values = []
    for name in ("xmin", "ymin", "xmax", "ymax"):
        text = box.findtext(name)
        if text is None:
            raise RecordError(f"<{name}> is missing.")
        values.append(float(text))
    return values


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.strip() else None


def _draft(
    root: Element, file: PurePosixPath, source: Source, rows: Rows, splits: dict[str, str]
) -> Draft:
    draft = Draft(
        _picture(root, file, source),
        file,
        "the whole file",
        stated=stated_size(root),
        split=splits.get(file.stem) or split_of(file),
        exhaustive=True,
    )
    for number, thing in enumerate(root.findall("object"), 1):
        num_refused = rows.num_refused
        with rows.guard(file, f"object {number}"):
            box = thing.find("bndbox")
            if box is None:
                raise RecordError("<bndbox> is missing.")
            label = label_of(thing.findtext("name"))
            draft.add_object(DraftObject(label, from_corners(corners(box)), f"object {number}"))
        draft.exhaustive &= rows.num_refused == num_refused
    return draft


def _picture(root: Element, file: PurePosixPath, source: Source) -> PurePosixPath:
    """Returns the picture of `<filename>`, else the one called like the XML file."""
    try:
        return source.picture((root.findtext("filename") or "").strip(), file)
    except RecordError:
        return source.picture_by_id(file.stem, file)


def _image_sets(source: Source, rows: Rows) -> dict[str, str]:
    """Returns the split of each stem that a file in ImageSets/Main lists."""
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for file in source.named(".txt"):
            if file.stem == split and "ImageSets" in file.parts:
                with rows.guard(file, "the whole file"):
                    for line in source.read_text(file).splitlines():
                        if line.strip():
                            splits[line.split()[0]] = split
    return splits


def _from_one(bbox: Bbox) -> Bbox:
    """Returns a box counted from 0 of corners counted from 1, the last pixel included."""
    x, y, width, height = bbox
    return x - 1, y - 1, width + 1, height + 1
