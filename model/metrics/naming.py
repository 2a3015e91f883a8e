"""Which class a free text names: synonyms, plurals and the head noun rule.

Head noun rule: the text is cut where its first noun phrase ends, at a comma, a preposition, a
conjunction, a form of "be" or a word in -ing ("a man | riding | a horse"); the first piece that
holds a known word decides, and in it the last known word ("a baseball *player*"). Words of several
parts win over their parts ("hot dog", "tennis racket"). "a pair of skis" is decided by its second
piece, as "pair" is not a known word. A word may stand for two classes ("bike").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model.vocabulary import SYNONYMS, plural

BOUNDARIES = frozenset(
    (
        *("in", "on", "at", "of", "to", "by", "with", "without", "from", "for", "near", "next"),
        *("beside", "behind", "under", "over", "above", "below", "across", "along", "against"),
        *("around", "through", "inside", "outside", "between", "while", "as", "than", "that"),
        *("which", "who", "whose", "and", "or", "but", "is", "are", "was", "were", "be", "has"),
    )
)
"""Words that end a noun phrase; words in -ing do as well unless they are part of a name."""

_TOKEN = re.compile(r"[a-z0-9]+|[,.;:!?]")


def tokens(text: str) -> list[str]:
    """Returns lower-case words and punctuation marks; "man's" is "man", "s"."""
    return _TOKEN.findall(text.lower())


class Lexicon:
    """All words that name the given classes.

    Example:
        >>> lexicon = Lexicon(["person", "horse", "hot dog"])
        >>> lexicon.classes("a man riding a horse"), lexicon.classes("two hot dogs")
        (frozenset({'person'}), frozenset({'hot dog'}))
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._classes: dict[tuple[str, ...], frozenset[str]] = {}
        for label in labels:
            for word in (label, *SYNONYMS.get(label, ())):
                for form in (word, plural(word)):
                    key = tuple(tokens(form))
                    if key:
                        self._classes[key] = self._classes.get(key, frozenset()) | {label}
        self._longest = max(map(len, self._classes), default=0)

    def classes(self, text: str) -> frozenset[str]:
        """Returns the classes that the head noun of `text` may mean; empty if none is known."""
        words = tokens(text)
        found: frozenset[str] = frozenset()
        at = 0
        while at < len(words):
            length, classes = self._match(words, at)
            if classes:
                found = classes
            elif _ends_phrase(words[at]) and found:
                return found
            at += length
        return found

    def _match(self, words: Sequence[str], at: int) -> tuple[int, frozenset[str]]:
        """Returns length and classes of the longest name that starts at `at`, or (1, empty)."""
        for length in range(min(self._longest, len(words) - at), 0, -1):
            classes = self._classes.get(tuple(words[at : at + length]))
            if classes:
                return length, classes
        return 1, frozenset()


def _ends_phrase(word: str) -> bool:
    return word in BOUNDARIES or not word.isalnum() or (word.endswith("ing") and len(word) > 5)
