"""An answer as people see it: the annotated picture, the overlay's JSON, the phrases in the chat.

The picture on the page, in exports and from the API is this one render, drawn by supervision.
Everything a model or a person wrote is escaped here before it becomes HTML.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import supervision as sv
from PIL import Image, ImageDraw

from app import words
from app.theme import PALETTE, colour, ink
from model.types import Answer, Finish, Grounding, Phrase, WordBox

if TYPE_CHECKING:
    from app.session import Exchange
    from model.types import Mask

DRAWN_SIDE = 1280
"""Smaller pictures are enlarged to this side before drawing, so that lines and labels are crisp."""

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

_FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
_JOINT_SEEN = 0.3


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is drawn.

    Attributes:
        box: `box`, `rounded` or `corner`.
        labels: whether boxes carry their number, words and score.
        heat: whether word boxes are drawn as a heat map.
    """

    box: str = "rounded"
    labels: bool = True
    heat: bool = False


def escape(text: str) -> str:
    """Returns text that neither HTML nor Markdown nor LaTeX reads as markup.

    Every ASCII character that is no letter, digit or space becomes a numeric entity; browsers show
    it as it was, and no parser in between sees a `<`, a `*` or a link.

    Example:
        >>> escape("<b>*hi*")
        '&#60;b&#62;&#42;hi&#42;'
    """
    return re.sub(r"[^\w \n]|_", _entity, text, flags=re.ASCII)


def _entity(match: re.Match[str]) -> str:
    character = match.group()
    if ord(character) >= 0x80:
        return character
    return f"&#{ord(character)};" if ord(character) >= 0x20 else " "


def clip(text: str, limit: int = 48) -> str:
    """Returns one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def percent(score: float) -> str:
    """Returns a score in [0, 1] as people read it, such as `0.87`."""
    return f"{score:.2f}"


def numbered(answer: Answer) -> list[tuple[int, Grounding]]:
    """Returns the groundings that have boxes, with the numbers they bear everywhere, from 1."""
    return [(i + 1, g) for i, g in enumerate(g for g in answer.groundings if g.boxes)]


# --- the chat ------------------------------------------------------------------------------------


def phrase_html(answer: Answer, exchange: int) -> str:
    """Returns an answer's text with its grounded phrases as linked, focusable spans.

    Phrases that overlap an earlier one, or have no place in the text, stay plain.
    """
    pieces, position = [], 0
    spans = [
        (g.phrase.start, g.phrase.end, number, g)
        for number, g in numbered(answer)
        if g.phrase.start is not None and g.phrase.end is not None
    ]
    for start, end, number, grounding in sorted(spans, key=lambda span: span[:2]):
        if not position <= start < end <= len(answer.text):
            continue
        pieces.append(_text(answer.text[position:start]))
        pieces.append(_span(answer.text[start:end], exchange, number, grounding))
        position = end
    return "".join(pieces) + _text(answer.text[position:])


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _span(text: str, exchange: int, number: int, grounding: Grounding) -> str:
    best = max(grounding.scores, default=None)
    score = "" if best is None else f" · {percent(best)}"
    title = words.SPAN_TITLE.format(number=number, label=clip(grounding.phrase.text), score=score)
    count = f"×{len(grounding.boxes)}" if len(grounding.boxes) > 1 else ""
    return (
        f'<span class="ph x{exchange} g{number}" style="--c:{colour(number - 1)}" tabindex="0" '
        f'role="button" title="{escape(title)}">{_text(text)}'
        f'<span class="id">{number}{count}</span></span>'
    )


def question_html(question: str) -> str:
    """Returns a person's question with its @marks as small tags."""
    safe = _text(question)
    return re.sub(r"&#64;(\d{1,3})(?!\d)", r'<span class="mk m\1">&#64;\1</span>', safe)


