"""A record with one of everything: a dressed person, two dogs, a crowd, captions, expressions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from model.records import Expression, GroundedPhrase, LabelledObject, PictureFile, Record
from model.types import Box, Keypoints, Size

PERSON, LEFT_DOG, RIGHT_DOG = Box(0.4, 0.1, 0.6, 0.9), Box(0, 0.5, 0.25, 0.9), Box(0.7, 0.6, 1, 0.9)
BIRDS = Box(0.1, 0, 0.9, 0.08)
POSE = Keypoints(tuple((0.41 + 0.01 * i, 0.2 + 0.03 * i, float(i % 3)) for i in range(17)))
CAPTIONS = (
    "A person with a dog on the left.",
    "  two dogs beside a person ",
    "An outing.",
)


def record(**changes: Any) -> Record:
    """Returns the record; `changes` replace fields."""
    square = (0.4, 0.1, 0.6, 0.1, 0.6, 0.9, 0.4, 0.9)
    whole = Record(
        id="park",
        size=Size(96, 64),
        file=PictureFile(Path(), None, "park.jpg"),
        objects=(
            LabelledObject("person", PERSON, False, (square,), POSE, "red"),
            LabelledObject("dog", LEFT_DOG),
            LabelledObject("dog", RIGHT_DOG),
            LabelledObject("bird", BIRDS, crowd=True),
        ),
        captions=CAPTIONS,
        grounded=(
            GroundedPhrase(0, 0, 8, (0,), "person"),
            GroundedPhrase(0, 14, 19, (1,), "dog"),
            GroundedPhrase(1, 2, 10, (1, 2), "dog"),
        ),
        refs=(
            Expression("the dog on the left", 1, "position"),
            Expression("the person in red", 0, "caption"),
            Expression("the birds", 3, "unique"),
        ),
        label_space="coco80",
        exhaustive=True,
    )
    return replace(whole, **changes)
