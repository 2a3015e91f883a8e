"""COCO JSON: boxes, polygons and run lengths, key points, captions; also LVIS.

Several files about the same pictures (instances, person key points, captions) are brought
together by the pictures' names and the annotations' ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlparse

from model.errors import RecordError
from model.records import NUM_JOINTS
from model.training.importers.draft import Draft, DraftObject, Json, Rows
from model.training.importers.outlines import outlines_of_rle
from model.training.importers.source import Source, split_of
from model.training.importers.values import (
    Bbox,
    bbox_of,
    label_of,
    name_of,
    numbers,
    shown,
    size_of,
    text_of,
)


def is_coco(value: object) -> bool:
    """Returns whether a JSON value has COCO's two lists."""
    return isinstance(value, dict) and all(
        isinstance(value.get(key), list) for key in ("images", "annotations")
    )


class Coco:
    """Reads COCO JSON."""

    name = "coco"
    needs = "a .json file with the lists `images` and `annotations`"

    def recognises(self, source: Source) -> bool:
        """Returns whether any JSON file has COCO's two lists."""
        return any(is_coco(value) for _, value in source.jsons())

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields the pictures of every COCO file."""
        for file in source.named(".json"):
            with rows.guard(file, "the whole file"):
                value = source.json(file)
                if is_coco(value):
                    yield from CocoFile(value, file, source, rows).drafts.values()


class CocoFile:
    """One COCO file, read at once.

    Attributes:
        drafts: what it says about each picture, by image id.
        boxes: the object of each annotation id: its picture's id and its index there.
        classes: names by category id.
    """

    def __init__(self, value: Json, file: PurePosixPath, source: Source, rows: Rows) -> None:
        self.drafts: dict[int | str, Draft] = {}
        self.boxes: dict[int | str, tuple[int | str, int]] = {}
        self.classes: dict[int | str, str] = {}
        self._poses: set[int | str] = set()
        self._file, self._source, self._rows = file, source, rows
        self._refused: dict[int | str, int] = {}
        self._seen: set[int | str] = set()
        split = split_of(file)
        categories = value.get("categories") or []
        for index, category in enumerate(categories if isinstance(categories, list) else []):
            with rows.guard(file, f"categories[{index}]"):
                self._add_category(category)
        for index, image in enumerate(value["images"]):
            with rows.guard(file, f"images[{index}]"):
                self._add_image(image, f"images[{index}]", split)
        for index, annotation in enumerate(value["annotations"]):
            with rows.guard(file, f"annotations[{index}]"):
                self._add_annotation(annotation, f"annotations[{index}]")
        rows.num_lost += sum(self._refused.values())

    def _add_category(self, category: Json) -> None:
        identifier, name = name_of(category["id"]), label_of(category["name"])
        if self.classes.get(identifier, name) != name:
            raise RecordError(f"category id {shown(identifier)} is used twice.")
        self.classes[identifier] = name
        joints = category.get("keypoints")
        if isinstance(joints, list) and len(joints) == NUM_JOINTS:
            self._poses.add(identifier)

    def _add_image(self, image: Json, row: str, split: str) -> None:
        identifier = name_of(image["id"])
        if identifier in self.drafts or identifier in self._refused:
            raise RecordError(f"image id {shown(identifier)} is used twice.")
        self._refused[identifier] = 0
        name = image.get("file_name")
        if name is None and isinstance(image.get("coco_url"), str):  # LVIS has no file names
            name = PurePosixPath(urlparse(image["coco_url"]).path).name
        if name is None:
            raise RecordError("'file_name' is missing.")
        self.drafts[identifier] = Draft(
            self._source.picture(name, self._file),
            self._file,
            row,
            stated=size_of(image.get("width"), image.get("height")),
            split=split,
            exhaustive=bool(self.classes) and "neg_category_ids" not in image,
        )
        del self._refused[identifier]

    def _add_annotation(self, annotation: Json, row: str) -> None:
        image = name_of(annotation["image_id"])
        if image in self._refused:
            self._refused[image] += 1
            return
        if image not in self.drafts:
            raise RecordError(f"image id {shown(image)} is not among the images.")
        draft = self.drafts[image]
        if "caption" in annotation:
            draft.add_caption(text_of(annotation["caption"]).strip())
            return
        sound, draft.exhaustive = draft.exhaustive, False
        identifier = self._own_id(annotation)
        index = draft.add_object(self._object(annotation, identifier, draft, row))
        if identifier is not None:
            self.boxes[identifier] = (image, index)
        # An object that was refused on the way here leaves a picture with an instance unmarked.
        draft.exhaustive = sound

    def _own_id(self, annotation: Json) -> int | str | None:
        if annotation.get("id") is None:
            return None
        identifier = name_of(annotation["id"])
        if identifier in self._seen:
            raise RecordError(f"annotation id {shown(identifier)} is used twice.")
        self._seen.add(identifier)
        return identifier

    def _object(
        self, annotation: Json, identifier: int | str | None, draft: Draft, row: str
    ) -> DraftObject:
        category = name_of(annotation["category_id"])
        if category not in self.classes:
            raise RecordError(f"category id {shown(category)} is not among the categories.")
        crowd = annotation.get("iscrowd", 0) in (1, True)
        poly = [] if crowd else self._outlines(annotation.get("segmentation"), draft)
        thing = DraftObject(
            self.classes[category],
            _bbox(annotation.get("bbox"), poly),
            row,
            None if identifier is None else str(identifier),
            crowd,
            poly,
        )
        joints = annotation.get("keypoints")
        if joints and category in self._poses:
            thing.keypoints = numbers(joints, NUM_JOINTS * 3)
        elif joints:
            self._rows.note(f"Key points that are not a person's {NUM_JOINTS} were passed over.")
        return thing

    def _outlines(self, segmentation: object, draft: Draft) -> list[list[float]]:
        """Returns outlines of polygons or run lengths."""
        if not segmentation:
            return []
        if isinstance(segmentation, dict):
            size = draft.stated or self._source.size(draft.picture)
            return outlines_of_rle(segmentation, size)
        if not isinstance(segmentation, list):
            raise RecordError(f"segmentation {shown(segmentation)} is neither polygons nor RLE.")
        return [list(outline) for outline in segmentation]


def _bbox(bbox: object, poly: list[list[float]]) -> Bbox:
    """Returns the box that was given, or the one around the outlines if none was."""
    if bbox or not poly:
        return bbox_of(bbox)
    places = [numbers(outline, len(outline)) for outline in poly]
    xs = [x for outline in places for x in outline[::2]]
    ys = [y for outline in places for y in outline[1::2]]
    return bbox_of([min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)])
