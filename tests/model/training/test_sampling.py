from __future__ import annotations

import random
from collections import Counter

import pytest

from model.records import LabelledObject, Record
from model.training.sampling import Sampler, weights
from model.types import Box
from tests.model.training import park

DOG, VASE = (LabelledObject(name, Box(0, 0, 0.5, 0.5)) for name in ("dog", "vase"))


def pictures() -> list[Record]:
    return [park.record(objects=(DOG, DOG, *[VASE] * (number == 7))) for number in range(100)]


def test_pictures_with_rare_things_weigh_more() -> None:
    found = weights(pictures(), 0.04)
    assert found[7] == pytest.approx(2)
    assert {*found[:7], *found[8:]} == {1}
    assert weights([park.record(objects=())], 0.5) == [1]


def test_pictures_are_drawn_by_weight() -> None:
    sampler, chance = Sampler(pictures(), 0.25), random.Random(0)
    drawn = Counter(sampler.draw(chance) for _ in range(10_400))
    assert drawn[7] == pytest.approx(500, abs=80)
    assert drawn[8] == pytest.approx(100, abs=40)


def test_without_rare_things_all_are_drawn_as_ever() -> None:
    sampler = Sampler(pictures())
    one, two = random.Random(3), random.Random(3)
    assert [sampler.draw(one) for _ in range(50)] == [two.randrange(100) for _ in range(50)]
