"""A model without weights: every answer follows from the question and the picture's size alone.

Around it a conversation, for tests that need no browser.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from PIL.Image import Image

from app.conversation import Conversation
from app.host import Host
from app.session import People
from app.settings import Settings
from app.views import View
from model.backends.base import Backend, Card, EncodedPicture
from model.errors import RegionError
from model.types import (
    Answer,
    Box,
    Capability,
    Delta,
    Event,
    Finish,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    Points,
    Region,
    Scribble,
    Shape,
    Size,
    Turn,
    WordBox,
)

CAPTION = "A black and white dog lies on the grass beside a red frisbee between two people."
PLACES = {
    "A black and white dog": [(0.28, 0.27, 0.62, 0.72)],
    "a red frisbee": [(0.33, 0.72, 0.50, 0.86)],
    "two people": [(0.02, 0.02, 0.25, 0.98), (0.72, 0.02, 0.98, 0.95)],
}


class FakeBackend(Backend):
    """Answers like a model would, at once or slowly.

    Args:
        pause: seconds between two words.
        capabilities: what its card declares; None means everything.
        caption: what it says when asked to describe.
        name: on its card.
    """

    def __init__(
        self,
        pause: float = 0.0,
        capabilities: frozenset[Capability] | None = None,
        caption: str = CAPTION,
        name: str = "fake-tiny",
    ) -> None:
        self.pause, self.said = pause, caption
        self.encodings = self.questions = 0
        self.card = Card(
            name=name,
            family="fake",
            mechanism="queries",
            capabilities=frozenset(Capability) if capabilities is None else capabilities,
            threshold=0.3,
            vocabulary=("dog", "person", "frisbee"),
            parameters=1_234_567,
            licence="Apache-2.0",
            scores="made up",
            version="1",
        )

    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the picture's size under a key."""
        self.encodings += 1
        size = Size(*picture.size)
        digest = hashlib.sha256(picture.tobytes() + repr(picture.size).encode()).hexdigest()
        return EncodedPicture(f"{digest} {self.card.version}", size, size)

    def stream(
        self,
        picture: Image | EncodedPicture,
        question: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Turn] = (),
        task: Capability | None = None,
        threshold: float | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yields the words of an answer one by one, then the whole."""
        self.questions += 1
        encoded = picture if isinstance(picture, EncodedPicture) else self.encode(picture)
        answer = self._answer(encoded.size, question, regions, task)
        pause, said = 0.25 if "slowly" in question else self.pause, ""
        for word in re.findall(r"\s*\S+", answer.text):
            if stop is not None and stop():
                yield Answer(said, finish=Finish.CANCELLED)
                return
            time.sleep(pause)
            said += word
            yield Delta(word)
        yield answer

    def detect(
        self,
        picture: Image | EncodedPicture,
        names: Sequence[str],
        *,
        threshold: float | None = None,
        limit: int = 100,
    ) -> Answer:
        """Returns three boxes, of falling score, for every name but unicorns."""
        self.questions += 1
        least = self.card.threshold if threshold is None else threshold
        found = []
        for row, name in enumerate(name for name in names if "unicorn" not in name):
            top = 0.1 + 0.2 * (row % 4)
            boxes = [Box(0.1 + 0.3 * i, top, 0.3 + 0.3 * i, top + 0.18) for i in range(3)]
            grounding = Grounding(Phrase(name), tuple(boxes), (0.9, 0.5, 0.1)).above(least)
            found.append(grounding)
        return Answer("", tuple(found), finish=Finish.STOP if found else Finish.ABSENT)

    def _answer(
        self, size: Size, question: str, regions: Sequence[Region], task: Capability | None
    ) -> Answer:
        if "unicorn" in question:
            return Answer("", finish=Finish.ABSENT)
        if "hostile" in question:
            return _hostile()
        if "thousand" in question:
            return _thousand()
        if regions:
            return _about(regions[-1], size, task)
        if "describe" in question.lower():
            return _caption(self.said)
        text = f"the one you mean: {question.rstrip('?.')}"
        box = Box(0.3, 0.25, 0.7, 0.75)
        return Answer(text, (Grounding(Phrase(text[17:], 17, len(text)), (box,), (0.77,)),))


HOSTILE = (
    '<img src=x onerror="window.canary=1"><script>window.canary=1</script> '
    "[x](javascript:window.canary=1) ${window.canary=1} {{constructor.constructor('canary=1')()}} "
    "![x](http://evil.example/x.png) $$x$$ <style>*{display:none}</style>"
)
"""A text that tries to run, to load and to hide in every way a page might allow."""


class SilentBackend(FakeBackend):
    """Says nothing until its gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def stream(self, *about: Any, **how: Any) -> Iterator[Event]:
        """Waits, then answers."""
        self.gate.wait(60)
        return super().stream(*about, **how)


