from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.naming import Lexicon, tokens
from model.records import read_records
from model.vocabulary import COCO_NAMES

LEXICON = Lexicon(COCO_NAMES)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dog", "dog"),
        ("A dog.", "dog"),
        ("this is a dog", "dog"),
        ("a man riding a horse", "person"),
        ("a horse with a rider", "horse"),
        ("the woman in a red shirt next to a bus", "person"),
        ("a baseball player swinging a bat", "person"),
        ("a tennis racket", "tennis racket"),
        ("two hot dogs on a plate", "hot dog"),
        ("a hot dog and a dog", "hot dog"),
        ("a pair of skis", "skis"),
        ("a glass of wine", "wine glass"),
        ("a standing man", "person"),
        ("three children playing", "person"),
        ("a herd of sheep", "sheep"),
        ("a dining table with food", "dining table"),
        ("TEDDY BEAR", "teddy bear"),
        ("a man's bicycle", "bicycle"),
        ("a bowl of bananas", "bowl"),
        ("a boy, a girl and a dog", "person"),
        ("sofa", "couch"),
        ("an old television set", "tv"),
    ],
)
def test_the_head_noun_decides(text: str, name: str) -> None:
    assert LEXICON.classes(text) == {name}


@pytest.mark.parametrize("text", ["", "   ", "grass", "the sky over the sea", "@1 <p>", "日本"])
def test_text_without_a_known_noun_names_nothing(text: str) -> None:
    assert LEXICON.classes(text) == frozenset()


def test_a_bike_may_be_either() -> None:
    assert LEXICON.classes("a bike leaning on a wall") == {"bicycle", "motorcycle"}


def test_labels_of_ones_own_are_known_with_their_plurals() -> None:
    cells = Lexicon(["red blood cell", "platelets"])
    assert cells.classes("two red blood cells") == {"red blood cell"}
    assert cells.classes("platelets") == {"platelets"}
    assert Lexicon([]).classes("a dog") == frozenset()


def test_long_hostile_text_is_read_once() -> None:
    assert LEXICON.classes("of the " * 50_000 + "dog") == {"dog"}
    assert len(tokens("a" * 100_000)) == 1


@pytest.mark.shared
def test_it_agrees_with_phrases_aligned_to_boxes(shared: Path) -> None:
    pairs = [
        (record.captions[g.caption][g.start : g.end], g.label)
        for record in read_records(shared / "data" / "photos" / "coco-val.jsonl.gz")
        for g in record.grounded
    ]
    right = sum(label in LEXICON.classes(phrase) for phrase, label in pairs)
    assert right / len(pairs) > 0.99


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("A man riding a large brown horse.", ["A man", "a large brown horse"]),
        ("two people and a hot dog", ["two people", "a hot dog"]),
        ("man after dog", ["man", "dog"]),
        ("his on a horse", ["a horse"]),
        ("a very very very very old horse", ["horse"]),
        ("people, dogs; the men", ["people", "dogs", "the men"]),
        ("nothing of the kind", []),
        ("", []),
    ],
)
def test_mentions_are_noun_phrases(text: str, phrases: list[str]) -> None:
    lexicon = Lexicon(["person", "horse", "dog", "hot dog"])
    assert [text[start:end] for start, end in lexicon.mentions(text)] == phrases


@given(st.text(max_size=80))
def test_mentions_of_any_text_are_ordered_and_apart(text: str) -> None:
    spans = Lexicon(["person", "horse"]).mentions(f"a man {text} two horses")
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
