"""RefCOCO, RefCOCO+ and RefCOCOg: expressions, each for one object of COCO's instances.

Officially the expressions come as a pickle, `refs(unc).p`. A pickle can run any code when it is
opened, so it is never opened here: it has to be exported to JSON once, as the list of refs it is
(`ref_id, ann_id, image_id, split, sentences`), beside the official `instances.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from model.errors import RecordError
from model.training.importers.coco import CocoFile, is_coco
from model.training.importers.draft import Draft, DraftRef, Json, Rows
from model.training.importers.source import Source
from model.training.importers.values import name_of, shown, text_of

_SPLITS = {"train": "train", "val": "val", "test": "test", "testA": "test", "testB": "test"}
_PICKLES = (".p", ".pkl", ".pickle")


def _is_refs(value: object) -> bool:
    return (
        isinstance(value, list)
        and any(isinstance(row, dict) for row in value[:20])
        and all(
            {"ann_id", "sentences"} <= row.keys() for row in value[:20] if isinstance(row, dict)
        )
    )


class RefCoco:
    """Reads the expressions of RefCOCO exported to JSON, with their instances."""

    name = "refcoco"
    needs = "a .json list of refs (`ann_id`, `sentences`) and COCO's instances.json"

    def recognises(self, source: Source) -> bool:
        """Returns whether there are refs, or the pickle they officially come as."""
        return bool(_pickles(source)) or any(_is_refs(value) for _, value in source.jsons())

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields the pictures that have expressions, with all their objects."""
        files = [(file, value) for file, value in source.jsons() if _is_refs(value)]
        for file in _pickles(source):
            rows.refuse(
                file,
                "the whole file",
                "it is a pickle, which can run code when opened, and is never opened here; on a "
                "machine you trust, write the list in it to refs.json.",
            )
        instances = [
            CocoFile(value, file, source, rows) for file, value in source.jsons() if is_coco(value)
        ]
        if files and not instances:
            raise RecordError("COCO's instances.json is missing; put it beside the refs.")
        for file, value in files:
            yield from _drafts(file, value, instances, rows)


def _pickles(source: Source) -> list[PurePosixPath]:
    return [file for file in source.named(*_PICKLES) if file.name.startswith("refs")]


def _drafts(
    file: PurePosixPath, value: list[Json], instances: list[CocoFile], rows: Rows
) -> Iterator[Draft]:
    drafts: dict[int, Draft] = {}
    for index, row in enumerate(value):
        with rows.guard(file, f"item {index + 1}"):
            draft, thing = _object(row, instances)
            split = _SPLITS.get(row.get("split", "train"))
            if split is None:
                raise RecordError(f"split {shown(row['split'])} is not one of {[*_SPLITS]}.")
            draft.split = max(draft.split, split, key=["", "train", "val", "test"].index)
            for sentence in row["sentences"]:
                words = sentence.get("raw") or sentence["sent"]
                draft.refs.append(DraftRef(text_of(words).strip(), thing))
            drafts[id(draft)] = draft
    yield from drafts.values()


def _object(row: Json, instances: list[CocoFile]) -> tuple[Draft, int]:
    """Returns the picture a ref is about and the index of its object there."""
    identifier = name_of(row["ann_id"])
    for file in instances:
        if identifier in file.boxes:
            image, index = file.boxes[identifier]
            if row.get("image_id", image) != image:
                raise RecordError(
                    f"annotation {identifier} is not in image {shown(row['image_id'])}."
                )
            return file.drafts[image], index
    raise RecordError(f"annotation {shown(identifier)} is not in instances.json.")
