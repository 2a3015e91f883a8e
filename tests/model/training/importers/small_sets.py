"""Small data sets in every foreign format, written as their official files are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.training.importers import ImportReport, import_dataset, read_lines

Json = dict[str, Any]
WIDTH, HEIGHT = 64, 48


def write_picture(path: Path, shade: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Writes a PNG whose pixels differ from those of every other shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), shade, np.uint8)
    pixels[:8, :8] = 255 - shade
    Image.fromarray(pixels).save(path)
    return path


def write_json(path: Path, value: object) -> Path:
    """Writes a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    """Writes JSON lines; a text is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def imported(source: Path, out: Path, **options: Any) -> tuple[ImportReport, list[Json]]:
    """Imports a data set and returns the report and the records in the order of their ids."""
    report = import_dataset(source, out, **options)
    return report, sorted(read_lines(out), key=lambda value: value["id"])


def coco_value(num: int = 3) -> Json:
    """Returns COCO JSON of `num` pictures with a cat each and a dog in the first."""
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT} for i in range(num)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            *(
                {"id": i, "image_id": i, "category_id": 1, "bbox": [8, 6, 20, 12], "iscrowd": 0}
                for i in range(num)
            ),
            {"id": 90, "image_id": 0, "category_id": 7, "bbox": [30, 20, 10, 16], "iscrowd": 0},
        ],
    }


def coco(folder: Path) -> Path:
    """Writes COCO instances with pictures."""
    for i in range(3):
        write_picture(folder / "images" / f"{i}.png", i)
    write_json(folder / "instances.json", coco_value())
    return folder


def yolo(folder: Path) -> Path:
    """Writes YOLO labels with data.yaml."""
    for i in range(3):
        write_picture(folder / "images/train" / f"{i}.png", i)
        label = folder / "labels/train" / f"{i}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.5 0.5\n")
    (folder / "data.yaml").write_text("path: .\ntrain: images/train\nnames: [cat, dog]\n")
    return folder


VOC_XML = """<annotation><folder>JPEGImages</folder><filename>{0}.png</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>9</xmin><ymin>7</ymin><xmax>28</xmax><ymax>18</ymax></bndbox></object>
<object><name>dog</name>
<bndbox><xmin>31</xmin><ymin>21</ymin><xmax>40</xmax><ymax>36</ymax></bndbox></object>
</annotation>"""


def voc(folder: Path) -> Path:
    """Writes Pascal VOC files."""
    (folder / "Annotations").mkdir(parents=True)
    for i in range(3):
        write_picture(folder / "JPEGImages" / f"{i}.png", i)
        (folder / "Annotations" / f"{i}.xml").write_text(VOC_XML.format(i))
    return folder


def odvg(folder: Path) -> Path:
    """Writes ODVG rows, one of each kind."""
    write_picture(folder / "0.png", 0)
    write_picture(folder / "1.png", 1)
    instances = [{"bbox": [8, 6, 28, 18], "label": 0, "category": "cat"}]
    grounding = {
        "caption": "a cat beside a dog",
        "regions": [
            {"bbox": [8, 6, 28, 18], "phrase": "a cat"},
            {"bbox": [[30, 20, 40, 36], [1, 1, 9, 9]], "phrase": "a dog"},
        ],
    }
    size = {"height": HEIGHT, "width": WIDTH}
    rows = [
        {"filename": "0.png", **size, "detection": {"instances": instances}},
        {"filename": "1.png", **size, "grounding": grounding},
    ]
    write_lines(folder / "odvg.jsonl", rows)
    return folder


def sharegpt(folder: Path) -> Path:
    """Writes chats in the forms of Qwen-VL, Qwen2-VL and Qwen3-VL."""
    for i in range(3):
        write_picture(folder / f"{i}.png", i)

    def chat(i: int, question: str, answer: str) -> Json:
        said = [
            {"from": "human", "value": f"<image>\n{question}"},
            {"from": "gpt", "value": answer},
        ]
        return {"id": str(i), "image": f"{i}.png", "conversations": said}

    start, end = "<|object_ref_start|>", "<|object_ref_end|>"
    rows = [
        chat(0, "Describe this.", "<ref>A cat</ref><box>(125,250),(625,750)</box> sits."),
        chat(1, "Find it.", f"{start}the cat{end}<|box_start|>(125,250),(625,750)<|box_end|>"),
        chat(2, "Where is the cat?", '[{"bbox_2d": [125, 250, 625, 750], "label": "cat"}]'),
    ]
    write_json(folder / "chats.json", rows)
    return folder


def narratives(folder: Path) -> Path:
    """Writes Localized Narratives."""
    for i in range(2):
        write_picture(folder / f"{i:012}.png", i)
    row = {
        "dataset_id": "mscoco_train2017",
        "annotator_id": 1,
        "caption": "In this picture we can see a cat.",
        "timed_caption": [
            {"utterance": "In this picture", "start_time": 0.0, "end_time": 1.0},
            {"utterance": "we can see a cat", "start_time": 1.0, "end_time": 2.0},
        ],
        "traces": [
            [{"x": 0.1, "y": 0.2, "t": 0.1}, {"x": 0.3, "y": 0.4, "t": 0.9}],
            [{"x": 0.5, "y": 0.5, "t": 1.5}, {"x": 1.02, "y": 0.75, "t": 1.9}],
        ],
    }
    write_lines(folder / "narratives.jsonl", [{**row, "image_id": i} for i in ("0", "1")])
    return folder


def turns(folder: Path) -> Path:
    """Writes corrections."""
    rows = []
    for i in range(2):
        write_picture(folder / "pictures" / f"{i}.png", i)
        phrase = {"text": "A cat", "start": 0, "end": 5}
        answer = {
            "text": "A cat sits.",
            "groundings": [{"phrase": phrase, "boxes": [[0.125, 0.25, 0.5, 0.75]], "scores": [1]}],
        }
        naming = {
            "question": "What is @1?",
            "regions": [{"name": "@1", "box": [0.5, 0.5, 1, 1]}],
            "answer": {"text": "A red ball."},
        }
        question = {"question": "Describe this picture.", "answer": answer}
        rows.append(
            {
                "picture": f"pictures/{i}.png",
                "width": WIDTH,
                "height": HEIGHT,
                "turns": [question, naming],
            }
        )
    write_lines(folder / "examples.jsonl", rows)
    return folder


def refcoco(folder: Path) -> Path:
    """Writes refs exported to JSON beside official instances."""
    coco(folder)
    refs = [
        {
            "ref_id": i,
            "ann_id": i,
            "image_id": i,
            "category_id": 1,
            "file_name": f"COCO_train2014_{i}_0.jpg",
            "split": split,
            "sentences": [{"raw": "the cat on the left", "sent": "the cat on left", "sent_id": i}],
            "sent_ids": [i],
        }
        for i, split in enumerate(("train", "val", "testA"))
    ]
    write_json(folder / "refs.json", refs)
    return folder


def genome(folder: Path) -> Path:
    """Writes Visual Genome's region descriptions."""
    rows = []
    for i in (1, 2):
        write_picture(folder / "VG_100K" / f"{i}.png", i)
        region = {"image_id": i, "region_id": i, "x": 8, "y": 6, "width": 20, "height": 12}
        rows.append({"id": i, "regions": [{**region, "phrase": "the cat is asleep"}]})
    write_json(folder / "region_descriptions.json", rows)
    return folder


