"""A small set of records on disk, and a model that knows the right answer to every query."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from model.backends.base import Backend, Card, EncodedPicture
from model.metrics import vqa
from model.records import Record
from model.types import (
    Answer,
    Box,
    Capability,
    Event,
    Finish,
    Grounding,
    Mask,
    Phrase,
    Points,
    Region,
    Size,
    Turn,
)

WIDTH, HEIGHT = 64, 48


def _joints(x: float, y: float) -> list[float]:
    return [n for i in range(17) for n in (x + i % 4, y + i, 2)]


def plain_records() -> list[dict[str, Any]]:
    """Four records as they lie on disk: two dogs, a street, a portrait, an empty field."""
    dogs = {
        "objects": [
            {"label": "dog", "bbox": [4, 8, 20, 32], "crowd": 0, "poly": [[4, 8, 24, 8, 24, 40]]},
            {"label": "dog", "bbox": [36, 8, 24, 32], "crowd": 0},
            {"label": "frisbee", "bbox": [26, 20, 6, 6], "crowd": 0},
        ],
        "captions": ["two dogs and a frisbee", "a dog chases another", "dogs playing outside"],
        "grounded": [
            {"caption": 0, "start": 0, "end": 8, "objects": [0, 1], "label": "dog"},
            {"caption": 0, "start": 13, "end": 22, "objects": [2], "label": "frisbee"},
        ],
        "refs": [
            {"text": "the dog on the left", "object": 0, "kind": "position"},
            {"text": "the frisbee", "object": 2, "kind": "unique"},
        ],
    }
    street = {
        "objects": [
            {"label": "bus", "bbox": [16, 4, 24, 40], "crowd": 0},
            {"label": "person", "bbox": [44, 10, 12, 30], "crowd": 0},
            {"label": "car", "bbox": [34, 30, 20, 12], "crowd": 1},
        ],
        "captions": ["a bus on a street", "the red bus waits for a man", "a man beside a bus"],
        "refs": [{"text": "the bus", "object": 0, "kind": "unique"}],
    }
    portrait = {
        "objects": [
            {
                "label": "person",
                "bbox": [8, 4, 40, 40],
                "crowd": 0,
                "keypoints": _joints(20, 10),
                "attrs": {"top_color": "red"},
                "poly": [[8, 4, 48, 4, 48, 44, 8, 44]],
            }
        ],
        "captions": ["a woman in a red shirt smiles", "portrait of a woman", "a smiling lady"],
    }
    field = {"captions": ["an empty field", "green grass", "nothing but grass and sky"]}
    scenes = {"dogs": dogs, "street": street, "portrait": portrait, "field": field}
    return [
        {
            "id": name,
            "width": WIDTH,
            "height": HEIGHT,
            "label_space": "coco80",
            "exhaustive": True,
            "shard": "shard-0.tar",
            "image": f"{name}.png",
            "objects": [],
            **scene,
        }
        for name, scene in scenes.items()
    ]


def write_records(folder: Path, records: Sequence[dict[str, Any]] | None = None) -> Path:
    """Writes a gzipped JSONL with a tar beside it, which also holds a picture of another split."""
    records = plain_records() if records is None else records
    with tarfile.open(folder / "shard-0.tar", "w") as tar:
        for number, name in enumerate([*(r["image"] for r in records), "of-another-split.png"]):
            picture = io.BytesIO()
            Image.new("RGB", (WIDTH, HEIGHT), (10 * number, 0, 0)).save(picture, "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(picture.getvalue())
            tar.addfile(member, io.BytesIO(picture.getvalue()))
    path = folder / "set.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return path


class Oracle(Backend):
    """Answers every query rightly; it recognises a picture by its pixels.

    Args:
        records: what it knows.
        capabilities: what its card declares; None means everything.
    """

    def __init__(
        self, records: Sequence[Record], capabilities: frozenset[Capability] | None = None
    ) -> None:
        self._records = {r.read_picture().tobytes(): r for r in records}
        self.encodings = 0
        able = frozenset(Capability) if capabilities is None else capabilities
        self.card = Card("oracle", "fake", "queries", able, threshold=0.5)

    def encode(self, picture: Image.Image) -> EncodedPicture:
        """Returns the record of the picture."""
        self.encodings += 1
        return EncodedPicture("", Size(*picture.size), self._records[picture.tobytes()])

    def detect(
        self,
        picture: Image.Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns the objects with these labels."""
        record = _record(picture)
        found = []
        for name in names:
            boxes = [o.box for o in record.objects if o.label == name]
            if boxes:
                found.append(_grounding(name, boxes))
        return Answer("", tuple(found), finish=Finish.STOP if found else Finish.ABSENT)

    def ground(
        self,
        picture: Image.Image | EncodedPicture,
        caption: str,
        spans: Sequence[tuple[int, int]],
        *,
        threshold: float | None = None,
    ) -> Answer:
        """Returns the boxes of the record's phrases."""
        record = _record(picture)
        return Answer(
            caption,
            tuple(
                _grounding(
                    caption[g.start : g.end],
                    [record.objects[i].box for i in g.objects],
                    (g.start, g.end),
                )
                for g in record.grounded
                if (g.start, g.end) in spans and record.captions[g.caption] == caption
            ),
        )

    def stream(
        self,
        picture: Image.Image | EncodedPicture,
        question: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Turn] = (),
        task: Capability | None = None,
        threshold: float | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yields the right answer."""
        record = _record(picture)
        match task:
            case Capability.REFER:
                thing = next(record.objects[r.object] for r in record.refs if r.text == question)
                far = Box(0.9, 0.9, 1.0, 1.0)
                yield Answer("", (Grounding(Phrase(question), (far, thing.box), (0.1, 0.9)),))
            case Capability.CAPTION:
                yield Answer(record.captions[0])
            case Capability.CHAT:
                asked = next(q for q in vqa.questions(record) if q.text == question)
                yield Answer(" ".join(sorted(asked.truth)))
            case _:
                yield self._about(record, regions[0])

    def _about(self, record: Record, region: Region) -> Answer:
        thing = next(o for o in record.objects if _means(region, o.box) and not o.crowd)
        masks: tuple[Mask, ...] = (thing.mask(record.size),) if thing.polygons else ()
        poses = (thing.keypoints,) if thing.keypoints else ()
        where = Grounding(Phrase(thing.label), (thing.box,), (0.8,), masks, poses)
        return Answer(f"a {thing.label} seen from far away", (where,))


def _means(region: Region, box: Box) -> bool:
    if isinstance(region.shape, Points):
        place = region.shape.points[0]
        return box.x0 <= place.x <= box.x1 and box.y0 <= place.y <= box.y1
    return region.shape == box


def _record(picture: Image.Image | EncodedPicture) -> Record:
    assert isinstance(picture, EncodedPicture)
    assert isinstance(picture.state, Record)
    return picture.state


def _grounding(
    text: str, boxes: Sequence[Box], span: tuple[int | None, int | None] = (None, None)
) -> Grounding:
    return Grounding(Phrase(text, *span), tuple(boxes), (0.9,) * len(boxes))
