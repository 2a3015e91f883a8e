"""What a model takes on this machine: reading a picture, and answering about it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from model.backends.base import INSTRUCTIONS, Backend, Cost
from model.types import Capability

Result = TypeVar("Result")

if TYPE_CHECKING:
    from PIL.Image import Image

QUICK = 1.0
"""Seconds; what took less is done once more, since the first time also sets things up."""
_ASKED = {
    Capability.CAPTION: INSTRUCTIONS[Capability.CAPTION],
    Capability.CHAT: INSTRUCTIONS[Capability.CAPTION],
    Capability.DETECT: "Find all people.",
    Capability.REFER: "the largest thing",
}
"""What is asked, the first that the model can do."""


def measure(backend: Backend, picture: Image, most: float = 10.0) -> Cost:
    """Returns what a loaded model takes for a picture and a plain question about it.

    Args:
        backend: anything but a model that answers nothing in words, whose answers count as free.
        picture: upright RGB.
        most: seconds after which an answer is cut short; it then counts as having taken so long.

    Raises:
        DeixisError: the model could not do it.
    """
    encode, encoded = _timed(lambda: backend.encode(picture))
    task = next((task for task in _ASKED if task in backend.card.capabilities), None)
    if task is None:
        return Cost(encode, 0.0)

    def answer() -> None:
        began = perf_counter()
        events = backend.stream(
            encoded, _ASKED[task], task=task, stop=lambda: perf_counter() - began > most
        )
        for _ in events:
            pass

    return Cost(encode, _timed(answer)[0])


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Returns the seconds that something takes when it is warm, and its result."""
    began = perf_counter()
    result = work()
    seconds = perf_counter() - began
    if seconds < QUICK:
        began = perf_counter()
        result = work()
        seconds = perf_counter() - began
    return seconds, result