def _hostile() -> Answer:
    words = (WordBox(Phrase(HOSTILE, 0, len(HOSTILE)), Box(0.1, 0.1, 0.4, 0.4)),)
    phrase = Phrase(HOSTILE, 0, len(HOSTILE))
    return Answer(HOSTILE, (Grounding(phrase, (Box(0.2, 0.2, 0.6, 0.6),), (0.9,)),), words)


def _thousand() -> Answer:
    boxes = tuple(
        Box(x / 40, y / 25, (x + 0.8) / 40, (y + 0.8) / 25) for y in range(25) for x in range(40)
    )
    scores = tuple(0.95 - i / 2000 for i in range(1000))
    return Answer("a thousand things", (Grounding(Phrase("things", 11, 17), boxes, scores),))


def _caption(text: str) -> Answer:
    groundings = []
    for phrase, boxes in PLACES.items():
        start = text.find(phrase)
        if start >= 0:
            scores = tuple(0.93 - 0.31 * i for i in range(len(boxes)))
            span = Phrase(phrase, start, start + len(phrase))
            groundings.append(Grounding(span, tuple(Box(*box) for box in boxes), scores))
    words = tuple(
        WordBox(
            Phrase(match.group(), match.start(), match.end()),
            Box(0.05 + 0.05 * (i % 12), 0.2, 0.3 + 0.05 * (i % 12), 0.8),
        )
        for i, match in enumerate(re.finditer(r"\w+", text))
    )
    return Answer(text, tuple(groundings), words)


def _about(region: Region, size: Size, task: Capability | None) -> Answer:
    box = bounds(region.shape)
    text = f"{region.name} is a dog."
    start = text.index("a dog")
    phrase = Phrase("a dog", start, start + 5)
    masks: tuple[Mask, ...] = ()
    poses: tuple[Keypoints, ...] = ()
    if task is Capability.SEGMENT:
        y, x = np.mgrid[0 : size.height, 0 : size.width]
        cx, cy = box.centre[0] * size.width, box.centre[1] * size.height
        rx, ry = (box.x1 - box.x0) * size.width / 2, (box.y1 - box.y0) * size.height / 2
        masks = (Mask(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1),)
    if task is Capability.POSE:
        poses = (Keypoints(tuple(_joint(box, i) for i in range(17))),)
    return Answer(text, (Grounding(phrase, (box,), (0.88,), masks, poses),))


def _joint(box: Box, index: int) -> tuple[float, float, float]:
    wide, high = box.x1 - box.x0, box.y1 - box.y0
    side = 0.5 if index == 0 else 0.3 + 0.4 * (index % 2)
    return box.x0 + wide * side, box.y0 + high * (0.08 + 0.05 * index), 0.9


def bounds(shape: Shape) -> Box:
    """Returns a box around a shape; a point gets one of a fifth of the picture."""
    if isinstance(shape, Box):
        return shape
    if isinstance(shape, Points):
        x, y = shape.points[0].x, shape.points[0].y
        return Box.parse((x - 0.1, y - 0.1, x + 0.1, y + 0.1))
    if isinstance(shape, Scribble):
        xs, ys = [x for x, _ in shape.path], [y for _, y in shape.path]
        return Box.parse((min(xs) - 0.01, min(ys) - 0.01, max(xs) + 0.01, max(ys) + 0.01))
    rows, columns = np.nonzero(shape.pixels)
    if not len(rows):
        raise RegionError("The mask is empty.")
    height, width = shape.pixels.shape
    return Box.parse(
        (
            columns.min() / width,
            rows.min() / height,
            (columns.max() + 1) / width,
            (rows.max() + 1) / height,
        )
    )


ANNA, BERT = ("anna's cookie", "tab 1"), ("bert's cookie", "tab 2")
"""Two people."""


def talking(backend: FakeBackend | None = None) -> Conversation:
    """Returns a conversation whose model is loaded."""
    model = backend or FakeBackend()
    host = Host(lambda: model, "fake", 30)
    host.start()
    host.wait(threading.Event())
    return Conversation(People(), host, Settings())


def last(views: Iterable[View]) -> View:
    """Returns the view that ends an answer."""
    *_, end = views
    return end


Made = TypeVar("Made")


def in_loop(make: Callable[[], Made]) -> Made:
    """Returns what `make` makes inside an event loop, else Gradio opens loops it never closes."""

    async def run() -> Made:
        return make()

    return asyncio.run(run())
