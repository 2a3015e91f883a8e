from __future__ import annotations

import math

import pytest

from model.metrics.cider import cider_d, tokenize

REFERENCES = [
    ["a dog runs on grass", "the dog is running", "a brown dog plays"],
    ["a man riding a horse", "man on a horse", "a rider and his horse"],
    ["two cats on a bed", "cats sleep on the bed", "a pair of cats"],
]


def test_scores_are_those_of_the_reference_implementation() -> None:
    # Computed with pycocoevalcap 1.2 on the same words.
    candidates = ["a dog runs on the grass", "a man on a horse", "a dog on a bed"]
    scores = cider_d(candidates, REFERENCES)
    assert scores == pytest.approx([2.70769263, 4.19787493, 1.25262842], abs=1e-8)


def test_by_hand_one_shared_rare_word() -> None:
    # "dog" is in one of two pictures, so it weighs log 2; "a" is in both and weighs nothing. Each
    # caption has one bigram, in one picture. Cosines: 1-grams 1, 2-grams 1, longer ones 0.
    assert cider_d(["a dog", "a cat"], [["a dog"], ["a cat"]]) == pytest.approx([5.0, 5.0])


def test_by_hand_length_penalty_and_clipping() -> None:
    # Candidate "dog dog", reference "dog": the count is clipped to 1, so the dot product is
    # log(2)² over norms 2·log 2 and log 2: 1/2. One bigram more: exp(-1 / 72). Mean of four n.
    (score, _) = cider_d(["dog dog", ""], [["dog"], ["cat"]])
    assert score == pytest.approx(10 * 0.5 * math.exp(-1 / 72) / 4)


def test_the_own_words_score_ten_if_they_are_long_and_rare() -> None:
    captions = ["one two three four five", "six seven eight nine ten"]
    assert cider_d(captions, [[caption] for caption in captions]) == pytest.approx([10, 10])


def test_no_words_and_foreign_words_score_nothing() -> None:
    assert cider_d(["", "zebra crossing ahead", "!!"], REFERENCES) == [0, 0, 0]
    assert cider_d([], []) == []


def test_tokens_are_lower_case_words_without_punctuation() -> None:
    text = "A man's T-shirt isn’t “red”, it's (very) blue; don't."
    assert tokenize(text) == (
        ["a", "man", "'s", "t-shirt", "is", "n't", "red", "it", "'s", "very", "blue", "do", "n't"]
    )
