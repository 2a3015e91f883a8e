from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import pytest

from model.tokens import REGION_NAME
from model.training.lessons import LessonConfig, lessons, visit
from model.types import Box, Finish, Points, Turn
from model.vocabulary import COCO_NAMES
from tests.model.training import park

NOTHING = LessonConfig(**dict.fromkeys((f.name for f in fields(LessonConfig)), 0))
SEEDS = range(60)


def _turns(config: LessonConfig, **changes: object) -> list[Turn]:
    record = park.record(**changes)
    return [turn for seed in SEEDS for turn in lessons(record, config, Random(seed))]


@pytest.mark.parametrize("kind", [f.name for f in fields(LessonConfig)])
def test_each_kind_is_taught_as_often_as_asked(kind: str) -> None:
    changes = {"grounded": ()} if kind == "plain_captions" else {}
    for most in (0, 1):
        visits = [
            visit(park.record(**changes), replace(NOTHING, **{kind: most}), Random(seed))
            for seed in SEEDS
        ]
        counts = [len(v.turns) + len(v.names) + len(v.talks) for v in visits]
        assert max(counts) == most
        assert all(v.size == park.record().size for v in visits)


def test_whatever_is_taught_is_whole() -> None:
    for seed in SEEDS:
        lesson = visit(park.record(), LessonConfig(), Random(seed))
        for turns in (*lesson.talks, *((turn,) for turn in lesson.turns)):
            drawn: set[str] = set()
            for turn in turns:
                drawn |= {region.name for region in turn.regions}
                assert {m.group() for m in REGION_NAME.finditer(turn.question)} <= drawn
                for g in turn.answer.groundings:
                    assert turn.answer.text[g.phrase.start : g.phrase.end] == g.phrase.text
                    assert len(g.boxes) == len(g.scores) >= 1


def test_captions_are_stripped_and_their_phrases_move_along() -> None:
    config = replace(NOTHING, captions=9)
    texts = set()
    for turn in _turns(config):
        texts.add(turn.answer.text)
        for g in turn.answer.groundings:
            assert turn.answer.text[g.phrase.start : g.phrase.end] == g.phrase.text
        if turn.answer.text == "two dogs beside a person":
            (g,) = turn.answer.groundings
            assert (g.phrase.text, g.boxes) == ("two dogs", (park.LEFT_DOG, park.RIGHT_DOG))
    assert texts == {"A person with a dog on the left.", "two dogs beside a person"}
    plain = {t.answer.text for t in _turns(replace(NOTHING, plain_captions=9), grounded=())}
    assert plain == {caption.strip() for caption in park.CAPTIONS}


@pytest.mark.parametrize(
    ("change", "allowed"), [({}, True), ({"exhaustive": False}, False),
                            ({"label_space": "none"}, False)],
)  # fmt: skip
def test_absent_things_are_taught_only_where_absence_is_known(
    change: dict[str, object], allowed: bool
) -> None:
    config = replace(LessonConfig(), talks=0)
    absent = [t for t in _turns(config, **change) if t.answer.finish is Finish.ABSENT]
    assert bool(absent) == allowed
    for turn in absent:
        assert not turn.answer.groundings
        assert any(name in turn.question.lower() for name in COCO_NAMES)
        assert not any(word in turn.question.lower() for word in ("person", "people", " dog"))
    for seed in SEEDS:
        names = visit(park.record(**change), LessonConfig(), Random(seed)).names
        assert any(not boxes for _, boxes in names) == allowed


def test_talks_deny_others_only_where_all_are_boxed() -> None:
    config = replace(NOTHING, talks=3)
    for change, allowed in (({}, True), ({"exhaustive": False}, False)):
        talks = [t for s in SEEDS for t in visit(park.record(**change), config, Random(s)).talks]
        said = {turn.answer.text for talk in talks for turn in talk}
        assert bool({"no", "Not present.", "two dogs"} & said) == allowed


def test_all_of_a_kind_are_shown_or_none() -> None:
    for turn in _turns(replace(NOTHING, find_all=3)):
        (g,) = turn.answer.groundings
        wanted = 2 if "dog" in g.phrase.text else 1
        assert len(g.boxes) == wanted
    assert not _turns(replace(NOTHING, find_all=3), exhaustive=False)


def test_expressions_name_their_object_and_no_crowd() -> None:
    asked = [t for t in _turns(replace(NOTHING, refs=9)) if t.answer.groundings]
    meant = {"person": park.PERSON, "left": park.LEFT_DOG, "right": park.RIGHT_DOG}
    seen = set()
    for turn in asked:
        (g,) = turn.answer.groundings
        (word,) = (word for word in meant if word in g.phrase.text)
        assert g.boxes == (meant[word],)
        seen.add(word)
    assert seen == set(meant)
    assert not any("birds" in turn.answer.text for turn in asked)


def test_what_is_not_here_is_asked_for_however_many_expressions_there_are() -> None:
    config = replace(NOTHING, refs=1)
    absent = [t for s in range(400) for t in lessons(park.record(), config, Random(s))
              if t.answer.finish is Finish.ABSENT]  # fmt: skip
    assert 0.2 < len(absent) / 400 < 0.3


def test_expressions_are_mostly_the_record_s_own_and_some_made_from_boxes() -> None:
    config = replace(NOTHING, refs=1)
    first = [t.answer.text for s in range(400) for t in lessons(park.record(), config, Random(s))
             if t.answer.groundings]  # fmt: skip
    made = sum("right" in text for text in first)  # the record speaks of the left dog only
    assert 0.1 < made / len(first) < 0.25
    alone = _turns(replace(NOTHING, refs=9), exhaustive=False)
    assert not any("right" in turn.answer.text for turn in alone)


def test_clicks_masks_and_poses_lie_on_their_things() -> None:
    for turn in _turns(replace(NOTHING, clicks=3)):
        shape, (g,) = turn.regions[0].shape, turn.answer.groundings
        assert isinstance(shape, Points)
        point, box = shape.points[0], g.boxes[0]
        assert box.x0 <= point.x <= box.x1
        assert box.y0 <= point.y <= box.y1
    for kind in ("masks", "poses"):
        turns = _turns(replace(NOTHING, **{kind: 3}))
        assert turns
        for turn in turns:
            (g,) = turn.answer.groundings
            assert isinstance(turn.regions[0].shape, Box)
            assert bool(g.masks) == (kind == "masks")
            assert bool(g.keypoints) == (kind == "poses")


def test_the_same_draw_teaches_the_same() -> None:
    visits = [visit(park.record(), LessonConfig(), Random(seed)) for seed in (5, 5, 6)]
    assert repr(visits[0]) == repr(visits[1]) != repr(visits[2])


def test_an_empty_picture_teaches_that_nothing_is_there() -> None:
    lesson = visit(park.record(objects=(), captions=(), grounded=(), refs=()), LessonConfig(),
                   Random(0))  # fmt: skip
    assert lesson.names
    assert all(not boxes for _, boxes in lesson.names)
    assert not lesson.talks
