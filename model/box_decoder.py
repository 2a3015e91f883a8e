"""From a phrase's super-link states to boxes and scores over the proposals.

DETR-style: object queries attend to each other and to the phrase, and refine their boxes layer by
layer (Carion et al. 2020; refinement as in Deformable DETR). As in VisionLLM v2 the mean of the
projected link states conditions the queries. Where we differ: queries are detector proposals
(Groma, ChatRex), and a phrase is first read as a mixture of the trunk's own classes, whose scores
are the starting point that the layers correct. So an untrained decoder already detects as well
as the trunk, and words the trunk never heard of are left to the layers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import boxes
from model.batch import Boxes
from model.config import ModelConfig
from model.objects import NUM_COLOURS, NUM_GEOMETRY, Objects
from model.standing import NUM_STANDING
from model.vision import Sight

PADDED = -1e4
"""Score logit of a proposal that is only padding."""


class DecoderLayer(nn.Module):
    """Self-attention over [object queries, links], then a feed-forward; pre-norm."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.mix = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )

    def forward(self, x: Tensor, ignored: Tensor) -> Tensor:
        """Returns float[G, Q + L, D]; `ignored` is bool[G, Q + L]."""
        if not len(x):  # No phrases: torch's attention cannot take none while it learns.
            return x
        y = self.attention_norm(x)
        x = x + self.attention(y, y, y, key_padding_mask=ignored, need_weights=False)[0]
        return x + self.mix(x)


class BoxDecoder(nn.Module):
    """Object queries and link states to scored boxes."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, language = config.decoder.width, config.language.width
        self.conditioned = config.decoder.conditioned
        self.links = nn.Sequential(
            nn.Linear(language, language), nn.GELU(), nn.Linear(language, language), nn.GELU(),
            nn.Linear(language, width),
        )  # fmt: skip
        self.classes = nn.Linear(language, config.trunk.num_classes)
        self.wishes = nn.Linear(language, NUM_GEOMETRY + NUM_STANDING)
        self.tints = nn.Linear(language, NUM_COLOURS)
        self.sought = nn.Linear(width, width)
        self.offered = nn.Linear(width, width)
        self.modulate = nn.Linear(width, 2 * width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, config.decoder.num_heads) for _ in range(config.decoder.num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.layers)
        self.scores = nn.ModuleList(nn.Linear(width, 1) for _ in self.layers)
        self.offsets = nn.ModuleList(nn.Linear(width, 4) for _ in self.layers)
        for layer in (
            *self.scores, *self.offsets, self.modulate, self.offered, self.wishes, self.tints,
        ):  # fmt: skip
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, links: Tensor, picture: Tensor, sight: Sight, objects: Objects) -> Boxes:
        """Decodes G phrases.

        Args:
            links: float[G, L, language width], states of the super-link queries.
            picture: int64[G], the picture each phrase is about.
            sight: what was seen of B pictures.
            objects: with queries that know their picture.
        """
        class_logits = self.classes(links.mean(1))
        start = prior(class_logits, picture, sight)
        links = links if self.conditioned else torch.zeros_like(links)
        tokens = self.links(links)
        scale, shift = self.modulate(tokens.mean(1)).unsqueeze(1).chunk(2, -1)
        queries = objects.queries
        count = queries.shape[1]
        pointed = self._point(tokens, queries, picture)
        pointed = pointed + self._wish(links, objects.traits, picture)
        x = torch.cat([queries[picture] * (1 + scale) + shift, tokens], 1)
        ignored = F.pad(~sight.valid[picture], (0, tokens.shape[1]))
        box = boxes.to_cxcywh(sight.boxes[picture])
        logits, refined = [], []
        for layer, norm, score, offset in zip(
            self.layers, self.norms, self.scores, self.offsets, strict=True
        ):
            x = layer(x, ignored)
            y = norm(x[:, :count])
            box = _shift(box.detach(), offset(y))
            correction = pointed + score(y).squeeze(-1)
            logits.append((start + correction).masked_fill(ignored[:, :count], PADDED))
            refined.append(boxes.to_xyxy(box))
        start = start.masked_fill(ignored[:, :count], PADDED)
        return Boxes(torch.stack(logits), torch.stack(refined), class_logits, y, picture, start)

    def _wish(self, links: Tensor, traits: Tensor, picture: Tensor) -> Tensor:
        """Returns how well each object stands and looks as a phrase asks it to, float[G, Q].

        The shortest way from words to places and colours. "Left" and "right" differ little in the
        link states, compared with "dog" and "bus"; through the layers alone they were not told
        apart. Nor were purple and red from a dozen pictures.
        """
        asked = torch.cat([self.wishes(links.mean(1)), self.tints(links.mean(1))], -1)
        return torch.einsum("gd,gqd->gq", asked, traits[picture])

    def _point(self, tokens: Tensor, queries: Tensor, picture: Tensor) -> Tensor:
        """Returns how well what a phrase seeks agrees with what each object offers, float[G, Q].

        Source: detection as retrieval over proposals, ChatRex (Jiang et al. 2024).
        """
        sought, offered = self.sought(tokens.mean(1)), self.offered(queries)
        return torch.einsum("gd,gqd->gq", sought, offered[picture]) / sought.shape[-1] ** 0.5


def prior(class_logits: Tensor, picture: Tensor, sight: Sight) -> Tensor:
    """Returns the trunk's own score of every proposal for each phrase, as logits float[G, Q].

    A phrase is a mixture of classes: p(phrase | box) = p(object) * sum_k p(k | phrase) p(k | box).
    """
    share = class_logits.softmax(-1)
    likely = torch.einsum("gk,gqk->gq", share, sight.class_logits[picture].sigmoid())
    likely = likely * sight.objectness_logits[picture].sigmoid()
    return torch.logit(likely.clamp(1e-5, 1 - 1e-5))


def _shift(box_cxcywh: Tensor, offset: Tensor) -> Tensor:
    """Moves boxes by offsets in units of their size. Source: R-CNN's box parametrisation."""
    size = box_cxcywh[..., 2:]
    centre = box_cxcywh[..., :2] + offset[..., :2] * size
    return torch.cat([centre, size * offset[..., 2:].clamp(-2, 2).exp()], -1)
