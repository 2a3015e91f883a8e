"""A draft and its picture become one line of a data set: the one place where boxes are judged."""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import RecordError
from model.records import NUM_JOINTS
from model.training.importers.draft import Draft, DraftObject, DraftPhrase, DraftRef, Json, Rows
from model.training.importers.pictures import StoredPicture
from model.training.importers.values import Bbox, bbox_of, label_of, numbers, shown, text_of
from model.turns import turn_from_json, turn_to_json
from model.types import Size

MAX_OUTLINE = 20_000
"""Numbers in one outline."""


class RecordWriter:
    """Turns drafts into records; counts what makes one doubt the whole file.

    Attributes:
        num_objects: objects that were kept.
        num_cut: of these, how many reached beyond the picture by more than a pixel.
        num_corners: of those, how many would fit if read as x0, y0, x1, y1.
    """

    def __init__(self, rows: Rows, label_space: str, max_objects: int) -> None:
        self._rows, self._space, self._max_objects = rows, label_space, max_objects
        self.num_objects = self.num_cut = self.num_corners = 0

    def write(
        self, draft: Draft, stored: StoredPicture, identifier: str
    ) -> tuple[Json, list[Bbox]]:
        """Returns the record's JSON without its split, and its boxes as they were before rounding.

        Raises:
            RecordError: nothing sound can be made of the draft.
        """
        if len(draft.objects) > self._max_objects:
            raise RecordError(
                f"the picture has {len(draft.objects)} objects; at most {self._max_objects} "
                "are allowed."
            )
        kept: dict[int, int] = {}
        objects: list[Json] = []
        boxes_px: list[Bbox] = []
        for index, thing in enumerate(draft.objects):
            with self._rows.guard(draft.file, thing.row):
                bbox = self._inside(bbox_of(thing.bbox), stored.size)
                objects.append(_object(thing, bbox, stored.size))
                boxes_px.append(bbox)
                kept[index] = len(objects) - 1
        captions = [text_of(caption) for caption in draft.captions]
        value: Json = {
            "id": identifier,
            "width": stored.size.width,
            "height": stored.size.height,
            "source": str(draft.picture),
            "label_space": self._space if draft.exhaustive else "none",
            "exhaustive": draft.exhaustive and len(kept) == len(draft.objects),
            "objects": objects,
            "captions": captions,
            "grounded": self._grounded(draft.grounded, captions, kept),
            "refs": self._refs(draft.refs, kept),
            "image": f"pictures/{stored.name}",
        }
        if draft.turns:
            value["turns"] = [turn_to_json(turn_from_json(turn)) for turn in draft.turns]
        self.num_objects += len(objects)
        return value, boxes_px

    def _inside(self, bbox: Bbox, size: Size) -> Bbox:
        """Returns a box cut at the picture's edges; raises RecordError if nothing is left."""
        x, y, width, height = bbox
        x0, x1 = (min(max(side, 0.0), float(size.width)) for side in (x, x + width))
        y0, y1 = (min(max(side, 0.0), float(size.height)) for side in (y, y + height))
        if x1 - x0 < 0.01 or y1 - y0 < 0.01:
            raise RecordError(
                f"the box x {x:g}, y {y:g}, width {width:g}, height {height:g} lies outside the "
                f"{size.width}×{size.height} picture, or has no area inside it."
            )
        beyond = max(x0 - x, y0 - y, x + width - x1, y + height - y1)
        if beyond > 1:
            self.num_cut += 1
            self.num_corners += x < width <= size.width + 1 and y < height <= size.height + 1
            self._rows.note("A box reached beyond the picture and was cut at its edge.")
        return x0, y0, x1 - x0, y1 - y0

    def _grounded(
        self, phrases: Sequence[DraftPhrase], captions: Sequence[str], kept: dict[int, int]
    ) -> list[Json]:
        lines = []
        for phrase in phrases:
            objects = [kept[index] for index in phrase.objects if index in kept]
            if not objects:
                self._rows.note("A phrase lost its place, because its boxes were refused.")
                continue
            lines.append(
                {
                    "caption": phrase.caption,
                    "start": phrase.start,
                    "end": phrase.end,
                    "phrase": captions[phrase.caption][phrase.start : phrase.end],
                    "objects": objects,
                    "label": phrase.label,
                }
            )
        return lines

    def _refs(self, refs: Sequence[DraftRef], kept: dict[int, int]) -> list[Json]:
        return [
            {"text": text_of(ref.text), "object": kept[ref.object], "kind": ref.kind}
            for ref in refs
            if ref.object in kept
        ]


def _object(thing: DraftObject, bbox: Bbox, size: Size) -> Json:
    value: Json = {
        "label": label_of(thing.label),
        "bbox": [round(side, 2) for side in bbox],
        "crowd": int(thing.crowd),
    }
    if thing.poly:
        value["poly"] = [_outline(outline, size) for outline in thing.poly]
    if thing.keypoints:
        joints = numbers(thing.keypoints, NUM_JOINTS * 3)
        value["keypoints"] = [round(joint, 2) for joint in joints]
    return value


def _outline(values: Sequence[float], size: Size) -> list[float]:
    """Returns an outline within the picture; raises RecordError if it has under three places."""
    if not isinstance(values, list) or len(values) < 6 or len(values) % 2:
        raise RecordError(f"an outline is x, y of at least three places; got {shown(values)}.")
    if len(values) > MAX_OUTLINE:
        raise RecordError(f"an outline has {len(values)} numbers; at most {MAX_OUTLINE}.")
    places = numbers(values, len(values))
    ends = (float(size.width), float(size.height))
    return [round(min(max(side, 0.0), ends[i % 2]), 2) for i, side in enumerate(places)]
