"""A taught checkpoint with its story: where it comes from, what it learned, how well it does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model import checkpoint
from model.config import ModelConfig
from model.errors import CheckpointError
from model.tokens import Vocabulary
from model.vlm import DeixisModel

METRICS = "metrics.json"


@dataclass(frozen=True, slots=True)
class Story:
    """How a checkpoint came to be.

    Attributes:
        parent: name of the checkpoint it began as.
        parent_version: of that checkpoint.
        data: name of the data set.
        names: of its classes.
        settings: of the run.
        steps: after which it was kept.
        seconds: the run had taken by then.
        measures: on pictures that it did not learn from but was chosen by.
        pictures: it learned from.
        val_pictures: it was chosen by.
    """

    parent: str
    parent_version: str
    data: str
    names: Sequence[str]
    settings: Mapping[str, Any]
    steps: int
    seconds: float
    measures: Mapping[str, Any]
    pictures: int
    val_pictures: int


def save_with_card(
    model: DeixisModel, tree: ModelConfig, vocabulary: Vocabulary, folder: Path, story: Story
) -> None:
    """Writes a checkpoint with another configuration of its scores, its metrics and its card."""
    before = model.config.sections
    model.config.sections = tree.to_json()
    try:
        checkpoint.save(model, vocabulary, folder, half=True)
    finally:
        model.config.sections = before
    (folder / METRICS).write_text(json.dumps(metrics_of(story), indent=1) + "\n")
    (folder / "README.md").write_text(card_of(folder.name, story))


def metrics_of(story: Story) -> dict[str, Any]:
    """Returns what lies beside a checkpoint as `metrics.json`; `read_story` reads it back."""
    return {
        "records": "val",
        "pictures": story.val_pictures,
        "tasks": {"detect": {"measures": dict(story.measures)}},
        "story": asdict(story),
    }


def read_story(folder: Path) -> Story:
    """Returns the story of a taught checkpoint; raises CheckpointError if it has none."""
    try:
        return Story(**json.loads((folder / METRICS).read_text())["story"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} does not tell where it comes from: {error}.") from error


def card_of(name: str, story: Story) -> str:
    """Returns a model card with the front matter that model hubs read."""
    return f"""---
license: apache-2.0
library_name: deixis
pipeline_tag: object-detection
---

# {_plain(name)}

A Deixis checkpoint: `{_plain(story.parent)}` (version {story.parent_version}), {_learned(story)}
"""


def adapter_card(name: str, story: Story, licence: str) -> str:
    """Returns the model card of an adapter that a published checkpoint was taught."""
    return f"""---
library_name: peft
pipeline_tag: image-text-to-text
---

# {_plain(name)}

A LoRA adapter for `{_plain(story.parent, "/")}` (licence: {_plain(licence)}), {_learned(story)}
It opens with `python app.py --model FOLDER` where that checkpoint can be found.
"""


def _learned(story: Story) -> str:
    """Returns what both kinds of cards say: what was taught, and how well it went."""
    names = ", ".join(_plain(label) for label in story.names[:50])
    rows = [
        f"| {key} | {_number(m['value'])} | {_number(m['low'])} to {_number(m['high'])} |"
        for key, m in story.measures.items()
    ]
    return f"""taught the data set
`{_plain(story.data)}` of {story.pictures} pictures by {story.steps} steps in {story.seconds:.0f}
seconds.

Taught names: {names or "none"}.

## Measured

On {story.val_pictures} pictures that it did not learn from; this checkpoint was chosen among others
by them, so the numbers are on the friendly side.

| measure | value | 95 % interval |
|---|---|---|
{chr(10).join(rows)}

The licence of the pictures it learned from is not known here; whoever publishes it must know it."""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _plain(text: str, also: str = "") -> str:
    """Returns hostile text so that it stays text in Markdown."""
    kept = "".join(c if c.isalnum() or c in f" ._-{also}" else " " for c in text)
    return " ".join(kept.split())[:100]