ENTITIES_XML = """<annotation><filename>{0}.jpg</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>11</name><name>12</name>
<bndbox><xmin>8</xmin><ymin>6</ymin><xmax>28</xmax><ymax>18</ymax></bndbox></object>
<object><name>13</name><scene>1</scene><nobndbox>1</nobndbox></object></annotation>"""


def flickr(folder: Path) -> Path:
    """Writes Flickr30k Entities."""
    for i in (100, 200):
        write_picture(folder / "images" / f"{i}.png", i)
        for kind in ("Sentences", "Annotations"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / "Annotations" / f"{i}.xml").write_text(ENTITIES_XML.format(i))
        (folder / "Sentences" / f"{i}.txt").write_text(
            "[/EN#11/people A young man] with [/EN#12/bodyparts hair] in [/EN#13/scene a park] .\n"
            "[/EN#11/people A man] waits .\n"
        )
    return folder


def records(folder: Path) -> Path:
    """Writes a data set as an import leaves it."""
    import_dataset(coco(folder.with_name(f"{folder.name}-before")), folder, val_share=0.34)
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "odvg": odvg,
    "sharegpt": sharegpt,
    "narratives": narratives,
    "turns": turns,
    "refcoco": refcoco,
    "genome": genome,
    "flickr30k": flickr,
    "records": records,
}
"""A writer for each format, by the name it is imported under."""
