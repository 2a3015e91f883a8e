"""The language model: a causal transformer, a picture as its prefix, turns behind it.

Any decoder of transformers that takes embeddings and a 4-D mask can stand in; words are read off
with its own embedding matrix.

Image tokens see each other in both directions (as in PaliGemma); a turn's tokens see the picture
and what came before in their own turn. Many turns packed behind one picture therefore give what
each gives alone, and the picture's part can be kept and asked again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, DynamicCache, PreTrainedModel, Qwen3Config, Qwen3Model

from model.config import LanguageConfig
from model.parts import settings_of
from model.tokens import Special


def build_language(config: LanguageConfig) -> PreTrainedModel:
    """Returns an untrained decoder without an output layer: a small Qwen3, or a published one.

    Raises:
        ConfigError: the published one cannot be built.
    """
    ours: dict[str, Any] = {
        "vocab_size": config.vocab_size + config.num_bins,
        "pad_token_id": Special.PAD.id,
        "bos_token_id": Special.BOS.id,
        "eos_token_id": Special.EOS.id,
    }
    if config.base:
        return AutoModel.from_config(settings_of(config.base, ours))
    return Qwen3Model(
        Qwen3Config(
            hidden_size=config.width,
            intermediate_size=config.hidden,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            head_dim=config.width // config.num_heads,
            max_position_embeddings=config.max_length,
            **ours,
        )
    )


class Prefixed(nn.Module):
    """Runs a causal language model over a prefix and packed turns."""

    def __init__(self, language: nn.Module, dropout: float) -> None:
        super().__init__()
        self.language = language
        self.dropout = nn.Dropout(dropout)

    @property
    def embedding(self) -> nn.Embedding:
        """Token embeddings, shared with the output."""
        return self.language.get_input_embeddings()  # type: ignore[operator]

    def prefix_embeddings(self, image: Tensor) -> Tensor:
        """Returns `<bos>` and the image tokens, float[B, 1 + P, D]."""
        start = self.embedding.weight[Special.BOS.id].expand(len(image), 1, -1)
        return torch.cat([start, image], 1)

    def run(
        self,
        embeddings: Tensor,
        mask: Tensor,
        positions: Tensor,
        cache: DynamicCache | None = None,
    ) -> Tensor:
        """Returns the last states float[B, T, D].

        Args:
            embeddings: float[B, T, D].
            mask: bool[B, T, S + T], what each token sees; S tokens lie in the cache already.
            positions: int64[B, T].
            cache: grows by T tokens.
        """
        bias = torch.zeros_like(mask, dtype=embeddings.dtype)
        bias = bias.masked_fill(~mask, torch.finfo(embeddings.dtype).min).unsqueeze(1)
        return self.language(
            inputs_embeds=self.dropout(embeddings),
            attention_mask=bias,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state

    def logits(self, states: Tensor) -> Tensor:
        """Returns float[..., V] next-token logits."""
        return F.linear(states, self.embedding.weight)


def packed_mask(real: Tensor, turn: Tensor) -> Tensor:
    """Returns what each token of [prefix, packed turns] sees, bool[B, P + T, P + T].

    Args:
        real: bool[B, P], prefix tokens that are not padding.
        turn: int64[B, T], turn numbers, -1 for padding.

    Example:
        prefix p, turns a a b: p sees p; each a sees p and the earlier a; b sees p and itself.
    """
    length, count = real.shape[1], turn.shape[1]
    same = turn.unsqueeze(2) == turn.unsqueeze(1)
    earlier = torch.ones(count, count, dtype=torch.bool, device=turn.device).tril()
    own = same & earlier
    sees_prefix = real.unsqueeze(1)
    top = torch.cat(
        [sees_prefix.expand(-1, length, -1), real.new_zeros(len(real), length, count)], 2
    )
    bottom = torch.cat([sees_prefix.expand(-1, count, -1), own], 2)
    return torch.cat([top, bottom], 1)


def causal_mask(real: Tensor, count: int) -> Tensor:
    """Returns what `count` new tokens see of S earlier ones (real: bool[B, S]) and themselves."""
    own = torch.ones(count, count, dtype=torch.bool, device=real.device).tril()
    return torch.cat([real.unsqueeze(1).expand(-1, count, -1), own.expand(len(real), -1, -1)], 2)
