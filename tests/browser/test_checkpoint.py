"""The main paths on the checkpoint that is shipped, as a first-time visitor walks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import words
from model.naming import Lexicon
from model.types import Capability
from model.vocabulary import COCO_NAMES
from tests.browser.conftest import Visits, served
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
SAMPLES = json.loads((ROOT / "assets" / "samples.json").read_text())
NEEDED = 6
"""Samples, of eight, on which each path must lead to its end."""

Sides = tuple[float, float, float, float]
TRUE: dict[str, tuple[Sides, Sides]] = {
    "dog.jpg": ((0.104, 0.067, 0.753, 0.891), (0.0, 0.33, 0.155, 0.987)),
    "bus.jpg": ((0.002, 0.298, 0.708, 0.668), (0.0, 0.437, 0.374, 0.999)),
    "pizza.jpg": ((0.156, 0.435, 0.97, 1.0), (0.156, 0.435, 0.97, 1.0)),
    "elephant.jpg": ((0.28, 0.271, 0.866, 0.926), (0.204, 0.067, 0.329, 0.355)),
    "tennis.jpg": ((0.333, 0.176, 0.773, 0.928), (0.143, 0.013, 0.374, 0.223)),
    "desk.jpg": ((0.091, 0.117, 0.484, 0.762), (0.129, 0.468, 0.441, 0.654)),
    "motorcycle.jpg": ((0.021, 0.04, 0.918, 0.957), (0.0, 0.001, 0.188, 0.558)),
    "kitchen.jpg": ((0.521, 0.322, 0.696, 0.998), (0.003, 0.461, 0.128, 0.959)),
}
"""By sample: COCO's box of the main thing, and of what the sample's "... on the left" means."""


WORDS = """node => { const copy = node.cloneNode(true);
  for (const number of copy.querySelectorAll('.id')) number.remove();
  return copy.textContent; }"""
"""Returns what an answer says, without the numbers of its boxes."""


@dataclass(frozen=True)
class Walk:
    """What a visitor got on one sample.

    Attributes:
        file: the sample.
        said: the answer to a click on the main thing.
        clicked: IoU of the best box of that answer with the true one.
        left: the same for "the ... on the left".
        linked: phrases of the description that are linked to boxes.
    """

    file: str
    said: str
    clicked: float
    left: float
    linked: int


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with the shipped checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    with served(folder, str(ROOT / "checkpoints" / "deixis-tiny")) as address:
        yield address


@pytest.fixture(scope="module")
def walks(visits: Visits) -> list[Walk]:
    """One visitor's walk over all samples."""
    me = visits()
    return [walk(me, index, sample) for index, sample in enumerate(SAMPLES)]


def walk(me: Visitor, index: int, sample: dict[str, Any]) -> Walk:
    main, left = TRUE[sample["file"]]
    me.open_sample(index)
    me.click(*sample["point"])
    me.answered()
    said = me.page.locator("#chat .bot.message").last.evaluate(WORDS)
    clicked = best_overlap(me, main)
    me.ask(next(question for question in sample["questions"] if "on the left" in question))
    me.answered(2)
    on_left = best_overlap(me, left)
    me.ask("Describe this picture.")
    me.answered(3)
    linked = me.page.locator("#chat .bot.message").last.locator(".ph").count()
    return Walk(sample["file"], said, clicked, on_left, linked)


def best_overlap(me: Visitor, true: Sides) -> float:
    """Returns the IoU of the answer's first boxes with a true one; 0 if it has no boxes."""
    chip = me.page.locator(".dx-chip")
    if not chip.count():
        return 0.0
    chip.first.hover()
    me.see(".dx-lit")
    return max(
        overlap(tuple(box[key] for key in ("x0", "y0", "x1", "y1")), true) for box in me.lit()
    )


def overlap(one: tuple[float, ...], other: Sides) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_clicks_name_the_main_things_of_the_samples(walks: list[Walk]) -> None:
    lexicon = Lexicon(COCO_NAMES)
    meant = {sample["file"]: sample["object"] for sample in SAMPLES}
    named = [
        walk.clicked >= 0.5 and meant[walk.file] in lexicon.classes(walk.said) for walk in walks
    ]
    assert sum(named) >= NEEDED, walks


def test_an_expression_gets_a_box_on_what_it_means(walks: list[Walk]) -> None:
    assert sum(walk.left >= 0.5 for walk in walks) >= NEEDED, walks


@pytest.mark.xfail(reason="five of eight: captions tie too few phrases; see the card")
def test_a_description_has_two_linked_phrases(walks: list[Walk]) -> None:
    assert sum(walk.linked >= 2 for walk in walks) >= NEEDED, walks


def test_every_quick_action_is_answered(visits: Visits) -> None:
    me = visits()
    me.open_sample(0)
    me.click(*SAMPLES[0]["point"])
    me.answered()
    done = 1
    for capability, label, _ in words.QUICK:
        if capability is Capability.DETECT:  # puts its question into the box, to be finished
            continue
        me.see(f"#quick button:has-text('{label}')").click()
        done += 1
        me.answered(done)
        answer = me.page.locator("#chat .bot.message").last
        assert answer.locator(".oops").count() == 0, (label, answer.inner_text())
        assert answer.evaluate(WORDS).strip(), label
