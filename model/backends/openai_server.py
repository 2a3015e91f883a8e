"""A model served elsewhere over the OpenAI-compatible chat API: vLLM, SGLang, llama.cpp and others.

The picture travels as JPEG in the first message; the answer streams back and is parsed in the
grammar that the model's id suggests.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow

from model.backends.base import Card, EncodedPicture
from model.backends.channel import Address, Channel, Limits, RefusedError
from model.backends.draft import Step
from model.backends.families import by_model_id
from model.backends.prompts import box_of
from model.backends.published import picture_key
from model.backends.streams import Sink, Stop, pump
from model.backends.writing import WritingBackend
from model.errors import BackendError
from model.types import Finish, Region, Size

if TYPE_CHECKING:
    from PIL.Image import Image

KEY = "DEIXIS_OPENAI_KEY"
"""Environment variable with the server's key; empty for none."""
MAX_PIXELS = 1280 * 28 * 28
PATCH = 28
"""Qwen2.5-VL counts pixels after rounding sides to this; pictures are sent that way already."""
AROUND = 0.1
"""Share of a region's longer side that is shown around it when it is cut out."""
CUT_OUT = "as a cut-out of the picture, without what lies around it"
MAX_CHARACTERS = 16_000
MAX_REQUESTS = 16
"""Questions under way at once; a server batches them itself."""
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture as the server gets it.

    Attributes:
        url: with all of it inside.
        shown: its size as sent.
        picture: to cut regions from; None where nothing is ever cut out.
    """

    url: str
    shown: Size
    picture: Image | None = None


class OpenAIServerBackend(WritingBackend):
    """A served chat model."""

    joined = '", "'

    def __init__(self, address: Address, key: str = "", limits: Limits | None = None) -> None:
        """Takes where to ask; nothing is sent yet."""
        self.grammar = by_model_id(address.model)
        self.channel = Channel(address, key, limits)
        self.max_tokens = 1024
        self._logprobs = True
        self.card = Card(
            name=address.model,
            family=self.grammar.family,
            mechanism="none" if self.grammar.cuts else "coordinates",
            capabilities=frozenset(self.grammar.prompts),
            threshold=0.0,
            device="remote",
            licence="see the served model",
            source=address.url,
            version=f"{address.url}#{address.model}",
            regions=CUT_OUT if self.grammar.cuts else "as coordinates in the prompt",
            together=MAX_REQUESTS,
        )

    @classmethod
    def open(cls, text: str) -> OpenAIServerBackend:
        """Returns the model at `openai:http://host:port/v1#model-id`, its key from `KEY`."""
        return cls(Address.parse(text), os.environ.get(KEY, ""))

    def encode(self, picture: Image) -> EncodedPicture:
        """Returns the picture shrunk to what a model reads anyway, as JPEG."""
        size = picture.size
        small = picture.convert("RGB").resize(_fitting(*size), Pillow.Resampling.BICUBIC)
        file = io.BytesIO()
        small.save(file, "JPEG", quality=92)
        url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
        key = picture_key(picture, self.card.version, f"jpeg {small.size}")
        kept = picture if self.grammar.cuts else None
        return EncodedPicture(key, Size(*size), Sent(url, Size(*small.size), kept))

    def cut_out(self, encoded: EncodedPicture, region: Region) -> EncodedPicture:
        """Returns what stands in a region as a picture of its own; see `WritingBackend.cut_out`."""
        picture, box = _sent(encoded).picture, box_of(region.shape)
        assert picture is not None
        around = AROUND * max(box.x1 - box.x0, box.y1 - box.y0)
        places = (box.x0 - around, box.y0 - around, box.x1 + around, box.y1 + around)
        return self.encode(picture.crop(_pixels(places, *picture.size)))

    def encoded(self, picture: Image | EncodedPicture) -> EncodedPicture:
        """Returns the picture encoded, if it is not yet."""
        return picture if isinstance(picture, EncodedPicture) else self.encode(picture)

    def shown(self, encoded: EncodedPicture) -> Size:
        """Returns the size the picture is sent in."""
        return _sent(encoded).shown

    def steps(
        self,
        encoded: EncodedPicture,
        prompt: str,
        turns: Sequence[tuple[str, str]],
        stop: Stop | None,
    ) -> Iterator[Step]:
        """Yields the raw output; see `WritingBackend.steps`."""
        body = {
            "model": self.channel.address.model,
            "messages": self._messages(encoded, prompt, turns),
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "stream": True,
        }

        def work(sink: Sink[Step]) -> None:
            self._request(body, sink)

        for step in pump(work, stop):
            if step.probability is not None and not self.card.scores:
                self.card = replace(self.card, scores="token probability")
            yield step

    def _request(self, body: dict[str, Any], sink: Sink[Step]) -> None:
        """Puts the steps of an answer, with probabilities where the server tells them."""
        try:
            self._read({**body, "logprobs": True} if self._logprobs else body, sink)
        except RefusedError as error:
            if not self._logprobs or "logprob" not in str(error):
                raise
            self._logprobs = False
            self._read(body, sink)

    def _read(self, body: dict[str, Any], sink: Sink[Step]) -> None:
        said = 0
        for event in self.channel.events(body, sink):
            for step in _steps(event):
                said += len(step.piece)
                sink.put(step)
                if step.finish is not None:
                    return
            if said > MAX_CHARACTERS:
                sink.put(Step("", finish=Finish.LENGTH))
                return
        if sink.gone:
            return
        if not said:
            raise BackendError(f"{self.channel.address.url} ended without an answer; try again.")
        # The stream broke off: what was said is kept, and marked.
        sink.put(Step("", finish=Finish.ERROR))

    def _messages(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> list[dict[str, Any]]:
        questions = [question for question, _ in turns] + [prompt]
        picture = {"type": "image_url", "image_url": {"url": _sent(encoded).url}}
        messages: list[dict[str, Any]] = []
        if self.grammar.system:
            messages.append({"role": "system", "content": self.grammar.system})
        first = [picture, {"type": "text", "text": questions[0]}]
        messages.append({"role": "user", "content": first})
        for (_, answer), question in zip(turns, questions[1:], strict=True):
            messages.append({"role": "assistant", "content": answer})
            messages.append({"role": "user", "content": question})
        return messages


def _pixels(places: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Returns corners x0, y0, x1, y1 in the unit frame as pixels inside, at least one apart."""
    x0, y0, x1, y1 = (min(max(place, 0.0), 1.0) for place in places)
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    return left, top, max(math.ceil(x1 * width), left + 1), max(math.ceil(y1 * height), top + 1)


