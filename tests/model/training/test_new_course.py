from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from model.records import LabelledObject, PictureFile, Record
from model.training.config import Stage
from model.training.new_course import NewCourse
from model.training.scenes import Scene
from model.training.views import ViewConfig
from model.types import Answer, Size, Turn
from model.vlm import DeixisModel
from tests.model import tiny
from tests.model.training.small_run import FEW_WORDS, QUICK, loss_of_two

STAGE = Stage(lessons=FEW_WORDS)


def scene(folder: Path, *names: str, exhaustive: bool = True, new: bool = True) -> Scene:
    tiny.picture().save(folder / "a.png")
    boxes = (tiny.LEFT, tiny.RIGHT)
    things = tuple(LabelledObject(n, b) for n, b in zip(names, boxes, strict=False))
    file = PictureFile(folder, None, "a.png")
    space = "mine" if new else "coco80"
    return Scene(Record("a", Size(96, 64), file, things, label_space=space,
                        exhaustive=exhaustive), new=new)  # fmt: skip


def course(
    model: DeixisModel, scenes: list[Scene], mode: str = "full", replay: tuple[Scene, ...] = ()
) -> NewCourse:
    share = 0.5 if replay else 0.0
    config = replace(QUICK, mode=mode, replay_share=share, words_share=1.0)
    return NewCourse(scenes, replay, tiny.vocabulary(), model, config)


@pytest.fixture
def model() -> DeixisModel:
    return tiny.build().requires_grad_(True)


@pytest.mark.parametrize("mode", ["full", "decoders"])
def test_the_trunk_learns_only_if_all_do(tmp_path: Path, model: DeixisModel, mode: str) -> None:
    taught = course(model, [scene(tmp_path, "red square", "blue square")], mode)
    loss, parts = loss_of_two(model, taught, STAGE, 0)
    loss.backward()
    assert loss.isfinite()
    assert ("cell_objectness" in parts) is (mode == "full")
    of_trunk = [v.grad for v in model.vision.parameters() if v.grad is not None and v.grad.any()]
    assert bool(of_trunk) is (mode == "full")
    assert model.box_decoder.modulate.weight.grad is not None


def test_all_names_are_asked_for_where_all_is_marked(tmp_path: Path, model: DeixisModel) -> None:
    both = scene(tmp_path, "red square", "blue square")
    one = scene(tmp_path, "red square")
    taught = course(model, [both, one])
    asked = taught._lesson(one, STAGE, random.Random(0)).names
    assert {name: len(boxes) for name, boxes in asked} == {"red square": 1, "blue square": 0}
    partly = replace(one, record=replace(one.record, exhaustive=False))
    asked = taught._lesson(partly, STAGE, random.Random(0)).names
    assert [name for name, _ in asked] == ["red square"]


def test_earlier_pictures_teach_that_new_things_are_not_in_them(
    tmp_path: Path, model: DeixisModel
) -> None:
    old = scene(tmp_path, "dog", new=False)
    taught = course(model, [scene(tmp_path, "red square")], replay=(old,))
    asked = dict(taught._lesson(old, STAGE, random.Random(0)).names)
    assert asked["red square"] == []
    assert len(asked["dog"]) == 1
    drawn = [taught._show(random.Random(seed), True)[0].new for seed in range(40)]
    assert 10 < sum(drawn) < 30


def test_turns_that_people_wrote_are_the_lesson(tmp_path: Path, model: DeixisModel) -> None:
    turn = Turn("What is this?", Answer("a red square"))
    written = replace(scene(tmp_path, "red square"), turns=(turn,))
    lesson = course(model, [written])._lesson(written, STAGE, random.Random(0))
    assert list(lesson.turns) == [turn]
    assert lesson.names


def test_a_picture_with_turns_is_changed_as_any_other_where_words_are_not_taught(
    tmp_path: Path, model: DeixisModel
) -> None:
    written = replace(scene(tmp_path, "red square"), turns=(Turn("What?", Answer("a square")),))
    taught = course(model, [written])
    taught._config = replace(taught._config, words_share=0.0, views=ViewConfig(windows=1.0))
    seen = [taught.draw(STAGE, random.Random(seed), 2).scenes for seed in range(10)]
    assert all(one.record.size != written.record.size for scenes in seen for one in scenes)
    taught._config = replace(taught._config, words_share=1.0)
    spoken = [taught.draw(STAGE, random.Random(seed), 2).scenes for seed in range(10)]
    as_it_is = [one for scenes in spoken for one in scenes if one.turns]
    assert as_it_is
    assert all(one.record == written.record for one in as_it_is)


def test_a_picture_without_anything_teaches_what_is_absent(
    tmp_path: Path, model: DeixisModel
) -> None:
    full, empty = scene(tmp_path, "red square"), scene(tmp_path)
    taught = course(model, [full, empty])
    taught._scenes = [empty, empty]
    loss, parts = loss_of_two(model, taught, STAGE, 1)
    loss.backward()
    assert loss.isfinite()
    assert parts["cell_box"] == 0


def test_new_names_leave_the_classes_of_the_trunk_alone(tmp_path: Path, model: DeixisModel) -> None:
    taught = course(model, [scene(tmp_path, "red square", "blue square")])
    loss_of_two(model, taught, STAGE, 0)[0].backward()
    heads = [head.classes.weight.grad for head in model.vision.trunk.heads]  # type: ignore[union-attr]
    assert not any(grad is not None and grad.any() for grad in heads)
    model.zero_grad()
    taught = course(model, [scene(tmp_path, "dog", "cat")])
    loss_of_two(model, taught, STAGE, 0)[0].backward()
    heads = [head.classes.weight.grad for head in model.vision.trunk.heads]  # type: ignore[union-attr]
    assert any(grad is not None and grad.any() for grad in heads), "its own classes it learns"
