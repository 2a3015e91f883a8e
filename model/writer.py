"""Tokens as they are generated to plain text, with the places of phrases and words in it."""

from __future__ import annotations

import copy
import re

from model.tokens import CLOSING, Vocabulary
from model.types import Phrase

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
ENDING = re.compile(r" '(s|t|re|ve|m|ll|d)$")
UNFINISHED = "\ufffd"


class Writer:
    """Grows a text token by token; phrases are opened and closed around its characters."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._pending: list[int] = []
        self._opened: int | None = None
        self.text = ""
        self.spans: list[tuple[int, int]] = []

    def fork(self) -> Writer:
        """Returns a copy that may go on in another way."""
        other = copy.copy(self)
        other._pending, other.spans = list(self._pending), list(self.spans)
        return other

    def write(self, token: int) -> str:
        """Adds a word token; returns the new characters, none while a letter is incomplete.

        A space or an apostrophe is held back until it is known what follows: marks and endings
        such as 's take no space before them.
        """
        self._pending.append(token)
        piece = self._vocabulary.decode(self._pending)
        if piece.strip() in ("", "'") or (UNFINISHED in piece and len(self._pending) < 5):
            self.spans.append((len(self.text), len(self.text)))
            return ""
        self._pending.clear()
        if not self.text or piece.strip()[:1] in CLOSING or ENDING.match(piece):
            piece = piece.lstrip()
        start = len(self.text) + len(piece) - len(piece.lstrip())
        self.text += piece
        self.spans.append((start, len(self.text)))
        return piece

    def open(self) -> None:
        """Begins a phrase at the next word."""
        self._opened = len(self.text)

    @property
    def opened(self) -> str | None:
        """The words of the phrase that is open, if one is."""
        return None if self._opened is None else self.text[self._opened :].strip()

    def close(self) -> Phrase | None:
        """Ends the phrase and returns it; None if it has no words or was never begun."""
        start, self._opened = self._opened, None
        if start is None:
            return None
        start += len(self.text[start:]) - len(self.text[start:].lstrip())
        words = self.text[start:]
        return Phrase(words, start, len(self.text)) if words.strip() else None

    def words(self) -> list[tuple[Phrase, list[int]]]:
        """Returns every word of the text and the numbers of the tokens that wrote it."""
        found = []
        for match in WORD.finditer(self.text):
            tokens = [
                number
                for number, (start, end) in enumerate(self.spans)
                if start < match.end() and end > match.start()
            ]
            found.append((Phrase(match.group(), match.start(), match.end()), tokens))
        return found
