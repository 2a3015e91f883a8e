"""A box for every word, from the state that writes it. Source: PixelLLM (Xu et al. 2024), 3.3.

Two points a token, squashed to [0, 1]; the box of a phrase spans the points of its tokens. Where
we differ: the MLP is as wide as the small language model, not 512.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.preprocess import Letterbox
from model.tokens import Vocabulary
from model.types import Box, Phrase, WordBox
from model.writer import Writer

NUM_LAYERS = 4


class WordLocator(nn.Module):
    """LayerNorm and a four-layer MLP to two points."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.language.width
        layers: list[nn.Module] = [nn.LayerNorm(width)]
        for _ in range(NUM_LAYERS - 1):
            layers += [nn.Linear(width, width), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 4))

    def forward(self, states: Tensor) -> Tensor:
        """Returns boxes float[..., 4], xyxy in the canvas frame, of states float[..., D].

        The second point is written as the first plus a share of what is left, so that corners
        never cross.
        """
        raw = self.layers(states).sigmoid()
        low, share = raw[..., :2], raw[..., 2:]
        return torch.cat([low, low + (1 - low) * share], -1)


def boxes_of_words(
    locator: WordLocator, writer: Writer, states: Tensor, letterbox: Letterbox, start: int = 0
) -> Iterator[WordBox]:
    """Yields a box for every word that was written, around the boxes of its tokens.

    Args:
        locator: reads states.
        writer: which wrote one token for each state.
        states: float[T, D].
        letterbox: of the picture.
        start: where what was written begins in the whole text.
    """
    boxes = letterbox.to_unit(locator(states)).clamp(0, 1)
    for word, tokens in writer.words():
        low, high = boxes[tokens, :2].amin(0), boxes[tokens, 2:].amax(0)
        if bool((high - low > 1e-4).all()):
            phrase = Phrase(word.text, (word.start or 0) + start, (word.end or 0) + start)
            yield WordBox(phrase, Box.parse(torch.cat([low, high]).tolist()))


def boxes_of_phrase(
    locator: WordLocator,
    vocabulary: Vocabulary,
    phrase: Phrase,
    states: Tensor,
    letterbox: Letterbox,
) -> Iterator[WordBox]:
    """Yields a box for every word of a phrase that was given; none if its tokens spell it anew.

    Args:
        locator: reads states.
        vocabulary: of which its tokens are.
        phrase: with its place in a text.
        states: float[T, D], one for each of its tokens.
        letterbox: of the picture.
    """
    writer = Writer(vocabulary)
    for token in vocabulary.encode(phrase.text):
        writer.write(token)
    if len(writer.text) == len(phrase.text):
        yield from boxes_of_words(locator, writer, states, letterbox, phrase.start or 0)
