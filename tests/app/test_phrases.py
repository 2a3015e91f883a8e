"""The chat in HTML: phrases are linked by number, hostile text stays text."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import phrases, words
from app.session import Exchange
from model.types import Answer, Box, Finish, Grounding, Phrase

HALF, WHOLE = Box(0, 0, 0.5, 0.5), Box(0, 0, 1, 1)


class Tags(HTMLParser):
    """Collects the tags and the text of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def dog(start: int | None = 0, end: int | None = 5, *scores: float) -> Grounding:
    scores = scores or (0.9,)
    return Grounding(Phrase("a dog", start, end), (HALF, WHOLE)[: len(scores)], scores)


@given(st.text())
def test_escaped_text_reads_as_it_was_and_holds_no_markup(text: str) -> None:
    safe = phrases.escape(text)
    assert not re.search(r"[<>\"'`*_\[\]()!~|$\\]", safe)
    printable = "".join(c if c.isprintable() or c == "\n" or c > "\x7f" else " " for c in text)
    assert html.unescape(safe) == printable


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "![x](http://evil/x.png) [y](javascript:alert(1))",
    "www.evil.example http://evil.example",
    "${alert(1)} {{7*7}} $$x$$ `code` **b**",
    "&lt;b&gt; &#60;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_inert_wherever_they_stand(text: str) -> None:
    answer = Answer(text, (Grounding(Phrase(text, 0, len(text)), (HALF,), (0.5,)),))
    source = phrases.phrase_html(answer, 1) + phrases.question_html(text)
    found = Tags(source)
    assert {tag for tag, _ in found.tags} <= {"span", "br"}
    assert found.text.count(text) == 2
    assert "http:" not in source
    assert "![" not in source


def test_a_phrase_is_focusable_numbered_and_coloured() -> None:
    found = Tags(phrases.phrase_html(Answer("a dog runs", (dog(),)), 4))
    tag, attributes = found.tags[0]
    assert tag == "span"
    assert attributes["class"] == "ph x4 g1"
    assert attributes["tabindex"] == "0"
    assert attributes["style"] == "--c:#E69F00;--i:#14161A"
    assert attributes["title"] == "1 · a dog · 0.90"
    assert found.text == "a dog1 runs"


def test_several_boxes_are_counted_from_the_threshold_on() -> None:
    answer = Answer("a dog", (dog(0, 5, 0.9, 0.4),))
    assert Tags(phrases.phrase_html(answer, 1, 0.3)).text == "a dog ×21"
    assert Tags(phrases.phrase_html(answer, 1, 0.5)).text == "a dog1"
    assert Tags(phrases.phrase_html(answer, 1, 0.95)).tags == []


SPANS = [(3, 2), (-1, 4), (0, 99), (2, 2), (None, 4)]


@pytest.mark.parametrize("span", SPANS)
def test_impossible_spans_stay_plain(span: tuple[int | None, int | None]) -> None:
    answer = Answer("a dog", (dog(*span),))
    assert phrases.phrase_html(answer, 1) == "a dog"


def test_overlapping_phrases_keep_the_first_and_all_the_text() -> None:
    answer = Answer("a dog runs", (dog(0, 5), dog(2, 10)))
    found = Tags(phrases.phrase_html(answer, 1))
    assert found.text == "a dog1 runs"


def test_numbers_skip_groundings_without_boxes() -> None:
    empty = Grounding(Phrase("nothing"), (), ())
    numbers = [
        (number, g.phrase.text) for number, g in phrases.numbered(Answer("", (empty, dog())))
    ]
    assert numbers == [(1, "a dog")]


def test_marks_in_a_question_are_small_tags() -> None:
    found = Tags(phrases.question_html("is @12 left of @3456?"))
    assert [attributes["class"] for _, attributes in found.tags] == ["mk m12"]
    assert found.text == "is @12 left of @3456?"


def asked(answer: Answer | None = None, **changes: object) -> Exchange:
    return Exchange(1, "q", answer=answer, **changes)  # type: ignore[arg-type]


def reply(exchange: Exchange, threshold: float = 0.3) -> str:
    user, assistant = phrases.chat([exchange], lambda _: threshold)
    assert (user["role"], assistant["role"]) == ("user", "assistant")
    return assistant["content"]


def test_the_chat_tells_how_an_answer_ended() -> None:
    assert "caret" in reply(asked(text="a d"))
    assert words.STOPPED in reply(asked(Answer("a", finish=Finish.CANCELLED)))
    assert words.CUT_SHORT in reply(asked(Answer("a", finish=Finish.LENGTH)))
    assert words.ABSENT in reply(asked(Answer("no", finish=Finish.ABSENT)))
    assert Tags(reply(asked(Answer("")))).text == words.NO_WORDS
    assert Tags(reply(asked(error="<b>broken</b>"))).text == "<b>broken</b>"


def test_a_detection_reads_as_the_threshold_says() -> None:
    cats = Grounding(Phrase("cats"), (HALF,), (0.4,))
    dogs = Grounding(Phrase("dogs"), (HALF, WHOLE), (0.9, 0.35))
    exchange = asked(Answer("", (cats, dogs)), names=("cats", "dogs", "unicorns"))
    assert Tags(reply(exchange)).text == "cats1, dogs ×22. Not present: unicorns."
    assert Tags(reply(exchange, 0.5)).text == "dogs2. Not present: cats, unicorns."
    nothing = phrases.seen_from(exchange, 0.95)
    assert nothing.finish is Finish.ABSENT
    assert nothing.text == "cats, dogs, unicorns: not in this picture."
    assert [number for number, _ in phrases.numbered(nothing)] == [1, 2]
