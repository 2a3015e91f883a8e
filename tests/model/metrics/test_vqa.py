from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from model.metrics.vqa import KINDS, Question, draw, is_right, questions, verdict
from model.records import LabelledObject, PictureFile, Record, read_records
from model.types import Answer, Box, Finish, Size

LEFT, RIGHT = Box(0.0, 0.4, 0.2, 0.6), Box(0.8, 0.0, 1.0, 0.2)


def _record(*objects: LabelledObject, exhaustive: bool = True) -> Record:
    file = PictureFile(Path(), None, "a.png")
    return Record("a", Size(9, 9), file, objects, label_space="coco80", exhaustive=exhaustive)


SCENE = _record(
    LabelledObject("dog", LEFT),
    LabelledObject("person", RIGHT, top_color="red"),
    LabelledObject("cup", Box(0.4, 0.4, 0.5, 0.5)),
    LabelledObject("cup", Box(0.5, 0.5, 0.6, 0.6)),
)


def test_a_scene_answers_its_questions() -> None:
    truths = {q.text: set(q.truth) for q in questions(SCENE) if q.kind not in ("is there",)}
    left = {text: truth for text, truth in truths.items() if "left" in text}
    assert {text: truth for text, truth in truths.items() if text not in left} == {
        "What animal is in the picture?": {"dog"},
        "How many cups are there?": {"2"},
        "How many dogs are there?": {"1"},
        "How many people are there?": {"1"},
        "What colour is the person wearing?": {"red"},
        "Where is the dog?": {"left", "middle"},
        "Where is the person?": {"right", "top"},
    }
    assert list(left.values()) in ([{"dog"}], [{"yes"}], [{"no"}])


def test_questions_have_stable_numbers() -> None:
    assert [q.index for q in questions(SCENE)] == list(range(len(questions(SCENE))))
    assert questions(SCENE) == questions(SCENE)


def test_a_picture_that_is_not_fully_boxed_is_not_asked_about() -> None:
    assert questions(_record(LabelledObject("dog", LEFT), exhaustive=False)) == ()


def test_crowds_are_not_counted() -> None:
    crowd = _record(LabelledObject("dog", LEFT), LabelledObject("dog", RIGHT, crowd=True))
    assert not [q for q in questions(crowd) if q.kind in ("how many", "where")]


def _asked(kind: str, *truth: str) -> Question:
    return Question("a", 0, kind, "?", frozenset(truth))


@pytest.mark.parametrize(
    ("question", "text", "right"),
    [
        (_asked("is there", "yes"), "Yes, on the left.", True),
        (_asked("is there", "yes"), "No.", False),
        (_asked("is there", "no"), "no dog", True),
        (_asked("is there", "no"), "", False),
        (_asked("is there", "no"), "I cannot say", False),
        (_asked("how many", "2"), "There are two dogs.", True),
        (_asked("how many", "2"), "2", True),
        (_asked("how many", "2"), "three or two", False),
        (_asked("how many", "2"), "many", False),
        (_asked("colour", "grey"), "a gray shirt", True),
        (_asked("colour", "red"), "blue and red", False),
        (_asked("where", "left", "top"), "in the upper left corner", True),
        (_asked("where", "left", "top"), "on the left", True),
        (_asked("where", "left", "top"), "at the top", False),
        (_asked("where", "left", "top"), "left of the right door", False),
        (_asked("what", "dog"), "a small puppy on a sofa", True),
        (_asked("what", "dog"), "a cat", False),
        (_asked("left of", "dog"), "the dog is further left than the cat", True),
        (_asked("left of", "dog"), "the cat is further left than the dog", False),
        (_asked("left of", "dog"), "the dog", True),
        (_asked("left of", "dog"), "the cat, the dog: dog", True),
        (_asked("left of", "dog"), "the dog, the cat: cat", False),
        (_asked("left of", "dog"), "the dog, the cat: yes", False),
        (_asked("left of", "yes"), "the dog, the cat: yes", True),
        (_asked("left of", "yes"), "the dog, the cat: no", False),
        (_asked("left of", "no"), "the dog, the cat: no", True),
        (_asked("left of", "no"), "no: the dog, the cat: yes", True),
        (_asked("left of", "yes"), "Yes: it is on the left", True),
        (_asked("left of", "yes"), "the dog, the cat", False),
        (_asked("left of", "yes"), "the dog, the cat: ", False),
        (_asked("colour", "red"), "the person: red", True),
        (_asked("colour", "red"), "the person: blue", False),
    ],
)
def test_what_counts_as_right(question: Question, text: str, right: bool) -> None:
    assert is_right(question, Answer(text)) is right


def test_a_verdict_is_what_comes_after_the_things() -> None:
    assert verdict("the dog, the cat: yes") == "yes"
    assert verdict("a: b: the dog") == "the dog"
    assert verdict("the dog") == "the dog"
    assert verdict("at 12:30") == "at 12:30"


def test_an_absent_answer_means_no_and_none() -> None:
    absent = Answer("not present", finish=Finish.ABSENT)
    assert is_right(_asked("is there", "no"), absent)
    assert not is_right(_asked("is there", "yes"), absent)
    assert is_right(_asked("how many", "0"), absent)


@pytest.mark.shared
def test_two_hundred_questions_of_all_kinds_with_no_easy_constant_answer(shared: Path) -> None:
    drawn = draw(list(read_records(shared / "data" / "photos" / "coco-val.jsonl.gz")))
    kinds = Counter(question.kind for question in drawn)
    assert len(drawn) == len({(q.record, q.index) for q in drawn}) == 200
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 30
    for kind in ("what", "how many", "is there"):
        answers = Counter(q.truth for q in drawn if q.kind == kind)
        assert max(answers.values()) <= kinds[kind] / 2
