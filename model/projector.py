"""Image tokens for the language model: a coarse grid of the whole picture and its best objects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.config import ModelConfig
from model.errors import ConfigError
from model.tokens import Special
from model.vision import Sight


class Projector(nn.Module):
    """Summit cells and object queries to P image tokens of the language model's width.

    The grid is shuffled (cells of `shuffle` x `shuffle` become one token), then mapped by a linear
    layer, an MLP, or read by learned queries with cross-attention (a small Q-Former). `guided`
    reads all of them once more for a question.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.shuffle = config.projector.shuffle
        self.num_objects = config.projector.num_objects
        width = config.language.width
        cells = config.trunk.sides[0] // 32 // self.shuffle
        inputs = config.trunk.summit_width * self.shuffle**2
        self.place = nn.Embedding(cells**2, width)
        self.objects = nn.Sequential(
            nn.LayerNorm(config.decoder.width), nn.Linear(config.decoder.width, width)
        )
        # Published encoders differ by far in how large their numbers are.
        self.norm = nn.LayerNorm(inputs) if config.trunk.encoder else None
        self.grid = _grid_layer(config.projector.kind, inputs, width)
        self.resampler = (
            Resampler(config.projector.num_queries, width, config.language.num_heads)
            if config.projector.kind == "resampler"
            else None
        )
        self.guided = GuidedTokens(config) if config.decoder.num_guided else None

    def forward(self, sight: Sight, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Returns image tokens float[B, P, D] and which are real, bool[B, P]."""
        cells = F.pixel_unshuffle(sight.summit, self.shuffle).flatten(2).transpose(1, 2)
        cells = cells / 2 if self.norm is None else self.norm(cells)
        grid = self.grid(cells) + self.place.weight
        if self.resampler is not None:
            grid = self.resampler(grid)
        things = self.objects(queries[:, : self.num_objects])
        real = torch.cat(
            [sight.valid.new_ones(grid.shape[:2]), sight.valid[:, : self.num_objects]], 1
        )
        return torch.cat([grid, things], 1), real


def _grid_layer(kind: str, inputs: int, width: int) -> nn.Module:
    if kind in ("linear", "resampler"):
        return nn.Linear(inputs, width)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width))
    raise ConfigError(f"projector.kind is {kind!r}; choose linear, mlp or resampler.")


class Resampler(nn.Module):
    """Learned queries that read the grid once by cross-attention. Source: BLIP-2, shortened."""

    def __init__(self, num_queries: int, width: int, num_heads: int) -> None:
        super().__init__()
        self.queries = nn.Embedding(num_queries, width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, grid: Tensor) -> Tensor:
        """Returns float[B, queries, D] from a grid float[B, cells, D]."""
        queries = self.queries.weight.expand(len(grid), -1, -1)
        memory = self.norm(grid)
        x = queries + self.attention(queries, memory, memory, need_weights=False)[0]
        return x + self.mix(x)


class GuidedTokens(nn.Module):
    """Image tokens that a question picks of its picture, in the `<image>` slots at its end.

    Source: the language-guided image tokenizer of VisionLLM (Wang et al. 2023, section 3.2), whose
    learned queries read the picture in the light of the words. Where we differ: they come on top of
    the picture's own tokens, which are the same for every question and can be kept.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.language.width
        self.count = config.decoder.num_guided
        self.queries = nn.Embedding(self.count, width)
        self.meaning = nn.Linear(width, width)
        self.words_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, config.language.num_heads, batch_first=True)

    def forward(self, words: Tensor, ids: Tensor, image: Tensor, real: Tensor) -> Tensor:
        """Returns token embeddings float[B, T, D] with these slots filled.

        Args:
            words: float[B, T, D].
            ids: int64[B, T].
            image: float[B, P, D], `<bos>` and the picture's tokens.
            real: bool[B, P].
        """
        slots = ids == Special.IMAGE.id
        if not slots.any():
            return words
        number = (slots.cumsum(1) - 1).clamp(min=0) % self.count
        asked = self.meaning(self.words_norm(question_mean(words, ids, number)))
        memory = self.image_norm(image)
        queries = self.queries(number) + asked
        read = self.attention(
            queries, memory, memory, key_padding_mask=~real, need_weights=False
        )[0]  # fmt: skip
        return torch.where(slots.unsqueeze(-1), (queries + read).to(words.dtype), words)


def question_mean(words: Tensor, ids: Tensor, number: Tensor) -> Tensor:
    """Returns for every `<image>` slot the mean of its question's words, float[B, T, D].

    Args:
        words: float[B, T, D].
        ids: int64[B, T].
        number: int64[B, T], of each slot within its question.

    Example (two slots a question):
        <user> what is it <image> <image>  ->  both slots: the mean of what, is, it
    """
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    user = torch.where(ids == Special.USER.id, places, 0).cummax(1).values
    last = (places - number - 1).clamp(min=0)
    sums = words.float().cumsum(1)
    width = words.shape[-1]

    def up_to(place: Tensor) -> Tensor:
        return sums.gather(1, place.unsqueeze(-1).expand(-1, -1, width))

    count = (last - user).clamp(min=1).unsqueeze(-1)
    return ((up_to(last) - up_to(user)) / count).to(words.dtype)
