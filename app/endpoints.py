"""What programs may call: each action as a named endpoint with JSON in and out.

Pictures come in as files. Boxes go out in the unit frame and in pixels of the upright original.
The docstrings are what "Use via API" and MCP clients show.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import gradio as gr

from app import intake, phrases, render, words
from app.answering import since
from app.marks import read_marks
from app.session import key_of
from model.errors import DeixisError, QuestionError, RecordError
from model.turns import answer_from_json, answer_to_json
from model.types import Answer, Box, Capability, Region, Size, Turn

if TYPE_CHECKING:
    from PIL import Image

    from app.conversation import Conversation
    from app.intake import Picture
    from model.backends.base import Backend, EncodedPicture

Json = dict[str, Any]
MAX_NAMES = 200


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The named calls of the page.

    Attributes:
        talk: where pictures are read and encoded; shares its cache with the page.
    """

    talk: Conversation

    def build(self) -> None:
        """Adds the endpoints to the page being built; nothing of them is seen."""
        with gr.Column(visible=False):
            picture = gr.File(label="picture", type="filepath")
            question = gr.Textbox(label="question")
            regions = gr.JSON(label="regions")
            region = gr.JSON(label="region")
            names = gr.JSON(label="names")
            threshold = gr.Number(label="threshold", value=None)
            answer = gr.JSON(label="answer")
            style = gr.Radio(list(words.STYLE_CHOICES), value="rounded", label="style")
            result = gr.JSON(label="result")
            drawn = gr.Image(label="drawn", format="jpeg")
            calls: tuple[tuple[str, Callable[..., Any], list[Any], Any], ...] = (
                ("encode", self.encode, [picture], result),
                ("ask", self.ask, [picture, question, regions, threshold], result),
                ("detect", self.detect, [picture, names, threshold], result),
                ("caption", self.caption, [picture], result),
                ("describe_region", self.describe_region, [picture, region], result),
                ("segment", self.segment, [picture, region], result),
                ("pose", self.pose, [picture, region], result),
                ("draw", self.draw, [picture, answer, style, threshold], drawn),
            )
            for name, call, inputs, output in calls:
                gr.Button().click(_told(call), inputs, output, api_name=name)

    def encode(self, picture: str, _request: gr.Request) -> Json:
        """Encodes a picture, so that questions about it are answered fast.

        Args:
            picture: the file.
        """
        read, started = self._read(picture), time.perf_counter()
        encoded = self.talk.answering(key_of(_request), threading.Event()).encoded(read)
        return {
            "key": encoded.key,
            "width": read.original.width,
            "height": read.original.height,
            "notes": list(read.notes),
            "milliseconds": since(started),
        }

    def ask(
        self,
        picture: str,
        question: str,
        regions: Any = None,  # noqa: ANN401
        threshold: float | None = None,
        _request: gr.Request | None = None,
    ) -> Json:
        """Answers a question about a picture in words and boxes.

        Args:
            picture: the file.
            question: free text; @1 refers to the region of that name.
            regions: list of {"name": "@1", "box": [x0, y0, x1, y1]}; instead of box also
                points [[x, y, 1 or 0]], scribble [[x, y]] or mask {"size", "counts"}. Coordinates
                are fractions of the upright picture.
            threshold: score from which boxes are given; empty takes the model's.
        """
        self._check(question)
        read = self._read(picture)
        marks = read_marks({"marks": regions or []}, read.size, self.talk.settings.max_regions)
        Turn(question, Answer(""), marks.regions)  # refuses names that are used twice
        return self._call(
            _request,
            read,
            lambda model, encoded: model.answer(
                encoded, question, regions=marks.regions, threshold=_score(threshold)
            ),
        )

    def detect(
        self,
        picture: str,
        names: Any,  # noqa: ANN401
        threshold: float | None = None,
        _request: gr.Request | None = None,
    ) -> Json:
        """Finds all instances of each name; says so if there is none.

        Args:
            picture: the file.
            names: list of class names or phrases.
            threshold: score from which boxes are given; empty takes the model's.
        """
        wanted = _names(names)
        return self._call(
            _request,
            self._read(picture),
            lambda model, encoded: model.detect(encoded, wanted, threshold=_score(threshold)),
        )

    def caption(self, picture: str, _request: gr.Request) -> Json:
        """Describes a picture; the phrases of the caption carry boxes.

        Args:
            picture: the file.
        """
        return self._call(_request, self._read(picture), lambda model, e: model.caption(e))

    def describe_region(self, picture: str, region: Any, _request: gr.Request) -> Json:  # noqa: ANN401
        """Names or describes what is inside a region.

        Args:
            picture: the file.
            region: {"box": [x0, y0, x1, y1]}, or points, scribble or mask as for ask.
        """
        return self._about(_request, picture, region, Capability.REGION)

    def segment(self, picture: str, region: Any, _request: gr.Request) -> Json:  # noqa: ANN401
        """Gives the mask of the thing inside a region, as COCO run lengths.

        Args:
            picture: the file.
            region: {"box": [x0, y0, x1, y1]}, or points, scribble or mask as for ask.
        """
        return self._about(_request, picture, region, Capability.SEGMENT)

    def pose(self, picture: str, region: Any, _request: gr.Request) -> Json:  # noqa: ANN401
        """Gives the key points of the person inside a region, in COCO's order.

        Args:
            picture: the file.
            region: {"box": [x0, y0, x1, y1]}, or points, scribble or mask as for ask.
        """
        return self._about(_request, picture, region, Capability.POSE)

    def draw(
        self,
        picture: str,
        answer: Any,  # noqa: ANN401
        style: str = "rounded",
        threshold: float | None = None,
    ) -> Image.Image:
        """Draws an answer on its picture, as the page shows it.

        Args:
            picture: the file.
            answer: what another endpoint gave.
            style: box, rounded or corner.
            threshold: score from which boxes are drawn; empty draws all.
        """
        try:
            parsed = answer_from_json(answer)
        except (TypeError, KeyError, ValueError) as error:
            raise RecordError(words.ANSWER_FOREIGN) from error
        image = self._read(picture).image
        return render.annotate(image, parsed, _score(threshold) or 0.0, _style(style))

    # --- shared ----------------------------------------------------------------------------------

    def _read(self, picture: str) -> Picture:
        if not picture:
            raise QuestionError(words.PICTURE_MISSING)
        return intake.read(picture, self.talk.settings)

    def _check(self, question: str) -> None:
        limit = self.talk.settings.max_text
        if not (question or "").strip():
            raise QuestionError(words.NO_QUESTION)
        if len(question) > limit:
            raise QuestionError(words.LONG_TEXT.format(length=len(question), limit=limit))

    def _about(
        self,
        request: gr.Request,
        picture: str,
        region: object,
        task: Capability,
    ) -> Json:
        read = self._read(picture)
        drawn = {**region, "name": "@1"} if isinstance(region, dict) else region
        shape = read_marks({"marks": [drawn]}, read.size).regions[0].shape
        question = next(text for kind, _, text in words.QUICK if kind is task).format(number=1)
        return self._call(
            request,
            read,
            lambda model, encoded: model.answer(
                encoded, question, regions=(Region("@1", shape),), task=task
            ),
        )

    def _call(
        self,
        request: gr.Request | None,
        picture: Picture,
        ask: Callable[[Backend, EncodedPicture], Answer],
    ) -> Json:
        stop, started = threading.Event(), time.perf_counter()
        with self.talk.host.request(stop) as backend:
            card = backend.card
            encoded = self.talk.answering(key_of(request), stop).encoded(picture)
            answer = self.talk.host.call(lambda model: ask(model, encoded), stop)
        return {
            **result(answer, picture.original),
            "model": {"name": card.name, "device": card.device},
            "milliseconds": since(started),
        }


