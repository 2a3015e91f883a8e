"""The documented way in: `from model import load`, on the checkpoint that is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import model
from model.engine import Engine
from model.types import Box

FROM_PYTHON = re.compile(r"## From Python\n+```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def after_the_example(root: Path) -> dict[str, object]:
    """Runs the README's example, as it is printed, and returns what it has printed and defined."""
    example = FROM_PYTHON.search((root / "README.md").read_text("utf-8"))
    assert example is not None, "README.md has no Python example"
    printed: list[str] = []
    names: dict[str, object] = {"print": lambda *words: printed.append(" ".join(map(str, words)))}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        exec(compile(example.group(1), "README.md", "exec"), names)
    return {**names, "printed": printed}


def test_the_example_of_the_readme_finds_the_bus(after_the_example: dict[str, object]) -> None:
    printed = after_the_example["printed"]
    assert isinstance(printed, list)
    assert all(printed), "something was left unsaid"
    found = [line.split()[0] for line in printed[3:]]
    assert "bus" in found
    assert "zebra" not in found


def test_the_calls_of_the_docstrings_answer(after_the_example: dict[str, object]) -> None:
    vlm, picture = after_the_example["vlm"], after_the_example["picture"]
    assert isinstance(vlm, Engine)
    assert model.load is not None
    assert vlm.segment(picture, Box(0.1, 0.1, 0.9, 0.9)).groundings[0].masks  # type: ignore[arg-type]
    assert not vlm.is_present(picture, "zebra").present  # type: ignore[arg-type]
    caption = vlm.caption(picture)  # type: ignore[arg-type]
    assert len(caption.groundings) >= 1
    for g in caption.groundings:
        assert caption.text[g.phrase.start : g.phrase.end] == g.phrase.text
        assert all(0 <= score <= 1 for score in g.scores)


def test_only_load_is_offered() -> None:
    assert model.__all__ == ["load"]
    with pytest.raises(AttributeError, match="has no attribute 'lead'"):
        model.lead  # noqa: B018
