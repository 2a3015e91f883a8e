from __future__ import annotations

from model.training.config import Stage
from tests.model import tiny


def test_an_ordinary_stage_trains_everything_but_the_trunk() -> None:
    left = [
        name for name, _ in tiny.model().named_parameters()
        if not name.startswith(("vision", *Stage().trains))
    ]  # fmt: skip
    assert left == []