def result(answer: Answer, size: Size) -> Json:
    """Returns an answer as programs get it: with presence, and boxes also in pixels."""
    found = answer_to_json(answer)
    for grounding, given in zip(answer.groundings, found["groundings"], strict=True):
        given["boxes_px"] = [_pixels(box, size) for box in grounding.boxes]
    return {**found, "present": answer.present, "width": size.width, "height": size.height}


def _pixels(box: Box, size: Size) -> list[float]:
    sides = (size.width, size.height) * 2
    return [round(part * side, 1) for part, side in zip(box.as_tuple(), sides, strict=True)]


def _score(threshold: float | None) -> float | None:
    """Returns a threshold; raises QuestionError if it is no score."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise QuestionError(words.THRESHOLD_WRONG.format(threshold=threshold))
    return threshold


def _style(name: object) -> render.Style:
    """Returns how boxes look; raises QuestionError if there is no such look."""
    styles = [style for _, style in words.STYLE_CHOICES]
    if name not in styles:
        told = words.STYLE_WRONG.format(style=phrases.clip(repr(name)), styles=", ".join(styles))
        raise QuestionError(told)
    return render.Style(str(name))


def _names(names: object) -> Sequence[str]:
    """Returns class names; raises QuestionError if they are none."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise QuestionError(words.NAMES_WRONG.format(given=phrases.clip(repr(names))))
    wanted = [name.strip() for name in cast("list[str]", names) if name.strip()]
    if not 0 < len(wanted) <= MAX_NAMES:
        raise QuestionError(words.NAMES_COUNT.format(count=len(wanted), limit=MAX_NAMES))
    return wanted


def _told(call: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a call whose refusals reach the caller as sentences."""

    @wraps(call)
    def told(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        try:
            return call(*arguments, **named)
        except DeixisError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return told
