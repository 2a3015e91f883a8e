"""The real architecture, so small that it is built, run and trained in a blink.

What is cached here is shared by all tests: read it, never change it; `build` gives one of your own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from model.config import ModelConfig
from model.engine import Engine
from model.preprocess import Letterbox
from model.tokens import Vocabulary
from model.training import wording
from model.training.features import look_at
from model.types import Answer, Box, Grounding, Phrase, Point, Points, Region, Scribble, Size, Turn
from model.vision import Sight
from model.vlm import DeixisModel
from model.vocabulary import COCO_NAMES

LEFT, RIGHT = Box(0.1, 0.2, 0.4, 0.7), Box(0.55, 0.3, 0.9, 0.9)
"""Where `picture` has its red and its blue square."""
SIZES = torch.tensor([0.5, 0.5, 0.7, 0.7])
"""Centre in the middle of its cell, and the logarithm of a size of two strides."""


@cache
def vocabulary() -> Vocabulary:
    """A vocabulary of a few hundred tokens that knows the wordings of lessons."""
    texts = [text for ways in vars(wording).values() if isinstance(ways, tuple) for text in ways]
    return Vocabulary.train([*texts, *COCO_NAMES, "a red square and a blue square"] * 2, 512)


def tree() -> ModelConfig:
    """The tiny configuration, with the names of the trunk's classes and without dropout."""
    tiny = ModelConfig.tiny()
    return replace(tiny, classes=COCO_NAMES, language=replace(tiny.language, dropout=0.0))


def build(seed: int = 0, config: ModelConfig | None = None) -> DeixisModel:
    """Returns an untrained model in which every layer has its say: no weight is left at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DeixisModel.from_tree(config or tree()).requires_grad_(False)
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.1)
        _open_eyes(model)
    return model.eval()


@torch.no_grad()
def _open_eyes(model: DeixisModel) -> None:
    """Scales each convolution of the trunk by what comes out of it, so that pictures differ.

    An untrained trunk of this depth says almost the same of every picture. Source: Mishkin and
    Matas 2016, layer-sequential unit variance.
    """
    layers = [layer for layer in model.vision.modules() if isinstance(layer, nn.Conv2d)]
    box_layers = {head.box for head in model.vision.trunk.heads}

    def scale(layer: nn.Module, _: object, output: Tensor) -> Tensor:
        mean, spread = output.mean((0, 2, 3)), output.std((0, 2, 3)).clamp(min=1e-2)
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        # Boxes come out about two cells large, or most would be too small to be moved anywhere.
        share, start = (0.4, SIZES) if layer in box_layers else (1.0, torch.zeros(1))
        layer.weight.mul_((share / spread)[:, None, None, None])
        layer.bias.sub_(mean).mul_(share / spread).add_(start)
        return (output - mean[:, None, None]) / spread[:, None, None] * share + start.view(-1, 1, 1)

    hooks = [layer.register_forward_hook(scale) for layer in layers]
    side = model.tree.trunk.sides[0]
    model.vision.trunk(torch.stack([on_canvas(number, side) for number in range(4)]))
    for hook in hooks:
        hook.remove()


def on_canvas(number: int = 0, side: int = 64) -> Tensor:
    """Returns one of the pictures of `sight` as pixels float32[3, side, side]."""
    image = picture(96 - 20 * number, 64 + 10 * number, number)
    return Letterbox.fit(Size(*image.size), side).pixels(image, side)


@cache
def model() -> DeixisModel:
    """The untrained model that most tests share."""
    return build()


@cache
def engine() -> Engine:
    """The shared model, served."""
    return Engine(model(), vocabulary(), name="tiny", version="0", device="cpu")


def picture(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Returns a red square on the left and a blue one on the right of a grey shade."""
    image = Image.new("RGB", (width, height), (90 + 20 * seed, 140, 130 - 10 * seed))
    draw = ImageDraw.Draw(image)
    for box, colour in ((LEFT, "red"), (RIGHT, "blue")):
        x0, y0, x1, y1 = box.as_tuple()
        corners = [x0 * width, y0 * height, x1 * width - 1, y1 * height - 1]
        if corners[0] <= corners[2] and corners[1] <= corners[3]:  # Some pictures are too small.
            draw.rectangle(corners, fill=colour)
    return image


def sight(count: int = 1, of: DeixisModel | None = None) -> Sight:
    """Returns what a model sees of `count` pictures of different shapes."""
    pictures = [picture(96 - 20 * i, 64 + 10 * i, i) for i in range(count)]
    # A copy outside of inference mode may take part in training.
    return look_at((of or model()).vision, pictures).map(torch.clone)


def blind(sight: Sight) -> Sight:
    """Returns the sight without proposals."""
    return replace(sight, valid=torch.zeros_like(sight.valid))


def grounded(text: str, *phrases: tuple[str, Box]) -> Answer:
    """Returns an answer whose phrases are tied to boxes; boxes of the same phrase are gathered."""
    found: dict[str, list[Box]] = {}
    for phrase, box in phrases:
        found.setdefault(phrase, []).append(box)
    groundings = []
    for phrase, boxes in found.items():
        start = text.index(phrase)
        span = Phrase(phrase, start, start + len(phrase))
        groundings.append(Grounding(span, tuple(boxes), (1.0,) * len(boxes)))
    return Answer(text, tuple(groundings))


def turns() -> list[Turn]:
    """Three turns about `picture`: two regions, a caption with two phrases, a click."""
    click = Points((Point(0.7, 0.6), Point(0.2, 0.4, positive=False)))
    stroke = Scribble(((0.1, 0.3), (0.3, 0.5), (0.4, 0.6)))
    return [
        Turn(
            "What are @1 and @2?",
            Answer("red square and blue square"),
            (Region("@1", LEFT), Region("@2", stroke)),
        ),
        Turn(
            "Describe this picture.",
            grounded(
                "a red square and a blue square", ("red square", LEFT), ("a blue square", RIGHT)
            ),
        ),
        Turn(
            "What is @1?",
            grounded("blue square", ("blue square", RIGHT)),
            (Region("@1", click),),
        ),
    ]


def close(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors have one shape and agree within an absolute tolerance."""
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=0, atol=tolerance)
