"""Which picture is drawn next: all alike, or those with rare things more often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from model.records import Record


class Sampler:
    """Draws pictures by number."""

    def __init__(self, records: Sequence[Record], rare: float = 0.0) -> None:
        """Weighs the pictures.

        Args:
            records: of the pictures.
            rare: share of pictures below which a class is rare; 0 draws all pictures alike.
        """
        self._count = len(records)
        self._cumulative = list(accumulate(weights(records, rare))) if rare else None

    def draw(self, chance: Random) -> int:
        """Returns the number of a picture."""
        if self._cumulative is None:
            return chance.randrange(self._count)
        return chance.choices(range(self._count), cum_weights=self._cumulative)[0]


def weights(records: Sequence[Record], rare: float) -> list[float]:
    """Returns how much more often than others each picture is drawn, at least 1.

    Source: repeat factors, LVIS (Gupta et al. 2019, appendix B.1): max over a picture's classes of
    sqrt(rare / share of the pictures that have the class). Where we differ: pictures are drawn by
    these weights, not repeated.

    Example:
        A dog in every picture and a vase in one of 100, rare = 0.04: the picture with the vase
        weighs 2, all others 1.
    """
    labels = [{thing.label for thing in record.objects} for record in records]
    counts = Counter(label for some in labels for label in some)
    factor = {
        label: max(1.0, math.sqrt(rare * len(records) / count)) for label, count in counts.items()
    }
    return [max((factor[label] for label in some), default=1.0) for some in labels]
