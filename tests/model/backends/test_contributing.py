"""The example of a new family in CONTRIBUTING.md is short, and runs as it stands."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import regex
import torch

from model.backends import families
from model.backends.frames import Bins
from model.backends.generation import GenerativeBackend
from model.backends.grammar import Grammar
from model.backends.loading import Source
from model.backends.published import to_device
from model.types import Box, Capability
from tests.model.backends.conftest import Tiny
from tests.model.backends.script import writes
from tests.model.backends.tiny import picture

GUIDE = Path(__file__).parents[3] / "CONTRIBUTING.md"
GIVEN = {
    "regex": regex, "torch": torch, "Bins": Bins, "Grammar": Grammar, "Capability": Capability,
    "_JUNK": families._JUNK, "GenerativeBackend": GenerativeBackend, "to_device": to_device,
}  # fmt: skip


def section() -> str:
    return GUIDE.read_text(encoding="utf-8").split("## Adding a family")[1].split("\n## ")[0]


def test_a_family_takes_under_forty_lines() -> None:
    assert len(section().splitlines()) < 40


def test_the_example_runs(tiny: Tiny) -> None:
    blocks = re.findall(r"```python\n(.*?)```", section(), re.DOTALL)
    names: dict[str, Any] = dict(GIVEN)
    for block in blocks:
        exec(textwrap.dedent(block), names)
    # The made-up family takes a picture as PaliGemma does.
    backend = names["PointerBackend"].load(Source("pointer", tiny("paligemma")))
    with writes(backend, "cat<at50><at100><at250><at500>") as prompts:
        answer = backend.answer(picture(), "the cat", task=Capability.REFER)
    assert prompts[0].endswith("point the cat")
    assert answer.groundings[0].boxes == (Box(0.1, 0.2, 0.5, 1.0),)
