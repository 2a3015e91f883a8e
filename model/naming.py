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

DETERMINERS = frozenset(
    (
        *("a", "an", "the", "this", "that", "these", "those", "some", "several", "many", "another"),
        *("his", "her", "its", "their", "one", "two", "three", "four", "five", "six", "seven"),
        *("eight", "nine", "ten", "both", "other"),
    )
)
"""Words that begin a noun phrase."""
MOST_MODIFIERS = 4
"""Words between a determiner and its noun."""

_TOKEN = re.compile(r"[A-Za-z0-9]+|[,.;:!?]")


def tokens(text: str) -> list[str]:
    """Returns lower-case words and punctuation marks; "man's" is "man", "s"."""
    return [token.lower() for token in _TOKEN.findall(text)]


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

    def mentions(self, text: str) -> list[tuple[int, int]]:
        """Returns the character spans of the noun phrases that name one of the classes.

        A phrase begins with its determiner, if one stands close before the name.

        Example:
            >>> text = "a man walks his small dog past cars"
            >>> [text[a:b] for a, b in Lexicon(["person", "dog", "car"]).mentions(text)]
            ['a man', 'his small dog', 'cars']
        """
        found = list(_TOKEN.finditer(text))
        words = [match.group().lower() for match in found]
        spans: list[tuple[int, int]] = []
        at = free = 0
        while at < len(words):
            length, classes = self._match(words, at)
            if classes:
                first = _determined(words, free, at)
                spans.append((found[first].start(), found[at + length - 1].end()))
                free = at + length
            at += length
        return spans

    def _match(self, words: Sequence[str], at: int) -> tuple[int, frozenset[str]]:
        """Returns length and classes of the longest name that starts at `at`, or (1, empty)."""
        for length in range(min(self._longest, len(words) - at), 0, -1):
            classes = self._classes.get(tuple(words[at : at + length]))
            if classes:
                return length, classes
        return 1, frozenset()


def _ends_phrase(word: str) -> bool:
    return word in BOUNDARIES or not word.isalnum() or (word.endswith("ing") and len(word) > 5)


def _determined(words: Sequence[str], lowest: int, noun: int) -> int:
    """Returns where the noun phrase of a noun begins: at its determiner, else at itself."""
    for at in range(noun - 1, max(lowest, noun - 1 - MOST_MODIFIERS) - 1, -1):
        if words[at] in DETERMINERS:
            return at
        if _ends_phrase(words[at]):
            break
    return noun
