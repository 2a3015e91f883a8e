"""What is kept of a picture so that every further question costs only its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache

from model.language import causal_mask
from model.tokens import Marked, Vocabulary

if TYPE_CHECKING:
    from model.objects import Objects
    from model.preprocess import Letterbox
    from model.vision import Sight
    from model.vlm import DeixisModel


@dataclass(frozen=True, slots=True)
class Prefix:
    """Keys and values of `<bos>` and the image tokens.

    Attributes:
        layers: for each layer keys and values, float[1, heads, P, D].
        real: bool[1, P], which tokens are not padding.
        states: float[1, P, D], what the language model made of them.
        image: float[1, P, D], the tokens themselves, of which a question may pick some again.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    real: Tensor
    states: Tensor
    image: Tensor

    @classmethod
    def of(cls, model: DeixisModel, sight: Sight, objects: Objects) -> Prefix:
        """Runs the language model over a picture's tokens."""
        image, real = model.image_tokens(sight, objects)
        mask = real.unsqueeze(1).expand(-1, image.shape[1], -1)
        cache = DynamicCache()
        positions = torch.arange(image.shape[1], device=image.device).unsqueeze(0)
        states = model.prefixed.run(image, mask, positions, cache)
        layers = [(layer[0], layer[1]) for layer in cache]
        kept = tuple((k, v) for k, v in layers if k is not None and v is not None)
        return cls(kept, real, states, image)

    def embed(self, model: DeixisModel, ids: Tensor, regions: Tensor) -> Tensor:
        """Returns the embeddings of tokens int64[1, T] behind this picture, all slots filled."""
        return model.pick(model.embed(ids, regions), ids, self.image, self.real)

    def start(self) -> DynamicCache:
        """Returns a cache that holds the prefix and may grow."""
        return DynamicCache(ddp_cache_data=self.layers)

    def extend(self, model: DeixisModel, embeddings: Tensor, cache: DynamicCache) -> Tensor:
        """Returns the states of new tokens float[1, T, D] behind what the cache holds."""
        held, count = cache.get_seq_length(), embeddings.shape[1]
        behind = self.real.new_ones(1, held - self.real.shape[1])
        mask = causal_mask(torch.cat([self.real, behind], 1), count)
        positions = torch.arange(held, held + count, device=embeddings.device).unsqueeze(0)
        return model.prefixed.run(embeddings, mask, positions, cache)

    def force(
        self,
        model: DeixisModel,
        vocabulary: Vocabulary,
        question: str,
        answer: Sequence[Marked],
    ) -> tuple[Tensor, list[Tensor]]:
        """Returns what the marked phrases of a given answer are located by.

        Returns:
            Their link states float[G, L, D], and for each the states of its words float[T, D].
        """
        links = model.tree.decoder.num_links
        asked = vocabulary.question(question, (), 1, model.tree.decoder.num_guided)
        row = vocabulary.turn(asked, answer, links)
        ids = torch.tensor([row.ids], device=self.real.device)
        states = self.extend(model, self.embed(model, ids, no_regions(model)), self.start())
        groups = torch.tensor([(0, t, 0) for t, _ in row.groups], device=ids.device)
        words = [states[0, [t for t, of in row.words if of == piece]] for _, piece in row.groups]
        return model.link_states(states, groups.view(-1, 3))[0], words


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is kept of a picture: all that does not depend on the question.

    Attributes:
        letterbox: of the picture.
        sight: what the trunk saw.
        objects: for the region encoder.
        in_context: the same in the light of the whole picture, for the box decoder.
        prefix: the picture as the language model keeps it.
    """

    letterbox: Letterbox
    sight: Sight
    objects: Objects
    in_context: Objects
    prefix: Prefix


def no_regions(model: DeixisModel) -> Tensor:
    """Returns the region tokens of a question that points at nothing, float[0, 1, D]."""
    return model.links.weight.new_zeros(0, 1, model.links.weight.shape[1])
