from __future__ import annotations

import pytest
import torch

from model.errors import CapabilityError
from model.training.trunk_alone import TrunkAlone
from model.types import Finish
from tests.model import tiny

NAMES = list(tiny.tree().classes)


def test_it_says_what_the_cells_say() -> None:
    trunk = TrunkAlone(tiny.model())
    answer = trunk.detect(tiny.picture(), NAMES, threshold=0.0, limit=10_000)
    with torch.inference_mode():
        cells = tiny.model().vision.trunk(tiny.on_canvas(0)[None])
    scores = cells.class_logits[0].sigmoid() * cells.objectness_logits[0].sigmoid()[:, None]
    for grounding in answer.groundings:
        of_class = scores[:, NAMES.index(grounding.phrase.text)].tolist()
        for score in grounding.scores:
            assert min(abs(score - cell) for cell in of_class) < 1e-6
    best = max(max(g.scores) for g in answer.groundings)
    assert best <= float(scores.max()) + 1e-6


def test_the_limit_keeps_the_best_of_all_names_and_the_threshold_holds() -> None:
    trunk = TrunkAlone(tiny.model())
    every = trunk.detect(tiny.picture(), NAMES, threshold=0.0, limit=10_000)
    few = trunk.detect(tiny.picture(), NAMES, threshold=0.0, limit=5)
    scores = sorted((s for g in every.groundings for s in g.scores), reverse=True)
    assert sorted((s for g in few.groundings for s in g.scores), reverse=True) == scores[:5]
    cut = scores[3]
    sure = trunk.detect(tiny.picture(), NAMES, threshold=cut)
    assert all(s >= cut for g in sure.groundings for s in g.scores)
    nothing = trunk.detect(tiny.picture(), NAMES, threshold=1.1)
    assert (nothing.finish, nothing.groundings) == (Finish.ABSENT, ())


def test_it_knows_no_other_names_and_no_words() -> None:
    trunk = TrunkAlone(tiny.model())
    assert not trunk.detect(tiny.picture(), ["unicorn"], threshold=0.0).groundings
    with pytest.raises(CapabilityError, match="only detect"):
        trunk.answer(tiny.picture(), "what is this?")
