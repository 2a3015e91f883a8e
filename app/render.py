"""An answer as people see it: the annotated picture and what the canvas lights up.

The picture on the page, in exports and from the API is this one render, drawn by supervision.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import supervision as sv
from PIL import Image, ImageDraw, ImageFont

from app.intake import resized
from app.phrases import clip, numbered
from app.theme import PALETTE, colour, ink
from model.types import Answer, Grounding, WordBox

if TYPE_CHECKING:
    from app.session import Exchange
    from model.types import Mask

DRAWN_SIDE = 1280
"""Longer side of a drawn picture, where nobody says how large it will be shown."""

SENT_SIDE = 2048
"""Larger pictures are reduced to this side before they go to a browser."""

LABELS_DRAWN = 60
"""Above this many boxes only the best scored ones get a label."""

JPEG_QUALITY = 88
COCO_EDGES = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
"""Bones of COCO's person, 1-based as supervision counts."""

_FONT_FILE = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
_FILLS = sv.ColorPalette.from_hex(list(PALETTE))
_INKS = sv.ColorPalette.from_hex([ink(fill) for fill in PALETTE])
_JOINT_SEEN = 0.3


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is drawn.

    Attributes:
        box: `box`, `rounded` or `corner`.
        labels: whether boxes carry their number, words and score.
        heat: whether word boxes are drawn as a heat map.
        side: longer side in pixels at which the picture is drawn.
        unit: pixels for each point of a screen; lines and letters grow with it.
    """

    box: str = "rounded"
    labels: bool = True
    heat: bool = False
    side: int = DRAWN_SIDE
    unit: float = 1.6


# --- the overlay ---------------------------------------------------------------------------------


def overlay(exchange: Exchange) -> dict[str, Any]:
    """Returns what the canvas needs to light up an answer's boxes, in the unit frame."""
    answer = exchange.answer or Answer("")
    groups = [
        {
            "g": number,
            "label": clip(grounding.phrase.text),
            "color": colour(number - 1),
            "ink": ink(colour(number - 1)),
            "boxes": [[round(side, 5) for side in box.as_tuple()] for box in grounding.boxes],
            "scores": list(grounding.scores),  # exact: compared with the exact threshold
        }
        for number, grounding in numbered(answer)
    ]
    return {"exchange": exchange.number, "groups": groups, "words": _trace(answer.word_boxes)}


def _trace(word_boxes: Sequence[WordBox]) -> list[dict[str, Any]]:
    return [
        {"text": clip(w.phrase.text, 24), "box": [round(side, 5) for side in w.box.as_tuple()]}
        for w in word_boxes
    ]


# --- the picture ---------------------------------------------------------------------------------


def annotate(
    picture: Image.Image, answer: Answer, threshold: float = 0.0, style: Style | None = None
) -> Image.Image:
    """Returns a copy of the picture with everything drawn that scores at least `threshold`.

    The copy is drawn at the size it will be shown at, so that lines and letters stay crisp.
    """
    style = style or Style()
    scene = resized(picture, style.side, style.side)
    if style.heat and answer.word_boxes:
        scene = _draw_heat(scene, answer.word_boxes, style.unit)
    kept = [(number, g.above(threshold)) for number, g in numbered(answer)]
    kept = [(number, g) for number, g in kept if g.boxes]
    if not kept:
        return scene
    scene = _draw_masks(scene, kept)
    found, labels = _detections(kept, scene.size)
    scene = _box_annotator(style).annotate(scene, found)
    scene = _draw_poses(scene, kept, style.unit)
    return _draw_labels(scene, found, labels, style.unit) if style.labels else scene


@dataclass(frozen=True, slots=True)
class Thing:
    """A box to draw with its words; `number` chooses the colour, from 1."""

    number: int
    box: tuple[float, float, float, float]
    text: str


def draw_boxes(picture: Image.Image, things: Sequence[Thing], style: Style) -> Image.Image:
    """Returns a copy of the picture with boxes that belong to no answer, such as the true ones."""
    scene = resized(picture, style.side, style.side)
    if not things:
        return scene
    found = sv.Detections(
        xyxy=np.array([thing.box for thing in things], dtype=np.float64) * (scene.size * 2),
        confidence=np.ones(len(things)),
        class_id=np.array([thing.number - 1 for thing in things]),
    )
    scene = _box_annotator(style).annotate(scene, found)
    labels = [clip(thing.text, 24) for thing in things]
    return _draw_labels(scene, found, labels, style.unit) if style.labels else scene


def jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Returns a picture as JPEG, the fastest of the formats that browsers show."""
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def data_url(picture: Image.Image) -> str:
    """Returns a picture, reduced to `SENT_SIDE`, inside its own address.

    So it lies on no disk and under no address where somebody else could find it.
    """
    content = jpeg(resized(picture, 1, SENT_SIDE))
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"


def _detections(
    kept: Sequence[tuple[int, Grounding]], size: tuple[int, int]
) -> tuple[sv.Detections, list[str]]:
    """Returns supervision's detections, best first, and their labels."""
    rows = [
        (score, number, box.as_tuple(), grounding.phrase.text)
        for number, grounding in kept
        for box, score in zip(grounding.boxes, grounding.scores, strict=True)
    ]
    rows.sort(key=lambda row: -row[0])
    found = sv.Detections(
        xyxy=np.array([row[2] for row in rows], dtype=np.float64) * (size * 2),
        confidence=np.array([row[0] for row in rows]),
        class_id=np.array([row[1] - 1 for row in rows]),
    )
    return found, [f"{row[1]} {clip(row[3], 24)} {row[0]:.2f}" for row in rows]


