from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from model.errors import ConfigError
from model.records import LabelledObject, PictureFile, Record
from model.training.scenes import Scene
from model.training.views import ViewConfig, view
from model.types import Answer, Size, Turn
from tests.model import tiny

OUTLINE = (0.1, 0.2, 0.4, 0.2, 0.4, 0.7, 0.1, 0.7)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    tiny.picture().save(tmp_path / "a.png")
    thing = LabelledObject("red square", tiny.LEFT, polygons=(OUTLINE,))
    file = PictureFile(tmp_path, None, "a.png")
    return Scene(Record("a", Size(96, 64), file, (thing,), captions=("a red square",)))


def views(scene: Scene, config: ViewConfig, count: int = 20) -> list[Scene]:
    return [view(scene, lambda: scene, config, Random(seed))[0] for seed in range(count)]


def test_each_kind_comes_as_often_as_it_is_asked_for(scene: Scene) -> None:
    plain = views(scene, ViewConfig(windows=0))
    assert all(shown.record.captions and shown.record.size == Size(96, 64) for shown in plain)
    four = views(scene, ViewConfig(windows=0, mosaic=1))
    assert {shown.record.id for shown in four} == {"a+a+a+a"}
    two = views(scene, ViewConfig(windows=0, pasted=1))
    assert {shown.record.id for shown in two} == {"a+a"}
    some = views(scene, ViewConfig(mosaic=0.3), 100)
    assert 15 < sum(shown.record.id != "a" for shown in some) < 45


def test_what_people_wrote_is_seen_as_they_saw_it(scene: Scene) -> None:
    written = replace(scene, turns=(Turn("What is left?", Answer("a red square")),))
    seen = views(written, ViewConfig(windows=0, mosaic=1, pasted=1))
    assert {shown.record.id for shown in seen} == {"a"}
    assert any(shown.turns for shown in seen)


def test_windows_are_as_wide_as_is_asked_for(scene: Scene) -> None:
    for widest, at_least, at_most in ((0.0, 1.4, 1.6), (2.4, 2.0, 2.4), (1.0, 0.9, 1.0)):
        seen = views(scene, ViewConfig(windows=1, widest=widest), 60)
        largest = max(shown.record.size.width for shown in seen) / scene.record.size.width
        assert at_least < largest <= at_most + 0.01
    for wrong in (-0.1, 4.1, "wide"):
        with pytest.raises(ConfigError, match=r"views\.widest is"):
            ViewConfig(widest=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-0.1, 1.5, "often", True])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"views\.mosaic is"):
        ViewConfig(mosaic=value)  # type: ignore[arg-type]
