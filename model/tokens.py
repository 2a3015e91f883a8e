"""Words to token ids and back: the tokenizer, the special tokens and the layout of a turn.

A turn is `<user> question <assistant> answer <eos>`. A region `@n` in the question is one or more
`<region>` slots, filled by the region encoder. A phrase of the answer that is somewhere is written
`<p> phrase </p> [GRD]` and followed by `<link>` slots, the super-link queries. Words typed by
people can never become special tokens: those have ids of their own that no text encodes to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from model.errors import CheckpointError, QuestionError, RegionError

REGION_NAME = re.compile(r"@(\d{1,3})(?!\d)")
CLOSING = frozenset(".,!?;:)")
"""Marks that follow a word without a space."""


class Special(StrEnum):
    """Tokens that no text can spell."""

    PAD = "<pad>"
    BOS = "<bos>"
    EOS = "<eos>"
    IMAGE = "<image>"
    REGION = "<region>"
    USER = "<user>"
    ASSISTANT = "<assistant>"
    PHRASE = "<p>"
    PHRASE_END = "</p>"
    DET = "[DET]"
    GRD = "[GRD]"
    SEG = "[SEG]"
    POSE = "[POSE]"
    LINK = "<link>"

    @property
    def id(self) -> int:
        """Token id; the special tokens come first in every vocabulary."""
        return _SPECIAL_IDS[self]


_SPECIAL_IDS = {token: number for number, token in enumerate(Special)}
ROUTES = (Special.DET, Special.GRD, Special.SEG, Special.POSE)
"""Routing tokens, in the order of their super-link queries."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A piece of an answer: words, and what grounds them, if anything.

    Attributes:
        text: the words.
        route: routing token.
        places: location tokens, where boxes are written as text.
    """

    text: str
    route: Special | None = None
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One turn as the language model reads it.

    Attributes:
        ids: T token ids.
        labels: T ids to be predicted *at* each place (already shifted), -100 where nothing is.
        groups: for every grounded piece: index of its routing token, its piece number.
        words: for every token that is part of a grounded piece's words: token index, piece number.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    groups: tuple[tuple[int, int], ...]
    words: tuple[tuple[int, int], ...]


class Vocabulary:
    """The tokenizer: byte-level BPE over lower-case words, special tokens kept apart."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Returns a vocabulary of at most `size` tokens learned from `texts`."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=list(Special),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(_without_special_matching(tokenizer))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads `tokenizer.json`.

        Raises:
            CheckpointError: the file is missing or no tokenizer with our special tokens.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # The library raises bare Exception.
            raise CheckpointError(f"{path} is no readable tokenizer: {error}") from error
        if any(tokenizer.token_to_id(token) != token.id for token in Special):
            raise CheckpointError(f"{path} lacks the special tokens of this model.")
        return cls(tokenizer)

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`."""
        self._tokenizer.save(str(path))

    def encode(self, text: str) -> list[int]:
        """Returns the ids of plain words; never a special one."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids if text.strip() else []

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the words of ids, special tokens left out, with its leading space."""
        return self._tokenizer.decode([i for i in ids if i >= len(Special)])

    def question(
        self, text: str, slots: Sequence[str], tokens_each: int, guided: int = 0
    ) -> list[int]:
        """Returns a question's ids with `<region>` slots in the order of `slots`.

        Args:
            text: what the person typed.
            slots: names to be found in it, as `referred` returns them; names that the text does
                not mention come first.
            tokens_each: slots a region takes.
            guided: `<image>` slots at its end, for what its words pick of the picture.
        """
        ids = [Special.USER.id]
        mentioned = {match.group() for match in REGION_NAME.finditer(text)}
        for name in slots:
            if name not in mentioned:
                ids += [Special.REGION.id] * tokens_each
        place = 0
        for match in REGION_NAME.finditer(text):
            ids += self.encode(text[place : match.start()])
            ids += [Special.REGION.id] * tokens_each
            place = match.end()
        picked = [Special.IMAGE.id] * guided
        return [*ids, *self.encode(text[place:]), *picked, Special.ASSISTANT.id]

    def turn(self, question: Sequence[int], answer: Sequence[Marked], num_links: int) -> TokenRow:
        """Returns a whole turn, question and marked answer, ready for teacher forcing."""
        ids, labels = list(question), [-100] * (len(question) - 1)
        groups: list[tuple[int, int]] = []
        words: list[tuple[int, int]] = []

        def add(token: int) -> None:
            labels.append(token)
            ids.append(token)

        for number, piece in enumerate(answer):
            if piece.route is None:
                around = (Special.PHRASE.id,), (Special.PHRASE_END.id, *piece.places)
                before, after = around if piece.places else ((), ())
                for token in (*before, *self.encode(piece.text), *after):
                    add(token)
                continue
            add(Special.PHRASE.id)
            for token in self.encode(piece.text):
                words.append((len(ids), number))
                add(token)
            add(Special.PHRASE_END.id)
            add(piece.route.id)
            groups.append((len(ids) - 1, number))
            ids += [Special.LINK.id] * num_links
            labels += [-100] * num_links
        add(Special.EOS.id)
        return TokenRow(tuple(ids), (*labels, -100), tuple(groups), tuple(words))

    def name(self, text: str, num_links: int) -> list[int]:
        """Returns a class name on its own, as detection encodes it: `<p> name </p> [DET]` links."""
        return [
            Special.BOS.id,
            Special.PHRASE.id,
            *self.encode(text)[:16],
            Special.PHRASE_END.id,
            Special.DET.id,
            *[Special.LINK.id] * num_links,
        ]


def join(rows: Sequence[TokenRow]) -> TokenRow:
    """Returns rows one behind the other as a single one; pieces are numbered through."""
    ids: list[int] = []
    labels: list[int] = []
    groups: list[tuple[int, int]] = []
    words: list[tuple[int, int]] = []
    pieces = 0
    for row in rows:
        start = len(ids)
        groups += [(start + token, pieces + piece) for token, piece in row.groups]
        words += [(start + token, pieces + piece) for token, piece in row.words]
        ids += row.ids
        labels += row.labels
        pieces += 1 + max((piece for _, piece in row.groups), default=0)
    return TokenRow(tuple(ids), tuple(labels), tuple(groups), tuple(words))


def referred(text: str, drawn: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """Returns the region slots of a question in reading order, drawn but unmentioned ones first.

    Args:
        text: the question.
        drawn: names drawn for this turn.
        known: names of earlier turns that may be referred to.

    Raises:
        RegionError: the text names a region that does not exist.
    """
    names = [match.group() for match in REGION_NAME.finditer(text)]
    for name in names:
        if name not in drawn and name not in known:
            have = ", ".join([*known, *drawn]) or "none yet"
            raise RegionError(f"There is no {name} in the picture; the marks are: {have}.")
    return [name for name in drawn if name not in names] + names


def check_question(text: str, limit: int) -> str:
    """Returns the text without outer space; raises QuestionError if empty or too long."""
    text = text.strip()
    if not text:
        raise QuestionError("The question is empty; type what you want to know.")
    if len(text) > limit:
        raise QuestionError(f"The question has {len(text):,} characters; at most {limit:,} fit.")
    return text


def mark(caption: str, spans: Iterable[tuple[int, int]], route: Special) -> Iterator[Marked]:
    """Yields a caption in pieces, those inside `spans` marked with `route`; overlaps are skipped.

    Example:
        >>> [piece.text for piece in mark("a dog runs", [(0, 5)], Special.GRD)]
        ['a dog', 'runs']
    """
    place = 0
    for start, end in sorted(spans):
        if start < place or end <= start:
            continue
        if caption[place:start].strip():
            yield Marked(caption[place:start].strip())
        yield Marked(caption[start:end].strip(), route)
        place = end
    if caption[place:].strip():
        yield Marked(caption[place:].strip())


def without_overlaps(spans: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Returns the spans in as few ordered lists without overlaps as a greedy sweep needs."""
    layers: list[list[tuple[int, int]]] = []
    for span in sorted(set(spans)):
        for layer in layers:
            if layer[-1][1] <= span[0]:
                layer.append(span)
                break
        else:
            layers.append([span])
    return layers


def _without_special_matching(tokenizer: Tokenizer) -> Tokenizer:
    """Returns the tokenizer with special tokens in its vocabulary but never matched in text."""
    tree = json.loads(tokenizer.to_str())
    tree["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(tree))