def _box_annotator(style: Style) -> Any:  # noqa: ANN401
    thickness = max(2, round(2.2 * style.unit))
    match style.box:
        case "corner":
            length = max(8, round(16 * style.unit))
            return sv.BoxCornerAnnotator(_FILLS, thickness + 1, corner_length=length)
        case "box":
            return sv.BoxAnnotator(_FILLS, thickness)
        case _:
            return sv.RoundBoxAnnotator(_FILLS, thickness, roundness=0.15)


def _draw_labels(
    scene: Image.Image, found: sv.Detections, labels: list[str], unit: float
) -> Image.Image:
    best = slice(0, LABELS_DRAWN)
    annotator = sv.RichLabelAnnotator(
        _FILLS,
        text_color=_INKS,
        text_padding=max(2, round(3.5 * unit)),
        border_radius=max(2, round(4 * unit)),
        smart_position=True,
    )
    annotator.font = _font(max(9, round(12 * unit)))
    kept = found[best]
    assert isinstance(kept, sv.Detections)
    return annotator.annotate(scene, kept, labels[best])


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns the labels' font, which measures a text once; supervision asks three times."""
    font = ImageFont.truetype(str(_FONT_FILE), size)
    font.getbbox = lru_cache(maxsize=512)(font.getbbox)  # type: ignore[method-assign]
    return font


def _draw_masks(scene: Image.Image, kept: Sequence[tuple[int, Grounding]]) -> Image.Image:
    """Returns the scene with masks tinted; each is blended inside its own bounds, which is fast."""
    pixels: np.ndarray | None = None
    for number, grounding in kept:
        for mask in grounding.masks:
            pixels = np.array(scene) if pixels is None else pixels
            _tint(pixels, mask, colour(number - 1))
    return scene if pixels is None else Image.fromarray(pixels)


def _tint(pixels: np.ndarray, mask: Mask, fill: str, strength: float = 0.5) -> None:
    """Blends one colour into uint8[H, W, 3] where a mask of any size is set, in place."""
    size = (pixels.shape[1], pixels.shape[0])
    inside = np.asarray(Image.fromarray(mask.pixels).resize(size, Image.Resampling.NEAREST))
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    view, where = pixels[window], inside[window]
    rgb = np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)])
    view[where] = (view[where] * (1 - strength) + rgb * strength).astype(np.uint8)


def _draw_poses(
    scene: Image.Image, kept: Sequence[tuple[int, Grounding]], unit: float
) -> Image.Image:
    poses = [
        (number, pose.points)
        for number, grounding in kept
        for pose in grounding.keypoints
        if len(pose.points) == 17
    ]
    for number, joints in poses:
        places = np.array([joints], dtype=np.float32)
        seen = places[..., 2] >= _JOINT_SEEN
        key_points = sv.KeyPoints(
            xy=places[..., :2] * np.array(scene.size, dtype=np.float32),
            class_id=np.array([number - 1]),
            visible=seen,
        )
        fill = sv.Color.from_hex(colour(number - 1))
        line = max(2, round(2.5 * unit))
        scene = sv.EdgeAnnotator(fill, line, edges=COCO_EDGES).annotate(scene, key_points)
        scene = sv.VertexAnnotator(sv.Color.WHITE, line + 2).annotate(scene, key_points)
        scene = sv.VertexAnnotator(fill, line).annotate(scene, key_points)
    return scene


def _draw_heat(scene: Image.Image, word_boxes: Sequence[WordBox], unit: float) -> Image.Image:
    """Returns the scene under a heat map of where the words look."""
    centres = np.array([w.box.as_tuple() for w in word_boxes]) * (scene.size * 2)
    annotator = sv.HeatMapAnnotator(
        position=sv.Position.CENTER,
        opacity=0.45,
        radius=max(16, round(45 * unit)),
        kernel_size=2 * round(12 * unit) + 5,
    )
    return annotator.annotate(scene, sv.Detections(xyxy=centres))


def brush_mask(
    strokes: Sequence[tuple[Sequence[tuple[float, float]], float, bool]], size: tuple[int, int]
) -> np.ndarray:
    """Returns bool[H, W] of brush strokes.

    Args:
        strokes: path in the unit frame, width as a fraction of the longer side, whether it erases.
        size: width and height in pixels.
    """
    canvas = Image.new("1", size)
    draw = ImageDraw.Draw(canvas)
    for path, width, erases in strokes:
        line = max(1, round(width * max(size)))
        places = [(x * size[0], y * size[1]) for x, y in path]
        fill = 0 if erases else 1
        if len(places) > 1:
            draw.line(places, fill=fill, width=line, joint="curve")
        for x, y in (places[0], places[-1]):
            draw.ellipse((x - line / 2, y - line / 2, x + line / 2, y + line / 2), fill=fill)
    return np.array(canvas)
