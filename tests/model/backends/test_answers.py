"""From scored boxes to answers."""

from __future__ import annotations

from model.backends.answers import anchored, captioned, detection, expression, match_name
from model.types import Box, Finish, Phrase

A, B = Box(0, 0, 0.5, 0.5), Box(0.5, 0.5, 1, 1)


def test_boxes_come_best_first_and_above_the_threshold() -> None:
    answer = detection({"cat": [(A, 0.4), (B, 0.9)], "dog": [(A, 0.1)]}, 0.3, 100)
    (found,) = answer.groundings
    assert found.phrase == Phrase("cat")
    assert (found.boxes, found.scores) == ((B, A), (0.9, 0.4))


def test_the_limit_is_over_all_names() -> None:
    answer = detection({"cat": [(A, 0.4), (B, 0.9)], "dog": [(A, 0.6)]}, 0.0, 2)
    assert [item.boxes for item in answer.groundings] == [(B,), (A,)]


def test_nothing_found_is_absent() -> None:
    assert detection({"cat": []}, 0.0, 5).finish is Finish.ABSENT
    assert expression("cat", [], 0.0, Finish.STOP).finish is Finish.ABSENT
    assert expression("cat", [], 0.0, Finish.LENGTH).finish is Finish.LENGTH


def test_phrases_are_anchored_in_a_caption() -> None:
    caption = "A dog and a dogfish"
    found = [("a dog", [(A, 1.0)]), ("owl", [(B, 1.0)])]
    assert anchored(caption, found, None) == {(0, 5): [(A, 1.0)]}
    assert anchored(caption, found, [(2, 5), (10, 19)]) == {(2, 5): [(A, 1.0)]}
    answer = captioned(caption, {(0, 5): [(A, 1.0)]}, 0.5, Finish.STOP)
    assert answer.groundings[0].phrase == Phrase("A dog", 0, 5)


def test_labels_are_matched_to_names() -> None:
    assert match_name("Dogs", ["cat", "dog"]) == "dog"
    assert match_name("owl", ["cat", "dog"]) is None
    assert match_name("owl", ["bird"]) == "bird"
