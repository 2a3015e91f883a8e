"""The contests: clicks, answer pictures, many boxes, large photographs."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
import supervision as sv
from PIL import Image
from torch import Tensor

from app import intake, render
from model import load
from model.engine import Engine
from model.preprocess import Letterbox
from model.types import Answer, Box, Capability, Grounding, Phrase, Point, Points, Region, Size
from tests.bench.contest import Contest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "bus.jpg"
SIDE = 448


def contests() -> list[Contest]:
    """Returns all contests; loads the shipped checkpoint."""
    return [*_clicks(load("deixis-tiny")), _answer_picture(), _many_boxes(), _large_photograph()]


def _clicks(engine: Engine) -> list[Contest]:
    picture = Image.open(SAMPLE).convert("RGB")
    encoded = engine.encode(picture)
    clicked = (Region("@1", Points((Point(0.3, 0.5),))),)

    def ask(about: object) -> Answer:
        return engine.answer(about, "What is @1?", regions=clicked, task=Capability.CLICK)  # type: ignore[arg-type]

    return [
        Contest(
            "a click answered on an encoded picture",
            "the same model encoding the picture for every click",
            "5 × on a CPU, 3 × on a GPU",
            lambda: ask(encoded),
            lambda: ask(picture),
        )
    ]


def _photograph(width: int, height: int) -> Image.Image:
    return Image.open(SAMPLE).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def _bytes(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _answer_picture() -> Contest:
    content = _bytes(_photograph(1280, 960), "JPEG", quality=90)
    answer = _boxes(5)

    def ours() -> bytes:
        return render.jpeg(render.annotate(intake.read(content).image, answer))

    def theirs() -> bytes:
        pixels = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
        found = _detections(5, 1280, 960)
        scene = sv.BoxAnnotator().annotate(pixels.copy(), found)
        scene = sv.LabelAnnotator().annotate(scene, found)
        return _bytes(Image.fromarray(scene), "WEBP")

    return Contest(
        "1280 × 960 photograph in, answer picture out",
        "picture in and out as Gradio's image component sends it (WebP)",
        "5 ×, and 20 ms",
        ours,
        theirs,
    )


def _many_boxes() -> Contest:
    picture = _photograph(1280, 960)
    answer = _boxes(100)
    marks = [
        ((round(b.x0 * 1280), round(b.y0 * 960), round(b.x1 * 1280), round(b.y1 * 960)), f"{i}")
        for i, b in enumerate(_places(100))
    ]
    with gr.Blocks():
        component = gr.AnnotatedImage()
    return Contest(
        "100 boxes with labels, drawn and packed",
        "gr.AnnotatedImage",
        "100 ×",
        lambda: render.jpeg(render.annotate(picture, answer)),
        lambda: component.postprocess((np.asarray(picture), marks)),
        rounds=5,
    )


def _large_photograph() -> Contest:
    content = _bytes(_photograph(4000, 3000), "JPEG", quality=90)

    def pixels(picture: Image.Image) -> Tensor:
        return Letterbox.fit(Size(*picture.size), SIDE).pixels(picture, SIDE)

    return Contest(
        "12 megapixel JPEG to what the model sees",
        "decoding all of it with Pillow",
        "3 ×",
        lambda: pixels(intake.read(content).image),
        lambda: pixels(Image.open(BytesIO(content)).convert("RGB")),
        rounds=7,
    )


def _places(count: int) -> list[Box]:
    draw = random.Random(0)
    corners = [(0.8 * draw.random(), 0.8 * draw.random()) for _ in range(count)]
    return [Box(x, y, x + 0.05 + 0.1 * draw.random(), y + 0.1) for x, y in corners]


def _boxes(count: int) -> Answer:
    words = [f"thing{i}" for i in range(count)]
    text = " ".join(words)
    groundings = tuple(
        Grounding(Phrase(word, text.index(word), text.index(word) + len(word)), (box,), (0.9,))
        for word, box in zip(words, _places(count), strict=True)
    )
    return Answer(text, groundings)


def _detections(count: int, width: int, height: int) -> sv.Detections:
    scale = np.array([width, height, width, height])
    return sv.Detections(
        xyxy=np.array([box.as_tuple() for box in _places(count)]) * scale,
        class_id=np.arange(count),
    )
