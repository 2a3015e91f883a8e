"""What was found for a phrase, told to the language model before it writes on.

"The dog is at the top left", "dogs: three": such words follow from boxes that the language model
does not see by itself, since the box decoder finds them. So the token behind a phrase's links is
told the box around everything found and how many there are: the true ones in training, the
decoder's own in serving. Source: ours; the other half of VisionLLM v2's super-link, which only
leads out of the language model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.config import ModelConfig
from model.objects import NUM_GEOMETRY, geometry

MOST_COUNTED = 11
"""More than so many are told as this many."""
FORGOTTEN = 0.2
"""Share of phrases that training tells nothing about, as a forced answer is read in one pass."""


def summary(boxes_xyxy: Tensor) -> Tensor:
    """Returns the box around N >= 1 boxes and their number: float[N, 4] to float[5]."""
    count = boxes_xyxy.new_tensor([len(boxes_xyxy)])
    return torch.cat([boxes_xyxy[:, :2].amin(0), boxes_xyxy[:, 2:].amax(0), count])


class Findings(nn.Module):
    """Summaries of what was found to what is added to a token."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.language.width
        self.read = nn.Sequential(
            nn.Linear(NUM_GEOMETRY + MOST_COUNTED + 1, width), nn.GELU(), nn.Linear(width, width)
        )
        nn.init.zeros_(self.read[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.read[-1].bias)  # type: ignore[arg-type]

    def forward(self, found: Tensor) -> Tensor:
        """Returns float[G, language width] of summaries float[G, 5]."""
        count = F.one_hot(found[:, 4].long().clamp(max=MOST_COUNTED), MOST_COUNTED + 1)
        told = self.read(torch.cat([geometry(found[:, :4]), count], -1))
        if self.training:
            told = told * (torch.rand(len(told), 1, device=told.device) >= FORGOTTEN)
        return told
