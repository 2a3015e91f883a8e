"""Teaches a checkpoint a data set: what is learned is watched, the best is kept and served."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from model import checkpoint
from model.engine import Engine
from model.errors import ConfigError
from model.training import card, exam, lora
from model.training.calibration import calibrated, choose_trust
from model.training.config import FineTuneConfig
from model.training.dataset import read_dataset
from model.training.defaults import fill_in, recipe_of, skill
from model.training.disk import full_disk_told
from model.training.events import tell, tell_plan, tell_step
from model.training.grades import UNGRADED, Grades
from model.training.loop import Row, Trainer
from model.training.new_course import NewCourse
from model.training.order import Order, read_settings, write_settings
from model.training.scenes import classes_of
from model.vlm import DeixisModel

FINISHING = 2.0
"""Evaluations' time that is kept of a budget for what comes after the last step."""


class FineTune:
    """One run: begun, or taken up where it was stopped."""

    def __init__(self, order: Order) -> None:
        """Reads everything and takes up a stopped run.

        Raises:
            DeixisError: the data, the checkpoint or the run folder cannot be used.
        """
        self._began = time.monotonic()
        self.order = order
        self._saved = read_settings(order)
        self.data = read_dataset(order.data, order.replay, accept_refused=order.accept_refused)
        self.model, self.vocabulary, self.parent = checkpoint.load(order.start, grow=True)
        self.config, reasons = self._fill_in()
        torch.manual_seed(self.config.seed)
        changes = self._attach()
        self.new_names = [
            n for n in classes_of(self.data.scenes) if n not in self.model.tree.classes
        ]
        self.trainer = Trainer(
            recipe_of(self.config, self.model.tree, self.data.scenes, changes),
            self.model,
            self.vocabulary,
            NewCourse(self.data.scenes, self.data.replay, self.vocabulary, self.model, self.config),
            order.folder,
            {"data set": self.data.identity, "start": self.parent},
        )
        self._notes.update({"seconds": 0.0, **UNGRADED})
        if not self.trainer.resume() and order.resume:
            raise ConfigError(f"{order.folder} holds no run to go on with; leave --resume out.")
        self._before = float(self._notes["seconds"])
        self.grades = Grades(self._notes, self.config, order.folder, self.trainer.log)
        self.trainer.pace = self._pace
        if self.trainer.accelerator.is_main_process:
            self._tell_plan(reasons)

    @property
    def _notes(self) -> dict[str, Any]:
        """What resuming needs to know beyond the loop's own state."""
        return self.trainer.position.notes

    @property
    def seconds(self) -> float:
        """Seconds this run has taken, stops left out."""
        return self._before + time.monotonic() - self._began

    def run(self, stop: Callable[[], bool]) -> bool:
        """Trains, and writes the best checkpoint; returns whether it came to the end."""
        main = self.trainer.accelerator.is_main_process
        if main and self.grades.none_yet:
            self._examine()
        done = self.trainer.run(stop=stop, after_step=self._after_step)
        if main and done and not self.grades.held_at(self.trainer.step):
            self._examine()
            self.trainer.save()
        if main:
            self._tell_saved("state", self.order.folder / "state")
            if (self.order.folder / "best").exists():
                self._deliver(choose=done)
        return done

    # --- while it runs ---------------------------------------------------------------------------

    def _pace(self) -> float:
        if not self.config.minutes:
            return 0.0
        left_over = FINISHING * self.grades.seconds * (1 + 2 * self._knows_some())
        return self.seconds / max(1.0, self.config.minutes * 60 - left_over)

    def _progress(self) -> float:
        return max(self.trainer.step / self.config.steps, self._pace())

    def _after_step(self, row: Row) -> bool:
        """Reports a step, and holds an exam when one is due; returns whether that was enough."""
        self._notes["seconds"] = self.seconds
        if not self.trainer.accelerator.is_main_process:
            return False
        progress = min(1.0, self._progress())
        if row["step"] % 10 == 0 or row["step"] == self.config.steps:
            tell_step(row, progress, self.seconds)
        if not self.grades.due(progress):
            return False
        self._examine()
        return self.grades.enough

    def _examine(self) -> None:
        """Looks at the validation pictures with the averaged weights; keeps them if best."""
        began, trainer = time.monotonic(), self.trainer
        with trainer.averaged() as model:
            whole = lora.folded(model)
            records = self.data.val[: self.config.val_pictures]
            result = exam.hold(whole, self.vocabulary, records)
            best = self.grades.is_best(result)
            if best:
                self._keep(whole, result)
        self._notes["seconds"] = self.seconds
        progress, took = min(1.0, self._progress()), time.monotonic() - began
        self.grades.enter(result, trainer.step, progress, took, self.model.tree.threshold)
        if best:
            self._tell_saved("best", self.order.folder / "best")

    def _keep(self, model: DeixisModel, result: exam.Result) -> None:
        """Writes a model with what was learned about its scores as the best so far."""
        tree = calibrated(model.tree, result, self.new_names)
        folder = self.order.folder
        story = self._story(result, self.trainer.step)
        with full_disk_told("the last best checkpoint is untouched. Make room and resume"):
            card.save_with_card(model, tree, self.vocabulary, folder / "best", story)
            if lora.is_attached(self.model):
                lora.save_adapter(self.model, tree, folder / "adapter", card.metrics_of(story))

    def _story(self, result: exam.Result, step: int) -> card.Story:
        return card.Story(
            parent=self.order.start.name,
            parent_version=self.parent,
            data=self.data.name,
            names=classes_of(self.data.scenes),
            settings=self.config.to_json(),
            steps=step,
            seconds=round(self.seconds),
            measures=result.measures,
            pictures=len(self.data.scenes),
            val_pictures=len(result.pictures),
        )

    # --- at the end ------------------------------------------------------------------------------

    def _deliver(self, *, choose: bool) -> None:
        """Writes the best checkpoint to where it was asked for.

        Args:
            choose: find out how far corrections of known names should count, which takes a while
                that somebody who stopped a run does not have.
        """
        model, vocabulary, _ = checkpoint.load(self.order.folder / "best")
        records = self.data.val[: self.config.val_pictures]
        device = str(self.trainer.accelerator.device)
        engine = Engine(model, vocabulary, name="best", version="best", device=device)
        tree = model.tree
        result = None
        if choose and self._knows_some() and records:
            trust, result = choose_trust(engine, records)
            tree = calibrated(replace(tree, trust=trust), result, self.new_names)
        with full_disk_told(f"{self.order.folder / 'best'} is whole. Make room and resume"):
            story = card.read_story(self.order.folder / "best")
            if result is not None:
                story = replace(story, measures=result.measures)
            card.save_with_card(model, tree, vocabulary, self.order.out, story)
        self._tell_saved("checkpoint", self.order.out)

    def _knows_some(self) -> bool:
        """Whether the data has names that are the trunk's own classes."""
        return len(self.new_names) < len(classes_of(self.data.scenes))

    # --- beginning -------------------------------------------------------------------------------

    def _fill_in(self) -> tuple[FineTuneConfig, list[str]]:
        if self._saved is not None:
            return self._saved, ["Going on with a run."]
        scenes, seed = self.data.scenes, self.order.config.seed
        filled = fill_in(
            self.order.config,
            scenes,
            self.data.replay,
            lambda: skill(self.model, self.vocabulary, scenes, seed),
        )
        write_settings(self.order, filled[0])
        return filled

    def _attach(self) -> list[str]:
        """Prepares the language model for how it learns; returns its low-rank parameters."""
        if self.config.checkpointing:
            language: Any = self.model.prefixed.language
            language.activation_checkpointing_enable()
        if self.config.mode != "lora":
            return []
        return lora.attach(self.model, self.config.lora_rank, self.config.lora_alpha)

    # --- telling ---------------------------------------------------------------------------------

    def _tell_plan(self, reasons: list[str]) -> None:
        trains = self.trainer.recipe.stages[0].trains
        learned = [v.numel() for n, v in self.model.named_parameters() if n.startswith(trains)]
        whole = sum(value.numel() for value in self.model.parameters())
        tell_plan(self.config, self.data, reasons, parameters=whole, trained=sum(learned))

    def _tell_saved(self, what: str, path: Path) -> None:
        tell("saved", step=self.trainer.step, path=str(path), what=what)
