from __future__ import annotations

from random import Random

import pytest

from model.errors import RecordError
from model.training.material import (
    absent_names,
    boxes_of,
    clicked,
    grounding_of,
    loosened,
    named,
    names_to_detect,
    pointed,
    things_of,
)
from model.types import Box
from tests.model.training import park

SEEDS = range(60)


def test_all_boxes_of_a_name_come_together_and_crowded_names_never() -> None:
    for seed in SEEDS:
        asked = dict(names_to_detect(park.record(), 6, Random(seed)))
        assert len(asked) == 6
        assert asked["dog"] == [park.LEFT_DOG, park.RIGHT_DOG]
        assert asked["person"] == [park.PERSON]
        assert "bird" not in asked, "a crowd is neither boxed nor absent"


@pytest.mark.parametrize("change", [{"exhaustive": False}, {"label_space": "none"}])
def test_absent_names_need_an_exhaustive_record_of_known_names(change: dict[str, object]) -> None:
    record = park.record(**change)
    assert absent_names(record) == []
    for seed in SEEDS:
        assert all(boxes for _, boxes in names_to_detect(record, 6, Random(seed)))
    absent = absent_names(park.record())
    assert len(absent) == 80 - 3
    assert not {"person", "dog", "bird"} & set(absent)


def test_clicks_lie_in_the_middle_half_and_ruled_out_ones_elsewhere() -> None:
    x0, y0, x1, y1 = park.PERSON.as_tuple()
    negative = several = 0
    for seed in SEEDS:
        points = clicked(park.PERSON, park.record(), Random(seed)).points
        meant = [p for p in points if p.positive]
        assert meant
        for p in meant:
            assert abs(p.x - (x0 + x1) / 2) <= (x1 - x0) / 4
            assert abs(p.y - (y0 + y1) / 2) <= (y1 - y0) / 4
        for p in points:
            if not p.positive:
                assert any(
                    b.x0 <= p.x <= b.x1 and b.y0 <= p.y <= b.y1
                    for b in (park.LEFT_DOG, park.RIGHT_DOG, park.BIRDS)
                )
        negative += len(points) - len(meant)
        several += len(meant) > 1
    assert negative
    assert several


def test_loosened_boxes_are_off_by_a_tenth_at_most() -> None:
    width, height = 0.2, 0.8
    exact = 0
    for seed in SEEDS:
        loose = loosened(park.PERSON, Random(seed))
        for a, b, side in zip(
            loose.as_tuple(), park.PERSON.as_tuple(), (width, height) * 2, strict=True
        ):
            assert abs(a - b) <= 0.1 * side + 1e-9
        exact += loose == park.PERSON
        assert loosened(Box(0, 0, 1, 1), Random(seed)).x1 <= 1
    assert 0 < exact < len(SEEDS)


def test_turns_name_their_regions_and_tie_their_words() -> None:
    two = named(Random(0), ["What are @1 and @2?"], "a and b", [park.PERSON, park.LEFT_DOG])
    assert [region.name for region in two.regions] == ["@1", "@2"]
    assert [region.shape for region in two.regions] == [park.PERSON, park.LEFT_DOG]
    turn = pointed(Random(0), ["Find {}."], "the dog", [park.LEFT_DOG])
    assert turn.question == "Find the dog."
    (grounding,) = turn.answer.groundings
    assert turn.answer.text[grounding.phrase.start : grounding.phrase.end] == "the dog"
    assert grounding == grounding_of("the dog", 0, 7, [park.LEFT_DOG])


def test_crowds_are_no_things() -> None:
    assert boxes_of(park.record(), (1, 3, 0)) == [park.LEFT_DOG, park.PERSON]
    labels = sorted(thing.label for thing in things_of(park.record(), Random(0)))
    assert labels == ["dog", "dog", "person"]


def test_masks_need_polygons() -> None:
    record = park.record()
    pixels = record.objects[0].mask(record.size).pixels
    assert pixels.shape == (64, 96)
    assert pixels.mean() == pytest.approx(0.2 * 0.8, rel=0.08)
    with pytest.raises(RecordError, match=r"dog at .* has no polygons"):
        record.objects[1].mask(record.size)
