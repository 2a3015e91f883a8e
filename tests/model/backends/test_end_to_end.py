"""Every family from a person's question to the picture drawn: page, processor, model, parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app import render
from app.conversation import Conversation
from app.host import Host
from app.session import People
from app.settings import Settings
from model.backends.base import Backend
from model.backends.generation import GenerativeBackend
from model.backends.registry import open_backend
from model.types import Box, Capability
from tests.fakes import ANNA, last
from tests.model.backends.conftest import Tiny
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture

BOX = Box(0.1, 0.2, 0.5, 0.9)
WRITTEN = {
    "florence2": "cat<loc_100><loc_200><loc_500><loc_900>",
    "internvl": "<ref>the cat</ref><box>[[100, 200, 500, 900]]</box>",
    "kosmos2": "<phrase>the cat</phrase><object><patch_index_0195><patch_index_0912></object>",
    "paligemma": "<loc0205><loc0102><loc0922><loc0512> cat",
    "qwen2_5_vl": None,
    "qwen3_vl": '[{"bbox_2d": [100, 200, 500, 900], "label": "cat"}]',
    "qwen3_5": '[{"bbox_2d": [100, 200, 500, 900], "label": "cat"}]',
}
"""What each family writes of the same box; sources are named in `test_grammar.py`."""


def paged(backend: Backend, folder: Path) -> Conversation:
    """Returns the page's conversation with a picture on the desk."""
    host = Host(lambda: backend, backend.card.name, 60)
    host.start()
    page = Conversation(People(), host, Settings(teaching=folder))
    picture().save(folder / "picture.png")
    assert page.open(ANNA, folder / "picture.png", "a picture").picture is not None
    return page


def drawn_inside(page: Conversation, box: Box) -> bool:
    """Returns whether the answer's drawing changes the picture around a box and nowhere far."""
    (exchange,) = page.people.desk(ANNA).exchanges
    assert exchange.answer is not None
    style = render.Style(labels=False, side=160)
    plain = np.asarray(render.annotate(picture(), type(exchange.answer)(""), style=style))
    shown = np.asarray(render.annotate(picture(), exchange.answer, style=style))
    rows, columns = np.nonzero((plain != shown).any(-1))
    high, wide = plain.shape[:2]
    places = [columns.min() / wide, rows.min() / high, columns.max() / wide, rows.max() / high]
    return bool(np.allclose(places, box.as_tuple(), atol=0.06))


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_family_that_writes_places_is_asked_read_and_drawn(
    kind: str, tiny: Tiny, tmp_path: Path
) -> None:
    backend = open_backend(str(tiny(kind)), "cpu")
    assert isinstance(backend, GenerativeBackend)
    written = WRITTEN[kind]
    if written is None:  # pixels of the picture as it was resized
        shown = backend.shown_of(picture())
        sides = [BOX.x0 * shown.width, BOX.y0 * shown.height]
        sides += [BOX.x1 * shown.width, BOX.y1 * shown.height]
        written = f'[{{"bbox_2d": {[round(side) for side in sides]}, "label": "cat"}}]'
    page = paged(backend, tmp_path)
    with writes(backend, written):
        end = last(page.ask(ANNA, "Where is the cat?", {}))
    assert not end.trouble
    assert end.answer is not None
    (group,) = end.answer["groups"]
    assert "cat" in group["label"]
    assert 0 < group["scores"][0] < 1
    assert drawn_inside(page, BOX)


@pytest.mark.parametrize("kind", ["grounding_dino", "mm_grounding_dino", "owlv2"])
def test_a_detector_is_asked_and_what_it_scores_is_drawn(
    kind: str, tiny: Tiny, tmp_path: Path
) -> None:
    backend = open_backend(str(tiny(kind)), "cpu")
    page = paged(backend, tmp_path)
    found = backend.detect(picture(), ["cat", "red square"], threshold=0.0)
    best = max(score for grounding in found.groundings for score in grounding.scores)
    assert 0 < best < 1
    end = last(page.ask(ANNA, "Find all cats, red squares.", {}, Capability.DETECT))
    assert not end.trouble
    (exchange,) = page.people.desk(ANNA).exchanges
    assert exchange.answer is not None
    boxes = sum(len(grounding.boxes) for grounding in exchange.answer.groundings)
    assert boxes > 0
    shown = render.annotate(picture(), exchange.answer, 0.0)
    assert shown.tobytes() != render.annotate(picture(), type(exchange.answer)("")).tobytes()


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_a_segmenter_beside_another_model_masks_what_is_drawn(
    kind: str, tiny: Tiny, tmp_path: Path
) -> None:
    page = paged(open_backend(f"{tiny('owlv2')}+{tiny(kind)}", "cpu"), tmp_path)
    marks = {"marks": [{"kind": "box", "box": list(BOX.as_tuple()), "name": "@1"}]}
    end = last(page.ask(ANNA, "Segment @1.", marks))
    assert not end.trouble
    (exchange,) = page.people.desk(ANNA).exchanges
    assert exchange.answer is not None
    ((mask,),) = [grounding.masks for grounding in exchange.answer.groundings]
    assert mask.pixels.shape == (120, 160)
