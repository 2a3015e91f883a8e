from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from model.errors import RecordError
from model.records import LabelledObject, PictureFile, Record
from model.training.scenes import Scene, classes_of, read_scenes, show
from model.types import Answer, Box, Size, Turn
from tests.model import tiny


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    tiny.picture().save(tmp_path / "a.png")
    things = (LabelledObject("red square", tiny.LEFT), LabelledObject("blue square", tiny.RIGHT))
    file = PictureFile(tmp_path, None, "a.png")
    record = Record("a", Size(96, 64), file, things, captions=("a red square",))
    return Scene(record)


def test_boxes_stay_on_what_they_mark_however_the_picture_is_changed(scene: Scene) -> None:
    shapes = set()
    for seed in range(60):
        shown, picture = show(scene, Random(seed))
        assert shown.record.size == Size(*picture.size)
        shapes.add(picture.size)
        pixels = np.asarray(picture).astype(int)
        for thing in shown.record.objects:
            channel = 0 if thing.label == "red square" else 2
            strong = pixels[..., channel] - pixels[..., 2 - channel] > 60
            ys, xs = strong.nonzero()
            found = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
            meant = np.array(thing.box.as_tuple()) * [*picture.size, *picture.size]
            assert np.abs(np.array(found) - meant).max() <= 1.01, (seed, thing)
    assert len(shapes) > 10, "many windows were looked through"


def test_words_about_places_are_not_taught_where_they_may_be_wrong(scene: Scene) -> None:
    kept = 0
    for seed in range(40):
        shown, picture = show(scene, Random(seed))
        kept += bool(shown.record.captions)
        assert not shown.record.captions or picture.size == (96, 64)
    assert 10 < kept < 30


def test_the_same_chance_shows_the_same(scene: Scene) -> None:
    (one, first), (two, second) = (show(scene, Random(5)) for _ in range(2))
    assert one == two
    assert first.tobytes() == second.tobytes()


def test_turns_that_people_wrote_are_shown_with_the_picture_they_saw(scene: Scene) -> None:
    written = replace(scene, turns=(Turn("What is left?", Answer("a red square")),))
    seen = [show(written, Random(seed)) for seed in range(20)]
    kept = [picture.size for shown, picture in seen if shown.turns]
    assert 3 < len(kept) < 17
    assert set(kept) == {(96, 64)}
    assert all(shown.record == scene.record for shown, _ in seen if shown.turns)


def test_scenes_are_read_with_their_turns(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    (tmp_path / "a.png").write_bytes(picture.getvalue())
    turn = {"question": "?", "regions": [], "answer": {"text": "a cat", "groundings": [],
                                                       "finish": "stop"}}  # fmt: skip
    thing = {"label": "cat", "bbox": [1, 1, 4, 4]}
    line = {"id": "a", "width": 8, "height": 8, "image": "a.png", "objects": [thing],
            "turns": [turn]}  # fmt: skip
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(line) + "\n")
    (scene,) = read_scenes(path)
    assert scene.turns[0].answer.text == "a cat"
    assert classes_of([scene]) == ("cat",)
    path.write_text(json.dumps(line) + "\n{\n")
    with pytest.raises(RecordError, match="line 2"):
        read_scenes(path)


def test_what_hardly_shows_is_not_taught(scene: Scene) -> None:
    wide = replace(scene.record, objects=(LabelledObject("all", Box(0, 0, 1, 1)),))
    areas = set()
    for seed in range(40):
        shown, picture = show(replace(scene, record=wide), Random(seed))
        areas.add(len(shown.record.objects))
        if picture.size < (60, 40):
            assert not shown.record.objects or picture.size[0] * picture.size[1] >= 0.4 * 96 * 64
    assert areas == {0, 1}
