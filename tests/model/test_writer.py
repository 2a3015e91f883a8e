from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.types import Phrase
from model.writer import Writer
from tests.model import tiny

WORDS = tiny.vocabulary()


def _written(*texts: str) -> Writer:
    writer = Writer(WORDS)
    for text in texts:
        for token in WORDS.encode(text):
            writer.write(token)
    return writer


@given(st.text(alphabet="abc de,.é犬☂️", max_size=30).map(str.strip))
def test_pieces_join_to_the_text_and_none_holds_half_a_letter(text: str) -> None:
    writer = Writer(WORDS)
    pieces = [writer.write(token) for token in WORDS.encode(text)]
    assert "".join(pieces) == writer.text
    assert "\ufffd" not in writer.text
    assert len(writer.spans) == len(pieces)
    assert writer.text.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("mark", [".", ",", "!", "?", ";", ":", ")"])
def test_marks_follow_without_a_space(mark: str) -> None:
    assert _written("a red square", mark).text == f"a red square{mark}"
    assert _written("what", "is").text == "what is"


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (("a man", "'s hand"), "a man's hand"),
        (("i can't tell.",), "i can't tell."),
        (("they", "'re here"), "they're here"),
    ],
)
def test_endings_follow_without_a_space(texts: tuple[str, ...], whole: str) -> None:
    assert _written(*texts).text == whole


def test_a_phrase_is_the_words_between_its_ends() -> None:
    writer = _written("there is")
    writer.open()
    for token in WORDS.encode("a red square"):
        writer.write(token)
    assert writer.close() == Phrase("a red square", 9, 21)
    assert writer.text[9:21] == "a red square"
    assert writer.close() is None, "closed twice"


def test_an_empty_phrase_is_none() -> None:
    writer = _written("dog")
    writer.open()
    assert writer.close() is None
    assert Writer(WORDS).close() is None, "never begun"


def test_words_know_the_tokens_that_wrote_them() -> None:
    writer = _written("two skateboards, it's a snowboard.")
    words = writer.words()
    assert [phrase.text for phrase, _ in words] == ["two", "skateboards", "it's", "a", "snowboard"]
    ids = WORDS.encode("two skateboards, it's a snowboard.")
    for phrase, tokens in words:
        assert WORDS.decode([ids[token] for token in tokens]).strip() == phrase.text
        assert writer.text[phrase.start : phrase.end] == phrase.text


def test_a_letter_of_several_tokens_belongs_to_its_word() -> None:
    writer = _written("a 犬 here")
    (phrase, tokens) = writer.words()[1]
    assert phrase.text == "犬"
    assert len(tokens) >= 1