def chat(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """Returns the conversation as `gr.Chatbot` takes it."""
    messages: list[dict[str, Any]] = []
    for exchange in exchanges:
        messages.append({"role": "user", "content": question_html(exchange.question)})
        messages.append({"role": "assistant", "content": _reply(exchange)})
    return messages


def _reply(exchange: Exchange) -> str:
    if exchange.error:
        return f'<span class="oops" role="alert">{_text(exchange.error)}</span>'
    answer = exchange.answer
    if answer is None:
        return f'{_text(exchange.text)}<span class="caret"></span>'
    body = phrase_html(answer, exchange.number) or _text(words.NO_WORDS)
    match answer.finish:
        case Finish.ABSENT:
            return f'<span class="absent">{words.ABSENT}</span> {body}'
        case Finish.CANCELLED:
            return f'{body} <span class="note">{words.STOPPED}</span>'
        case Finish.LENGTH:
            return f'{body} <span class="note">{words.CUT_SHORT}</span>'
        case _:
            return body


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
            "scores": [round(score, 4) for score in grounding.scores],
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

    The copy's longer side is between `DRAWN_SIDE` and `SENT_SIDE`, where the picture allows it.
    """
    style = style or Style()
    scene = _resize(picture, DRAWN_SIDE, SENT_SIDE)
    if style.heat and answer.word_boxes:
        scene = _draw_heat(scene, answer.word_boxes)
    kept = [(number, g.above(threshold)) for number, g in numbered(answer)]
    kept = [(number, g) for number, g in kept if g.boxes]
    if not kept:
        return scene
    scene = _draw_masks(scene, kept)
    found, labels = _detections(kept, scene.size)
    scene = _box_annotator(style, scene).annotate(scene, found)
    scene = _draw_poses(scene, kept)
    return _draw_labels(scene, found, labels) if style.labels else scene


def jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Returns a picture as JPEG, the fastest of the formats that browsers show."""
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def data_url(picture: Image.Image) -> str:
    """Returns a picture, reduced to `SENT_SIDE`, inside its own address.

    So it lies on no disk and under no address where somebody else could find it.
    """
    content = jpeg(_resize(picture, 1, SENT_SIDE))
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"


def _resize(picture: Image.Image, least: int, most: int) -> Image.Image:
    """Returns a copy whose longer side is at least `least` and at most `most`, ratio kept."""
    longer = max(picture.size)
    scale = min(max(longer, least), most) / longer
    if scale == 1:
        return picture.copy()
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)


def _unit(scene: Image.Image) -> float:
    """Returns the width in pixels of a thin line on this picture."""
    return max(scene.size) / DRAWN_SIDE


def _palette() -> sv.ColorPalette:
    return sv.ColorPalette.from_hex(list(PALETTE))


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
    return found, [f"{row[1]} {clip(row[3], 24)} {percent(row[0])}" for row in rows]


def _box_annotator(style: Style, scene: Image.Image) -> Any:  # noqa: ANN401
    thickness = max(2, round(3 * _unit(scene)))
    match style.box:
        case "corner":
            length = max(8, round(22 * _unit(scene)))
            return sv.BoxCornerAnnotator(_palette(), thickness + 1, corner_length=length)
        case "box":
            return sv.BoxAnnotator(_palette(), thickness)
        case _:
            return sv.RoundBoxAnnotator(_palette(), thickness, roundness=0.15)


def _draw_labels(scene: Image.Image, found: sv.Detections, labels: list[str]) -> Image.Image:
    best = slice(0, LABELS_DRAWN)
    annotator = sv.RichLabelAnnotator(
        _palette(),
        text_color=sv.ColorPalette.from_hex([ink(fill) for fill in PALETTE]),
        font_path=str(_FONT),
        font_size=max(12, round(17 * _unit(scene))),
        text_padding=max(3, round(5 * _unit(scene))),
        border_radius=max(2, round(4 * _unit(scene))),
        smart_position=True,
    )
    return annotator.annotate(scene, found[best], labels[best])


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


def _draw_poses(scene: Image.Image, kept: Sequence[tuple[int, Grounding]]) -> Image.Image:
    poses = [
        (number, [joint for joint in pose.points])
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
        line = max(2, round(4 * _unit(scene)))
        scene = sv.EdgeAnnotator(fill, line, edges=COCO_EDGES).annotate(scene, key_points)
        scene = sv.VertexAnnotator(sv.Color.WHITE, line + 2).annotate(scene, key_points)
        scene = sv.VertexAnnotator(fill, line).annotate(scene, key_points)
    return scene


def _draw_heat(scene: Image.Image, word_boxes: Sequence[WordBox]) -> Image.Image:
    """Returns the scene under a heat map of where the words look."""
    centres = np.array([w.box.as_tuple() for w in word_boxes]) * (scene.size * 2)
    annotator = sv.HeatMapAnnotator(
        position=sv.Position.CENTER, opacity=0.45, radius=max(24, round(70 * _unit(scene))),
        kernel_size=2 * round(20 * _unit(scene)) + 5,
    )  # fmt: skip
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


def spelled_out(answer: Answer, asked: Sequence[str]) -> Answer:
    """Returns a detection's answer as a sentence whose class names are linked phrases.

    Args:
        answer: groundings whose phrases may lack a place in the text.
        asked: the names that were looked for; those not found are said plainly.
    """
    text, groundings = "", []
    for grounding in answer.groundings:
        if not grounding.boxes:
            continue
        text += ", " if text else ""
        start, name = len(text), grounding.phrase.text
        text += name
        phrase = Phrase(name, start, len(text))
        groundings.append(
            Grounding(phrase, grounding.boxes, grounding.scores, grounding.masks, grounding.keypoints)
        )
    found = {grounding.phrase.text.casefold() for grounding in groundings}
    missing = [name for name in asked if name.casefold() not in found]
    if missing:
        sentence = words.ABSENT_NAMES.format(names=", ".join(missing))
        text = f"{text}. {sentence}" if text else sentence
    finish = answer.finish if groundings else Finish.ABSENT
    return Answer(text, tuple(groundings), answer.word_boxes, finish)
