"""What the verbs of `python -m model.training` do; each returns the exit code."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model import checkpoint
from model.allocator import keep_freed_memory
from model.errors import ConfigError
from model.training.config import FineTuneConfig
from model.training.disk import full_disk_told
from model.training.events import tell

if TYPE_CHECKING:
    from model.training.finetune import FineTune
    from model.training.order import Order
    from model.training.published_run import PublishedRun

DONE, STOPPED = 0, 3
EMBEDDED = "deixis-tiny"


def bring_in(options: argparse.Namespace) -> int:
    """Imports a data set."""
    from model.training.importers import import_dataset

    report = import_dataset(
        options.source,
        options.out,
        format=options.format,
        val_share=options.val_share,
        seed=options.seed,
        progress=_Seldom().progress,
    )
    print(report.to_text(), file=sys.stderr, end="")
    tell("report", folder=str(options.out), report=report.to_json())
    return DONE


def teach(options: argparse.Namespace) -> int:
    """Teaches a checkpoint a data set; goes on where it was stopped."""
    from model.training.order import Order

    if options.out is None or options.run_folder is None:
        raise ConfigError("Give --out CHECKPOINT and --run-folder RUN, or --recipe NAME.")
    keep_freed_memory()
    stop = _stops()
    order = Order(
        data=options.data,
        start=Path() if options.model else checkpoint.resolve(options.start or EMBEDDED),
        model=options.model or "",
        folder=options.run_folder,
        out=options.out,
        config=_settings(options),
        replay=options.replay,
        accept_refused=options.accept_refused,
        resume=options.resume,
    )

    with full_disk_told(f"what was saved in {options.run_folder} is whole. Make room and resume"):
        return DONE if _run_of(order).run(stop) else STOPPED


def _run_of(order: Order) -> FineTune | PublishedRun:
    """Returns the run that teaches our own checkpoint, or a published one."""
    if order.model:
        from model.training.published_run import PublishedRun

        return PublishedRun(order)
    from model.training.finetune import FineTune

    return FineTune(order)


def _settings(options: argparse.Namespace) -> FineTuneConfig:
    try:
        values = json.loads(options.config.read_text()) if options.config else {}
        config = FineTuneConfig.from_json(values)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{options.config} holds no settings: {error}") from error
    pairs = [
        f"{name}={value}"
        for name in ("mode", "minutes", "epochs")
        if (value := getattr(options, name)) is not None
    ]
    return config.with_values([*pairs, *(p for text in options.set for p in text.split(","))])


def follow_recipe(options: argparse.Namespace) -> int:
    """Trains by a recipe; goes on where it was stopped."""
    from model.training.setup import build_trainer, read_recipe

    keep_freed_memory()
    stop = _stops()
    trainer = build_trainer(
        read_recipe(options.recipe),
        data=options.data,
        cache=options.cache,
        folder=options.run_folder or Path("runs") / Path(options.recipe).stem,
        start=Path(options.start) if options.start else None,
        trunk=options.trunk,
    )
    minutes = math.inf if options.minutes is None else options.minutes
    done = trainer.run(seconds=minutes * 60, stop=stop)
    if options.out is not None:
        trainer.export(options.out)
    return DONE if done else STOPPED


def _stops() -> Callable[[], bool]:
    """Returns whether somebody asked to stop since this was called."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return lambda: asked


def calibrate(options: argparse.Namespace) -> int:
    """Chooses trust, threshold and shifts of a checkpoint on records."""
    from model.records import read_records
    from model.training import calibration

    records = list(read_records(options.records, options.limit))
    folder = checkpoint.resolve(options.checkpoint)
    tree = calibration.calibrate(folder, records)
    said = f"{folder}: threshold {tree.threshold}; names corrected by {tree.trust} and shifted by"
    print(f"{said} {tree.shift}, taught ones by {tree.new_shift}", file=sys.stderr)
    tell(
        "measures",
        trust=tree.trust,
        threshold=tree.threshold,
        shift=tree.shift,
        new_shift=tree.new_shift,
    )
    return DONE


def evaluate(options: argparse.Namespace) -> int:
    """Predicts and scores: every task on records, or detection on a data set."""
    if options.records is not None:
        from model.training.release import measure

        folder = checkpoint.resolve(options.checkpoint)
        tasks = measure(folder, options.records, options.limit)["tasks"]
        tell("measures", tasks={task: report["measures"] for task, report in tasks.items()})
        return DONE
    from model.backends import open_backend
    from model.training.dataset import judged_records
    from model.training.exam import hold_with

    split, records = judged_records(options.data, options.split, options.limit)
    measures = {"detect": hold_with(open_backend(options.checkpoint), records).measures}
    if options.out is not None:
        options.out.write_text(json.dumps({"split": split, "tasks": measures}, indent=1) + "\n")
    tell("measures", split=split, tasks=measures)
    return DONE


