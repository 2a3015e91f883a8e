"""Region-as-text: boxes as four location tokens that the language model reads and writes.

A phrase that is somewhere is written `<p> phrase </p>` and four tokens a box: left, top, right,
bottom, each one of `num_bins` places along a side of the canvas. The tokens lie behind the words of
the vocabulary, so no text can spell them. Sources: Pix2Seq (Chen et al. 2022, section 2.1) and
VisionLLM (Wang et al. 2023, whose ablation takes 257 to 2049 bins); as in the former, both axes
share the bins. Where we differ: bins divide the canvas, not the picture, as image tokens do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.config import LanguageConfig
from model.errors import ConfigError

CORNERS = 4


@dataclass(frozen=True, slots=True)
class Bins:
    """Places along a side and the tokens that stand for them.

    Attributes:
        first: id of the token of place 0.
        count: places, of which the first is 0 and the last is 1.
    """

    first: int
    count: int

    @classmethod
    def of(cls, config: LanguageConfig) -> Bins:
        """Returns the bins of a language model.

        Raises:
            ConfigError: it has fewer than two.
        """
        if config.num_bins < 2:
            raise ConfigError(
                f"language.num_bins is {config.num_bins}; boxes as text need at least 2."
            )
        return cls(config.vocab_size, config.num_bins)

    def write(self, boxes_xyxy: Tensor) -> list[int]:
        """Returns the tokens of boxes float[N, 4], canvas frame; places outside move to the edge.

        Example (5 bins from token 100):
            [0, 0.25, 0.5, 1] -> 100 101 102 104
        """
        places = (boxes_xyxy.clamp(0, 1) * (self.count - 1)).round().long()
        return [self.first + place for place in places.flatten().tolist()]

    def read(self, tokens: Sequence[int]) -> Tensor:
        """Returns the boxes float[N, 4] of tokens, whatever they are, in one pass.

        Four location tokens in a row are a box. Fewer are dropped, and so is a box without area;
        crossed corners are put in order.
        """
        boxes: list[list[int]] = []
        run: list[int] = []
        for token in tokens:
            place = token - self.first
            if not 0 <= place < self.count:
                run = []
                continue
            run.append(place)
            if len(run) == CORNERS:
                (x0, x1), (y0, y1) = sorted(run[::2]), sorted(run[1::2])
                if x0 < x1 and y0 < y1:
                    boxes.append([x0, y0, x1, y1])
                run = []
        return torch.tensor(boxes, dtype=torch.float).view(-1, CORNERS) / (self.count - 1)
