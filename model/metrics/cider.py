"""CIDEr-D: how close a caption comes to what several people wrote about the same picture.

Source: Vedantam et al. 2015, section 5.4, and its reference implementation (coco-caption), which
this follows in all details: 1- to 4-grams, clipped counts, Gaussian length penalty with sigma 6
over the number of bigrams, document frequencies from the evaluated references, factor 10. Only the
tokenisation is our own, as the original's needs Java.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

LONGEST = 4
SIGMA = 6.0

_TOKEN = re.compile(r"\w+?(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+(?:-\w+)*")

Gram = tuple[str, ...]
Vector = dict[Gram, float]


def tokenize(caption: str) -> list[str]:
    """Returns lower-case words without punctuation, close to the Penn Treebank's rules.

    Hyphenated words stay whole; "man's" becomes "man 's", "isn't" becomes "is n't".
    """
    return _TOKEN.findall(caption.lower().replace("’", "'"))


def cider_d(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Returns a score for each picture; their mean is the corpus score, 1.0 is "CIDEr 100".

    Args:
        candidates: one caption for each picture.
        references: what people wrote about each picture, at least one caption.
    """
    counted = [[_grams(caption) for caption in of_picture] for of_picture in references]
    frequency: Counter[Gram] = Counter()
    for of_picture in counted:
        frequency.update({gram for caption in of_picture for gram in caption})
    num_pictures = math.log(len(references)) if references else 0.0
    scores = []
    for candidate, of_picture in zip(candidates, counted, strict=True):
        said = _Weighted(_grams(candidate), frequency, num_pictures)
        written = (_Weighted(caption, frequency, num_pictures) for caption in of_picture)
        scores.append(10 * sum(map(said.similarity, written)) / len(of_picture))
    return scores


def _grams(caption: str) -> Counter[Gram]:
    words = tokenize(caption)
    return Counter(
        tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1)
    )


class _Weighted:
    """n-gram counts of a caption times their inverse document frequency, for each n."""

    def __init__(
        self, grams: Counter[Gram], frequency: Counter[Gram], log_num_pictures: float
    ) -> None:
        self.vectors: list[Vector] = [{} for _ in range(LONGEST)]
        for gram, count in grams.items():
            rarity = log_num_pictures - math.log(max(1, frequency[gram]))
            self.vectors[len(gram) - 1][gram] = count * rarity
        self.norms = [math.sqrt(sum(w * w for w in vector.values())) for vector in self.vectors]
        self.length = sum(count for gram, count in grams.items() if len(gram) == 2)

    def similarity(self, reference: _Weighted) -> float:
        """Returns the mean over n of the clipped cosine, times the length penalty, in [0, 1]."""
        total = 0.0
        for n in range(LONGEST):
            norm = self.norms[n] * reference.norms[n]
            if norm:
                theirs = reference.vectors[n]
                shared = (
                    min(weight, theirs[gram]) * theirs[gram]
                    for gram, weight in self.vectors[n].items()
                    if gram in theirs
                )
                total += sum(shared) / norm
        gap = self.length - reference.length
        return total / LONGEST * math.exp(-(gap**2) / (2 * SIGMA**2))
