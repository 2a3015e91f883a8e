"""Ablations: recipes that differ in one thing, trained for as many steps and measured alike.

A row that is finished is kept and never trained again; a row that was stopped goes on where it was.
Rows of several studies that are the same recipe are one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.config import MECHANISMS, DecoderConfig
from model.engine import Engine
from model.errors import ConfigError
from model.evaluate import evaluate_lines
from model.metrics.queries import Task
from model.predict import predict
from model.records import Record
from model.training.config import Recipe, Stage
from model.training.lessons import LessonConfig
from model.training.mechanisms import recipe_for
from model.training.setup import build_trainer

Json = dict[str, Any]
BINS, MORE_BINS = 257, 1025
GUIDED = 8
MEASURED = {
    "refer": (Task.REFER, "acc50"), "position": (Task.REFER, "acc50_position"),
    "ground": (Task.GROUND, "recall1"), "AP": (Task.DETECT, "AP"), "VQA": (Task.VQA, "accuracy"),
}  # fmt: skip
"""Columns of the table: the task and the name of the measure."""
BOXES = ("objects", "context", "links", "box_decoder", "findings", "mask_head", "pose_head")
SHARES = (0.3, 0.5, 0.2)
"""Of all steps that go to each of three stages."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    study: str
    name: str
    recipe: Recipe

    @property
    def key(self) -> str:
        """Names what is trained, whatever the study calls it."""
        text = json.dumps(self.recipe.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Place:
    """Where ablations find what they need.

    Attributes:
        data: folder of the recipe's record files.
        cache: folder of the trunk's features, shared by all rows.
        folder: gets a run for each row, `results.json` and `table.md`.
        trunk: ONNX file or checkpoint with the trunk's weights.
    """

    data: Path
    cache: Path
    folder: Path
    trunk: Path | None


def at_budget(recipe: Recipe, steps: int, batch: int = 0) -> Recipe:
    """Returns a recipe of so many steps in all, shared by its stages as before."""
    whole = sum(stage.steps for stage in recipe.stages)
    if steps < len(recipe.stages):
        raise ConfigError(f"steps is {steps}; the recipe has {len(recipe.stages)} stages.")
    stages = [
        replace(s, steps=max(1, round(steps * s.steps / whole)), batch=batch or s.batch)
        for s in recipe.stages
    ]
    return replace(recipe, stages=tuple(stages), save_every=min(recipe.save_every, max(1, steps)))


def _with_decoder(recipe: Recipe, **changes: Any) -> Recipe:  # noqa: ANN401
    decoder: DecoderConfig = replace(recipe.model.decoder, **changes)
    return replace(recipe, model=replace(recipe.model, decoder=decoder))


def three_stages(recipe: Recipe) -> Recipe:
    """Returns a recipe that learns to talk, then all together, then to decode, in as many steps.

    Source: the stages of VisionLLM v2 (Wu et al. 2024, section 3.4).
    """
    (whole,) = recipe.stages
    counts = [max(1, round(share * whole.steps)) for share in SHARES[:2]]
    counts.append(max(1, whole.steps - sum(counts)))
    talk = tuple(name for name in whole.trains if name not in BOXES or name in ("objects", "links"))
    words = replace(whole.lessons, names=0, masks=0, poses=0)
    boxes = replace(
        LessonConfig(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        captions=whole.lessons.captions,
        refs=whole.lessons.refs,
        clicks=whole.lessons.clicks,
        find_all=whole.lessons.find_all,
        names=whole.lessons.names,
        masks=whole.lessons.masks,
        poses=whole.lessons.poses,
    )
    stages: list[Stage] = [
        replace(whole, name="talk", steps=counts[0], trains=talk, lessons=words),
        replace(whole, name="joint", steps=counts[1]),
        replace(whole, name="decoders", steps=counts[2], trains=BOXES, lessons=boxes),
    ]
    return replace(recipe, stages=tuple(stages))


def _studies() -> Mapping[str, Callable[[Recipe], Mapping[str, Recipe]]]:
    return {
        "mechanisms": lambda base: {name: recipe_for(base, name, BINS) for name in MECHANISMS},
        "links": lambda base: {str(n): _with_decoder(base, num_links=n) for n in (1, 4, 8)},
        "bins": lambda base: {
            str(n): recipe_for(base, "coordinates", n) for n in (BINS, MORE_BINS)
        },
        "conditioning": lambda base: {
            "with": base, "without": _with_decoder(base, conditioned=False)
        },
        "stages": lambda base: {"one": base, "three": three_stages(base)},
        "guidance": lambda base: {
            "none": base, f"{GUIDED} tokens": _with_decoder(base, num_guided=GUIDED)
        },
        "aids": lambda base: {
            "none": base,
            "many boxes": replace(base, losses=replace(base.losses, many=1.0)),
            "moved proposals": replace(base, noise=0.3),
        },
    }  # fmt: skip


STUDIES = tuple(_studies())
"""What can be compared."""


def rows(recipe: Recipe, studies: Sequence[str]) -> list[Row]:
    """Returns the rows of some studies of a recipe with one stage.

    Raises:
        ConfigError: a study is unknown, or the recipe has several stages already.
    """
    unknown = [name for name in studies if name not in STUDIES]
    if unknown:
        raise ConfigError(f"There is no study {unknown[0]!r:.40}; choose from {list(STUDIES)}.")
    if len(recipe.stages) != 1:
        raise ConfigError(f"The recipe has {len(recipe.stages)} stages; ablations begin with one.")
    base = recipe_for(recipe, "queries", BINS)
    made = _studies()
    return [
        Row(study, name, of_row)
        for study in studies
        for name, of_row in made[study](base).items()
    ]  # fmt: skip


def run(
    table: Sequence[Row], records: Sequence[Record], place: Place, stop: Callable[[], bool]
) -> Iterator[tuple[Row, Json | None]]:
    """Yields each row with what was measured; trains those that are not finished.

    Args:
        table: the rows.
        records: validation pictures.
        place: where everything lies.
        stop: whether somebody asked to stop; the row that was stopped is yielded with None, last.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    path = place.folder / "results.json"
    asked = hashlib.sha256(",".join(record.id for record in records).encode()).hexdigest()[:12]
    done: dict[str, Json] = json.loads(path.read_text()) if path.exists() else {}
    for row in table:
        key = f"{row.key}-{asked}"
        if key not in done:
            found = _one(row, records, place, stop)
            if found is None:
                yield row, None
                return
            done[key] = found
            path.write_text(json.dumps(done, indent=1) + "\n")
        yield row, done[key]


def _one(
    row: Row, records: Sequence[Record], place: Place, stop: Callable[[], bool]
) -> Json | None:
    """Returns what a trained row measures; None if it was stopped before."""
    folder, began = place.folder / row.key, time.monotonic()
    trainer = build_trainer(
        row.recipe, data=place.data, cache=place.cache, folder=folder, trunk=place.trunk
    )
    if not trainer.run(stop=stop):
        return None
    with trainer.averaged() as model:
        device = str(trainer.accelerator.device)
        engine = Engine(model, trainer.vocabulary, name=row.name, version=row.key, device=device)
        tasks = list(dict.fromkeys(task for task, _ in MEASURED.values()))
        metrics = evaluate_lines(records, predict(engine, records, tasks))
    measured = {
        column: metrics.tasks[str(task)].measures[name].to_json()
        for column, (task, name) in MEASURED.items()
        if name in metrics.tasks[str(task)].measures
    }
    # What is finished is never gone on with.
    shutil.rmtree(folder / "state")
    return {"measures": measured, "minutes": round((time.monotonic() - began) / 60, 1)}


def as_table(found: Sequence[tuple[Row, Json]]) -> str:
    """Returns Markdown: a line a row, values in per cent with their 95 % intervals."""
    columns = list(MEASURED)
    lines = [f"| study | row | {' | '.join(columns)} |", f"|{'---|' * (2 + len(columns))}"]
    for row, result in found:
        cells = [_cell(result["measures"].get(column)) for column in columns]
        lines.append(f"| {row.study} | {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(measure: Json | None) -> str:
    if measure is None or measure["value"] is None:
        return ""
    value, low, high = (
        "" if number is None else f"{100 * number:.1f}"
        for number in (measure["value"], measure["low"], measure["high"])
    )
    return f"{value} [{low}, {high}]"