def compare(options: argparse.Namespace) -> int:
    """Writes the before/after board of two checkpoints."""
    from model.training import board
    from model.training.dataset import earlier_records, judged_records

    split, records = judged_records(options.data, options.split, options.limit)
    general = earlier_records(options.general, options.limit) if options.general else []
    about = {"data": str(options.data), "split": split}
    if general:
        about |= {"general_data": str(options.general), "general_records": len(general)}
    told = _Seldom()
    made = board.compare(
        options.before, options.after, records, general, options.out, about, told.progress
    )
    tell("board", path=str(options.out / "board.json"), measures=made["measures"])
    return DONE


def ablate(options: argparse.Namespace) -> int:
    """Trains and measures the rows of some studies; goes on where it was stopped."""
    from model.records import read_records
    from model.training import ablations
    from model.training.setup import read_recipe

    keep_freed_memory()
    stop = _stops()
    recipe = ablations.at_budget(read_recipe(options.recipe), options.steps, options.batch)
    studies = ablations.STUDIES if options.studies == "all" else options.studies.split(",")
    table = ablations.rows(recipe, studies)
    records = list(read_records(options.records, options.limit))
    place = ablations.Place(options.data, options.cache, options.out, options.trunk)
    found = []
    for row, result in ablations.run(table, records, place, stop):
        if result is None:
            return STOPPED
        found.append((row, result))
        tell("row", study=row.study, name=row.name, run=row.key, **result)
        (options.out / "table.md").write_text(ablations.as_table(found))
    print(ablations.as_table(found), file=sys.stderr, end="")
    tell("saved", path=str(options.out / "table.md"), what="table")
    return DONE


def measure(options: argparse.Namespace) -> int:
    """Tells what every stage of a recipe costs on this machine."""
    from model.training import speed
    from model.training.setup import read_recipe

    recipe = read_recipe(options.recipe)
    if options.batch:
        stages = tuple(replace(stage, batch=options.batch) for stage in recipe.stages)
        recipe = replace(recipe, stages=stages)
    for found in speed.measure(recipe, options.out, steps=options.steps, peak=options.peak):
        tell("speed", **asdict(found))
    return DONE


def export(options: argparse.Namespace) -> int:
    """Writes a folder that is ready to push, and pushes it if somebody says where to."""
    from model.training import publish

    publish.export(checkpoint.resolve(options.checkpoint, adapters=True), options.out)
    tell("saved", path=str(options.out), what="checkpoint")
    if options.archive:
        tell("saved", path=str(publish.pack(options.out)), what="archive")
    if options.repository:
        address = publish.push(options.out, options.repository)
        tell("note", text=f"Pushed to {address}.")
    return DONE


def merge(options: argparse.Namespace) -> int:
    """Folds low-rank weights into the full ones."""
    from model.training import card, lora

    model, vocabulary, _ = checkpoint.load(checkpoint.resolve(options.start))
    if not options.adapter.is_dir():
        raise ConfigError(f"{options.adapter} is no adapter; give the folder RUN/adapter.")
    story = card.read_story(options.adapter)
    merged, tree = lora.fold_in(model, options.adapter)
    card.save_with_card(merged, tree, vocabulary, options.out, story)
    tell("saved", path=str(options.out), what="checkpoint")
    return DONE


def blend(options: argparse.Namespace) -> int:
    """Moves weights a share of the way towards those of a relative."""
    from model.training import growing

    folders = [checkpoint.resolve(name) for name in (options.checkpoint, options.towards)]
    model, vocabulary, _ = checkpoint.load(folders[0])
    other, _, _ = checkpoint.load(folders[1], grow=True)
    if len({(folder / "tokenizer.json").read_bytes() for folder in folders}) > 1:
        raise ConfigError(f"{options.towards} has other words than {options.checkpoint}.")
    growing.blend(model, other, options.share)
    checkpoint.save(model, vocabulary, options.out, half=True)
    tell("saved", path=str(options.out), what="checkpoint")
    return DONE


class _Seldom:
    """Tells progress twice a second at most."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._last > 0.5:
            self._last = time.monotonic()
            tell("progress", done=done, total=total)
