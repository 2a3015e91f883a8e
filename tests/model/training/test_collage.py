from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from model.preprocess import PAD
from model.records import LabelledObject, PictureFile, Record
from model.training.collage import Shown, mosaic, pasted
from model.training.scenes import Scene
from model.types import Box, Size

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255,) * 3}


def square(colour: str, size: tuple[int, int] = (60, 40), *, outlined: bool = False) -> Shown:
    """A grey picture with one square of a colour, which is its name."""
    picture = Image.new("RGB", size, (100, 100, 100))
    left, top, right, bottom = 10, 8, 38, 30
    ImageDraw.Draw(picture).rectangle([left, top, right - 1, bottom - 1], fill=COLOURS[colour])
    x0, y0, x1, y1 = left / size[0], top / size[1], right / size[0], bottom / size[1]
    outline = (x0, y0, x1, y0, x1, y1, x0, y1)
    thing = LabelledObject(colour, Box(x0, y0, x1, y1), polygons=(outline,) if outlined else ())
    record = Record(colour, Size(*size), PictureFile(Path(), None, "x"), (thing,),
                    captions=("a square",), label_space="squares", exhaustive=True)  # fmt: skip
    return Scene(record), picture


def found(picture: Image.Image, colour: str) -> np.ndarray:
    """The extent of a colour in pixels: x0, y0, x1, y1."""
    away = np.abs(np.asarray(picture).astype(int) - COLOURS[colour]).max(-1)
    ys, xs = (away < 75).nonzero()
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def assert_boxes_are_where_the_pixels_are(shown: Shown, tolerance: float) -> None:
    scene, picture = shown
    assert scene.record.size == Size(*picture.size)
    for thing in scene.record.objects:
        meant = np.array(thing.box.as_tuple()) * [*picture.size, *picture.size]
        off = np.abs(found(picture, thing.label) - meant).max()
        assert off <= tolerance, (thing.label, off)


def test_the_boxes_of_a_mosaic_are_where_its_pixels_are() -> None:
    sizes = [(60, 40), (40, 60), (64, 64), (90, 50)]
    seen = 0
    for seed in range(40):
        four = [square(name, size) for name, size in zip(COLOURS, sizes, strict=True)]
        shown = mosaic(four, Random(seed))
        # Pictures are scaled: half a scaled pixel on each side is neither colour.
        assert_boxes_are_where_the_pixels_are(shown, 2.0)
        seen += len(shown[0].record.objects)
        assert shown[0].record.captions == ()
        assert shown[0].record.exhaustive
        assert (np.asarray(shown[1]) == PAD).all(-1).mean() < 0.01, "every place is filled"
    assert seen > 100


def test_a_mosaic_knows_all_only_if_every_picture_does() -> None:
    four = [square(name) for name in COLOURS]
    scene, picture = four[2]
    four[2] = replace(scene, record=replace(scene.record, exhaustive=False)), picture
    assert not mosaic(four, Random(0))[0].record.exhaustive
    four[2] = replace(scene, record=replace(scene.record, label_space="other")), picture
    assert not mosaic(four, Random(0))[0].record.exhaustive


def test_what_is_pasted_is_boxed_and_outlined_where_it_is() -> None:
    for seed in range(40):
        target, donor = square("green", (80, 70), outlined=True), square("red", outlined=True)
        scene, picture = pasted(target, donor, Random(seed))
        assert_boxes_are_where_the_pixels_are((scene, picture), 1.01)
        red = next(thing for thing in scene.record.objects if thing.label == "red")
        covered = np.abs(np.asarray(picture).astype(int) - COLOURS["red"]).max(-1) < 75
        mask = red.mask(scene.record.size).pixels
        assert (mask & covered).sum() / (mask | covered).sum() > 0.9
        assert scene.record.captions == ()
        assert scene.record.exhaustive


def test_what_is_covered_goes_or_gets_smaller() -> None:
    kept, smaller, gone = 0, 0, 0
    whole = square("green", outlined=True)
    for seed in range(200):
        scene, picture = pasted(whole, square("red", outlined=True), Random(seed))
        green = [thing for thing in scene.record.objects if thing.label == "green"]
        strong = np.abs(np.asarray(picture).astype(int) - COLOURS["green"]).max(-1) < 75
        share = strong.sum() / (28 * 22)
        if not green:
            gone += 1
            assert share < 0.42
        else:
            kept += green[0] == whole[0].record.objects[0]
            smaller += green[0].box != whole[0].record.objects[0].box
            assert share > 0.38
    assert min(kept, smaller, gone) > 0


def test_without_outlines_nothing_is_pasted() -> None:
    target = square("green")
    assert pasted(target, square("red"), Random(0)) is target
