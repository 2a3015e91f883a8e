from __future__ import annotations

import pytest

from model.vocabulary import COCO_NAMES, LABEL_SPACES, SYNONYMS, VOC_NAMES, plural


def test_the_label_spaces_are_complete_and_in_order() -> None:
    assert len(COCO_NAMES) == len(set(COCO_NAMES)) == 80
    assert (COCO_NAMES[0], COCO_NAMES[39], COCO_NAMES[79]) == ("person", "bottle", "toothbrush")
    assert len(VOC_NAMES) == len(set(VOC_NAMES)) == 20
    assert set(VOC_NAMES) <= set(COCO_NAMES)
    assert LABEL_SPACES["coco80"] is COCO_NAMES


def test_synonyms_belong_to_classes_and_are_lower_case() -> None:
    assert set(SYNONYMS) <= set(COCO_NAMES)
    words = [word for synonyms in SYNONYMS.values() for word in synonyms]
    assert all(word == word.lower().strip() for word in words)
    assert not set(words) & set(COCO_NAMES), "a class name must not stand for another class"


def test_only_bike_stands_for_two_classes() -> None:
    words = [word for synonyms in SYNONYMS.values() for word in synonyms]
    assert {word for word in words if words.count(word) > 1} == {"bike"}


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("dog", "dogs"),
        ("bus", "buses"),
        ("bench", "benches"),
        ("person", "people"),
        ("fire hydrant", "fire hydrants"),
        ("wine glass", "wine glasses"),
        ("butter knife", "butter knives"),
        ("toy", "toys"),
        ("baby", "babies"),
        ("sheep", "sheep"),
        ("skis", "skis"),
        ("mouse", "mice"),
    ],
)
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many