def _sent(encoded: EncodedPicture) -> Sent:
    assert isinstance(encoded.state, Sent)
    return encoded.state


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Returns a size of about the same shape, sides multiples of `PATCH`, at most `MAX_PIXELS`."""
    shrink = min(1.0, math.sqrt(MAX_PIXELS / (width * height)))
    columns, rows = (max(round(side * shrink / PATCH), 1) for side in (width, height))
    return columns * PATCH, rows * PATCH


def _steps(event: dict[str, Any]) -> Iterator[Step]:
    """Yields what one event adds; anything unexpected in it adds nothing."""
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return
    delta, told = choice.get("delta"), choice.get("logprobs")
    content = delta.get("content") if isinstance(delta, dict) else None
    if isinstance(content, str) and content:
        yield from _tokens(content, told) or [Step(content)]
    if isinstance(reason := choice.get("finish_reason"), str):
        yield Step("", finish=_FINISH.get(reason, Finish.ERROR))


def _tokens(content: str, told: object) -> list[Step]:
    """Returns the content token by token with probabilities, if they are told and add up to it."""
    listed = told.get("content") if isinstance(told, dict) else None
    steps = []
    for item in listed if isinstance(listed, list) else ():
        token, chance = (
            (item.get("token"), item.get("logprob")) if isinstance(item, dict) else (0, 0)
        )
        if not isinstance(token, str) or not isinstance(chance, int | float):
            return []
        steps.append(Step(token, math.exp(min(chance, 0.0))))
    return steps if "".join(step.piece for step in steps) == content else []
