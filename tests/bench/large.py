"""`python -m tests.bench gpu`: what published models take at full size, weights made up.

Reading a picture and answering cost the same whatever the weights are, as long as the answer has
the same length, which is fixed here.
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image

from model.backends.base import EncodedPicture
from model.backends.generation import GenerativeBackend
from model.backends.published import release
from model.types import Capability
from tests.bench.shapes import SHAPES, Shape

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "benchmarks-gpu.json"
SAMPLE = ROOT / "assets" / "samples" / "bus.jpg"
QUESTION, WORDS, ROUNDS = "the man with the hat", 32, 7
SIZE = (1280, 960)
HEAD = (
    "| model | parameters | weights | most memory | picture read | first token, picture anew "
    "| first token, picture kept | faster | 32 tokens |\n" + "|---" * 9 + "|"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one model takes on one device.

    Attributes:
        model: its name.
        device: where it ran.
        parameters: how many.
        weights, peak: bytes of the weights, and most that was held at once.
        encode: seconds to read a picture.
        cold, warm: seconds to the first token of an answer, the picture read for it or before.
        answer: seconds to `WORDS` tokens about a picture that was read before.
    """

    model: str
    device: str
    parameters: int
    weights: int
    peak: int
    encode: float
    cold: float
    warm: float
    answer: float

    def row(self) -> str:
        """Returns a line of a Markdown table."""
        cells = [
            self.model,
            f"{self.parameters / 1e6:,.0f} M",
            f"{self.weights / 1e9:.2f} GB",
            f"{self.peak / 1e9:.2f} GB",
            *(f"{1e3 * seconds:.1f} ms" for seconds in (self.encode, self.cold, self.warm)),
            f"{self.cold / self.warm:.1f} ×",
            f"{1e3 * self.answer:.1f} ms",
        ]
        return f"| {' | '.join(cells)} |"


def take(shape: Shape, device: str, *, small: bool = False) -> Taken:
    """Returns what a model takes, medians over `ROUNDS` after one that does not count.

    Args:
        shape: of the model.
        device: such as `cuda` or `cpu`.
        small: a tiny model of the same classes, to try the measurement itself.
    """
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    backend = shape.build(device, torch.bfloat16 if cuda else torch.float32, small=small)
    picture = Image.open(SAMPLE).convert("RGB").resize(SIZE)
    kept = backend.encode(picture)
    try:
        return Taken(
            model=shape.name,
            device=device,
            parameters=backend.card.parameters,
            weights=sum(v.numel() * v.element_size() for v in backend.model.parameters()),
            encode=_median(lambda: backend.encode(picture), device),
            cold=_median(lambda: _ask(backend, backend.encode(picture), 1), device),
            warm=_median(lambda: _ask(backend, kept, 1), device),
            answer=_median(lambda: _ask(backend, kept, WORDS), device),
            peak=_peak(device),
        )
    finally:
        backend.close()
        release()


def _ask(backend: GenerativeBackend, picture: EncodedPicture, tokens: int) -> None:
    backend.max_tokens = tokens  # type: ignore[misc]
    backend.answer(picture, QUESTION, task=Capability.REFER)


def _median(work: Callable[[], object], device: str) -> float:
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def _peak(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(device: str, out: Path = OUT, *, small: bool = False) -> None:
    """Measures every model, prints as it goes and writes the raw numbers."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("There is no NVIDIA GPU here; --device cpu takes minutes and 10 GB.")
    name = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
    print(f"{name}, torch {torch.__version__}\n\n{HEAD}")
    rows = []
    for shape in SHAPES:
        taken = take(shape, device, small=small)
        print(taken.row(), flush=True)
        rows.append(asdict(taken))
    out.write_text(json.dumps({"device": name, "torch": torch.__version__, "rows": rows}, indent=1))
