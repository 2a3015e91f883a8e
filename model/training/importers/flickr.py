"""Flickr30k Entities: five captions a picture, their phrases tied to boxes.

`Sentences/N.txt` holds `[/EN#283585/people Two young guys] with ...`; `Annotations/N.xml` the boxes
of each entity number. Entity 0 and scenes have no boxes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from model.errors import RecordError
from model.training.importers.draft import Draft, DraftObject, DraftPhrase, Rows
from model.training.importers.examples import plain_label
from model.training.importers.source import Source
from model.training.importers.values import Bbox, from_corners, text_of
from model.training.importers.voc import corners, parse_xml, stated_size

_PHRASE = re.compile(r"\[/EN#(\d+)/(\S{1,100}) ([^\[\]]{1,500})\]")


class FlickrEntities:
    """Reads Flickr30k Entities."""

    name = "flickr30k"
    needs = "the folders Sentences (.txt with [/EN#...]) and Annotations (.xml)"

    def recognises(self, source: Source) -> bool:
        """Returns whether one of the first text files has tied phrases."""
        return any("[/EN#" in source.head(file) for file in source.named(".txt")[:50])

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each file of sentences."""
        boxes = {file.stem: file for file in source.named(".xml")}
        for file in source.named(".txt"):
            if "[/EN#" not in source.head(file):
                continue
            with rows.guard(file, "the whole file"):
                if file.stem not in boxes:
                    raise RecordError(f"{file.stem}.xml with its boxes is missing.")
                draft = Draft(source.picture_by_id(file.stem, file), file, "the whole file")
                entities = _boxes(boxes[file.stem], draft, source, rows)
                for number, line in enumerate(source.read_text(file).splitlines(), 1):
                    with rows.guard(file, f"line {number}"):
                        if line.strip():
                            _add_sentence(line, number, draft, entities)
                yield draft


def _boxes(
    file: PurePosixPath, draft: Draft, source: Source, rows: Rows
) -> dict[str, list[tuple[Bbox, str]]]:
    """Returns each entity's boxes and where they were said."""
    root = parse_xml(source, file)
    draft.stated = stated_size(root)
    entities: dict[str, list[tuple[Bbox, str]]] = defaultdict(list)
    for number, thing in enumerate(root.findall("object"), 1):
        with rows.guard(file, f"object {number}"):
            box = thing.find("bndbox")
            if box is not None:
                bbox = from_corners(corners(box))
                for name in thing.findall("name"):
                    entities[name.text or ""].append((bbox, f"{file.name}, object {number}"))
    return entities


def _add_sentence(
    line: str, number: int, draft: Draft, entities: dict[str, list[tuple[Bbox, str]]]
) -> None:
    """Adds a sentence, and every phrase that has boxes, to a draft."""
    text, spans, done = "", [], 0
    for match in _PHRASE.finditer(line):
        text += line[done : match.start()]
        spans.append((match[1], match[2], len(text), len(text) + len(match[3])))
        text += match[3]
        done = match.end()
    text = text_of(text + line[done:]).rstrip()
    caption = draft.add_caption(text)
    for entity, kind, start, end in spans:
        label = plain_label(text[start:end])
        objects = [_index(draft, label, bbox, row) for bbox, row in entities.get(entity, ())]
        if objects and end <= len(text):
            draft.grounded.append(DraftPhrase(caption, start, end, objects, kind.split("/")[0]))


def _index(draft: Draft, label: str, bbox: Bbox, row: str) -> int:
    """Returns the object with a box; five people's phrases for it make it one object, not five."""
    for index, thing in enumerate(draft.objects):
        if thing.bbox == bbox:
            thing.label = min(thing.label, label, key=len)
            return index
    return draft.add_object(DraftObject(label, bbox, row))
