from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.training.mirror import mirrored
from model.types import Box
from tests.model import tiny
from tests.model.training import park


def _flat(box: Box) -> tuple[float, ...]:
    return box.as_tuple()


def test_boxes_outlines_and_crowds_change_sides() -> None:
    flipped = mirrored(park.record())
    assert [_flat(thing.box) for thing in flipped.objects] == [
        pytest.approx(wanted)
        for wanted in ((0.4, 0.1, 0.6, 0.9), (0.75, 0.5, 1, 0.9), (0, 0.6, 0.3, 0.9),
                       (0.1, 0, 0.9, 0.08))
    ]  # fmt: skip
    assert flipped.objects[0].polygons[0] == pytest.approx((0.6, 0.1, 0.4, 0.1, 0.4, 0.9, 0.6, 0.9))
    assert flipped.objects[3].crowd


def test_left_joints_become_right_ones() -> None:
    before, after = park.POSE.points, mirrored(park.record()).objects[0].keypoints
    assert after is not None
    nose, shoulder = after.points[0], after.points[5]
    assert nose[1:] == before[0][1:]
    assert shoulder[1:] == before[6][1:], "the left shoulder is where the right one was"
    marked = before[6][2] > 0
    assert shoulder[0] == pytest.approx(1 - before[6][0] if marked else 0)
    assert after.points[6][2] == before[5][2]


def test_words_follow_and_phrases_keep_their_places() -> None:
    flipped = mirrored(park.record())
    assert flipped.captions[0] == "A person with a dog on the right."
    assert flipped.captions[1:] == park.CAPTIONS[1:]
    assert [ref.text for ref in flipped.refs] == [
        "the dog on the right", "the person in red", "the birds",
    ]  # fmt: skip
    for phrase in flipped.grounded:
        caption, old = flipped.captions[phrase.caption], park.CAPTIONS[phrase.caption]
        assert caption[phrase.start : phrase.end] == old[phrase.start : phrase.end]
    assert {phrase.caption for phrase in flipped.grounded} == {1}, "words that moved are untied"


def test_an_expression_of_a_side_still_means_its_object() -> None:
    flipped = mirrored(park.record())
    ref = flipped.refs[0]
    assert ref.text.endswith("right")
    others = [t.box.centre[0] for t in flipped.objects if t.label == "dog"]
    assert flipped.objects[ref.object].box.centre[0] == max(others)


def test_twice_is_nothing_but_for_untied_phrases() -> None:
    record = park.record(grounded=())
    twice = mirrored(mirrored(record))
    assert (twice.captions, twice.refs) == (record.captions, record.refs)
    for a, b in zip(twice.objects, record.objects, strict=True):
        assert _flat(a.box) == pytest.approx(_flat(b.box))
        assert replace(a, box=b.box, polygons=b.polygons, keypoints=b.keypoints) == b


def test_records_and_sights_are_mirrored_in_the_same_frame() -> None:
    sight = tiny.sight()
    there = sight.mirrored(torch.tensor([True]))
    for old, new in zip(sight.boxes[0].tolist(), there.boxes[0].tolist(), strict=True):
        x0, y0, x1, y1 = old
        if x1 > x0 and y1 > y0:
            thing = replace(park.record().objects[1], box=Box.parse(old))
            flipped = mirrored(park.record(objects=(thing,), grounded=(), refs=()))
            assert flipped.objects[0].box.as_tuple() == pytest.approx(new, abs=1e-6)
