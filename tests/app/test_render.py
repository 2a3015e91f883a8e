"""The drawn picture: what scores is drawn where it is, in its colour, and nothing else."""

from __future__ import annotations

import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from app import render, theme
from app.render import Style
from app.session import Exchange
from model.types import (
    Answer,
    Box,
    Grounding,
    Keypoints,
    Mask,
    Phrase,
    WordBox,
)

GREY = Image.new("RGB", (400, 300), (90, 90, 90))
BARE = Style(labels=False, side=400, unit=1.0)
BOX = Box(0.25, 0.25, 0.75, 0.75)
DOG = Grounding(Phrase("dog"), (BOX,), (0.8,))
ORANGE = (230, 159, 0)


def changed(drawn: Image.Image) -> np.ndarray:
    """Returns bool[H, W]: where a drawing differs from the grey picture."""
    return (np.asarray(drawn).astype(int) - 90 != 0).any(2)


@pytest.mark.parametrize("style", ["box", "rounded", "corner"])
def test_a_box_is_drawn_along_its_sides_in_its_colour(style: str) -> None:
    drawn = render.annotate(GREY, Answer("", (DOG,)), style=Style(style, False, side=400, unit=1.0))
    where = changed(drawn)
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    assert abs(rows[0] - 75) <= 4
    assert abs(rows[-1] - 225) <= 4
    assert abs(columns[0] - 100) <= 4
    assert abs(columns[-1] - 300) <= 4
    assert not where[150, 200]
    assert ORANGE in {tuple(p) for p in np.asarray(drawn)[where]}


def test_below_the_threshold_nothing_is_drawn() -> None:
    assert not changed(render.annotate(GREY, Answer("", (DOG,)), 0.81, BARE)).any()
    assert changed(render.annotate(GREY, Answer("", (DOG,)), 0.8, BARE)).any()


def test_the_picture_itself_is_left_alone() -> None:
    before = GREY.tobytes()
    render.annotate(GREY, Answer("", (DOG,)), style=BARE)
    assert GREY.tobytes() == before


def test_labels_add_the_number_words_and_score() -> None:
    with_label = render.annotate(GREY, Answer("", (DOG,)), style=Style(side=400, unit=1.0))
    without = render.annotate(GREY, Answer("", (DOG,)), style=BARE)
    assert changed(with_label).sum() > changed(without).sum() + 200


def test_labels_of_boxes_in_one_place_do_not_cover_each_other() -> None:
    fill = np.array(ORANGE)

    def seen(*found: Grounding, labels: bool = True) -> int:
        """Returns how many pixels have the colour of the first one."""
        style = Style(labels=labels, side=400, unit=1.0)
        return int(
            (np.asarray(render.annotate(GREY, Answer("", found), style=style)) == fill).all(2).sum()
        )

    plate = seen(DOG) - seen(DOG, labels=False)
    cat = Grounding(Phrase("cat"), (BOX,), (0.7,))
    assert seen(DOG, cat, labels=False) == 0, "its box lies on the dog's"
    assert seen(DOG, cat) > 0.8 * plate


@pytest.mark.parametrize("label", ["", "犬" * 300, "<b>\x00\x1b", "a\nb", "🐕", "עברית"])
def test_no_label_breaks_the_drawing(label: str) -> None:
    answer = Answer("", (Grounding(Phrase(label), (BOX,), (0.5,)),))
    assert render.annotate(GREY, answer, style=Style(side=400, unit=1.0)).size == (400, 300)


def test_a_mask_of_another_size_is_tinted_where_it_is() -> None:
    pixels = np.zeros((30, 40), bool)
    pixels[:, :10] = True
    masked = Grounding(Phrase("dog"), (BOX,), (0.8,), (Mask(pixels),))
    where = changed(render.annotate(GREY, Answer("", (masked,)), style=BARE))
    assert where[:, 5:95].all()
    assert not where[10, 120:].any()


def test_an_empty_mask_draws_nothing_more() -> None:
    empty = Grounding(Phrase("dog"), (BOX,), (0.8,), (Mask(np.zeros((3, 4), bool)),))
    drawn = render.annotate(GREY, Answer("", (empty,)), style=BARE)
    assert drawn.tobytes() == render.annotate(GREY, Answer("", (DOG,)), style=BARE).tobytes()


def test_a_pose_shows_the_joints_that_are_seen() -> None:
    joints = tuple((0.5, 0.5, 0.9 if i == 0 else 0.0) for i in range(17))
    posed = Grounding(Phrase("person"), (BOX,), (0.8,), (), (Keypoints(joints),))
    where = changed(render.annotate(GREY, Answer("", (posed,)), style=BARE))
    assert where[150, 200]
    hidden = tuple((0.5, 0.5, 0.0) for _ in range(17))
    unseen = Grounding(Phrase("person"), (BOX,), (0.8,), (), (Keypoints(hidden),))
    assert not changed(render.annotate(GREY, Answer("", (unseen,)), style=BARE))[150, 200]


def test_a_heat_map_lies_where_the_words_look() -> None:
    words = tuple(WordBox(Phrase("w", i, i + 1), Box(0.1, 0.1, 0.2, 0.2)) for i in range(3))
    warm = render.annotate(GREY, Answer("w", (), words), style=Style(heat=True, side=400, unit=1.0))
    where = changed(warm)
    assert where[45, 60]
    assert not where[280, 380]


@pytest.mark.parametrize(("size", "side"), [((100, 50), 800), ((3000, 1000), 800)])
def test_the_drawing_has_the_size_it_is_shown_at(size: tuple[int, int], side: int) -> None:
    drawn = render.annotate(Image.new("RGB", size), Answer(""), style=Style(side=side))
    assert max(drawn.size) == side
    assert drawn.width / drawn.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_a_data_url_holds_a_jpeg_of_bounded_size() -> None:
    url = render.data_url(Image.new("RGB", (4000, 1000)))
    head, content = url.split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(content))) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) == render.SENT_SIDE


def test_the_page_and_the_picture_agree_on_what_reaches_the_threshold() -> None:
    score = 0.43924
    found = render.overlay(Exchange(1, "q", answer=Answer("", (replace(DOG, scores=(score,)),))))
    assert found["groups"][0]["scores"][0] >= score, "else the box is drawn, but has no chip"


def test_the_overlay_counts_and_colours_like_the_chat() -> None:
    cat = Grounding(Phrase("cat " * 30), (BOX, BOX), (0.123456, 0.1))
    word = WordBox(Phrase("a", 0, 1), BOX)
    found = render.overlay(Exchange(5, "q", answer=Answer("a", (DOG, cat), (word,))))
    assert found["exchange"] == 5
    assert [group["g"] for group in found["groups"]] == [1, 2]
    assert [group["color"] for group in found["groups"]] == list(theme.PALETTE[:2])
    assert found["groups"][1]["scores"] == [0.123456, 0.1]
    assert len(found["groups"][1]["label"]) <= 48
    assert found["words"] == [{"text": "a", "box": [0.25, 0.25, 0.75, 0.75]}]
