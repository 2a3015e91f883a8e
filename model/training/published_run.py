"""Teaches a published family a data set: watched, examined, stopped and taken up like our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model import checkpoint
from model.backends import open_backend
from model.errors import CheckpointError, ConfigError
from model.records import Record
from model.training import card, exam
from model.training.dataset import read_dataset
from model.training.disk import full_disk_told
from model.training.events import tell, tell_plan, tell_step
from model.training.grades import UNGRADED, Grades
from model.training.order import Order, read_settings, write_settings
from model.training.published import Tuner, fill_in, teachable, tuning_of
from model.training.scenes import classes_of


class PublishedRun:
    """One run: begun, or taken up where it was stopped."""

    def __init__(self, order: Order) -> None:
        """Reads everything, opens the model and takes up a stopped run.

        Raises:
            DeixisError: the data, the model or the run folder cannot be used.
        """
        self._began = monotonic()
        self.order = order
        saved = read_settings(order)
        if saved is None and order.resume:
            raise ConfigError(f"{order.folder} holds no run to go on with; leave --resume out.")
        self.data = read_dataset(order.data, order.replay, accept_refused=order.accept_refused)
        count = len(self.data.scenes)
        if saved is None:
            self.config, reasons = fill_in(order.config, count, earlier=bool(self.data.replay))
        else:
            self.config, reasons = saved, ["Going on with a run."]
        self.backend = teachable(open_backend(order.model))
        self._identity = {"data set": self.data.identity, "start": self.backend.card.version}
        self.tuner = Tuner(self.backend, order.model, tuning_of(self.config))
        self._notes: dict[str, Any] = {"seconds": 0.0, **UNGRADED}
        self.grades = Grades(self._notes, self.config, order.folder, self._log)
        self._resume()
        if saved is None:
            write_settings(order, self.config)
        self._before = float(self._notes["seconds"])
        self._tell_plan(reasons)

    @property
    def seconds(self) -> float:
        """Seconds this run has taken, stops left out."""
        return self._before + monotonic() - self._began

    def close(self) -> None:
        """Frees the model."""
        self.backend.close()

    def run(self, stop: Callable[[], bool]) -> bool:
        """Trains, and writes the best adapter; returns whether it came to the end."""
        if self.grades.none_yet:
            self._examine()
        done = enough = False
        while not (done := enough or self._progress() >= 1) and not stop():
            loss = self.tuner.learn(self._choose, self._progress())
            enough = self._after_step(loss)
        if done and not self.grades.held_at(self.tuner.step):
            self._examine()
        self._save()
        if (self.order.folder / "best").exists():
            self._deliver()
        return done

    # --- while it runs ---------------------------------------------------------------------------

    def _choose(self, random: Random) -> Record:
        earlier = self.data.replay and random.random() < self.config.replay_share
        return random.choice(self.data.replay if earlier else self.data.scenes).record

    def _progress(self) -> float:
        shares = [self.tuner.step / self.config.steps]
        if self.config.minutes:
            left = self.config.minutes * 60 - self.grades.seconds
            shares.append(self.seconds / max(1.0, left))
        return min(1.0, max(shares))

    def _after_step(self, loss: float) -> bool:
        """Reports a step, and holds an exam when one is due; returns whether that was enough."""
        step, progress = self.tuner.step, self._progress()
        if step % 10 == 0 or progress >= 1:
            self._tell_step(loss, progress)
        if step % self.config.save_every == 0:
            self._save()
        if not self.grades.due(progress):
            return False
        self._examine()
        return self.grades.enough

    def _examine(self) -> None:
        """Looks at the validation pictures; keeps the adapter if it is the best so far."""
        began = monotonic()
        result = exam.hold_with(self.backend, self.data.val[: self.config.val_pictures])
        if self.grades.is_best(result):
            self._keep(result)
        took, threshold = monotonic() - began, self.backend.card.threshold
        self.grades.enter(result, self.tuner.step, self._progress(), took, threshold)

    def _keep(self, result: exam.Result) -> None:
        """Writes the adapter as it is now, with its story, as the best so far."""
        story = card.Story(
            parent=self.order.model,
            parent_version=self._identity["start"],
            data=self.data.name,
            names=classes_of(self.data.scenes),
            settings=self.config.to_json(),
            steps=self.tuner.step,
            seconds=round(self.seconds),
            measures=result.measures,
            pictures=len(self.data.scenes),
            val_pictures=len(result.pictures),
        )

        def write(staging: Path) -> None:
            self.tuner.save_adapter(staging)
            _describe(staging, self.order.out.name, story, self.backend.card.licence)

        with full_disk_told("the last best adapter is untouched. Make room and resume"):
            checkpoint.replace_folder(self.order.folder / "best", write)
        self._tell_saved("best", self.order.folder / "best")

    def _deliver(self) -> None:
        """Puts a copy of the best adapter where it was asked for."""
        best = self.order.folder / "best"

        def write(staging: Path) -> None:
            for path in best.iterdir():
                (staging / path.name).write_bytes(path.read_bytes())

        with full_disk_told(f"{best} is whole. Make room and resume"):
            self.order.out.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.replace_folder(self.order.out, write)
        self._tell_saved("checkpoint", self.order.out)

    # --- stopping and going on -------------------------------------------------------------------

    def _save(self) -> None:
        """Writes what going on needs, whole or not at all."""
        self._notes["seconds"] = self.seconds
        state = {"step": self.tuner.step, "notes": self._notes, "identity": self._identity}

        def write(staging: Path) -> None:
            tensors = {name: v.contiguous().cpu() for name, v in self.tuner.tensors().items()}
            save_file(tensors, staging / "state.safetensors")
            (staging / "state.json").write_text(json.dumps(state))
            checkpoint.sign(staging)

        folder = self.order.folder / "state"
        with full_disk_told("the last complete state is untouched. Make room and resume"):
            checkpoint.replace_folder(folder, write)
        self._tell_saved("state", folder)

    def _resume(self) -> None:
        """Takes up a stopped run, if there is one.

        Raises:
            CheckpointError: it is of another model or data set, or a piece of it is missing.
        """
        folder = self.order.folder / "state"
        checkpoint.recover(folder)
        if not folder.exists():
            return
        checkpoint.verify(folder)
        try:
            state = json.loads((folder / "state.json").read_text())
            kept, step, notes = state["identity"], int(state["step"]), dict(state["notes"])
            tensors = load_file(folder / "state.safetensors")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(
                f"{folder} lacks a piece: {error}. Use a new run folder."
            ) from error
        for key, value in self._identity.items():
            if kept.get(key) != value:
                raise CheckpointError(f"{folder} was trained with another {key}; use a new folder.")
        self.tuner.restore(step, tensors)
        self._notes.update(notes)

    # --- telling ---------------------------------------------------------------------------------

    def _log(self, row: dict[str, Any]) -> None:
        with (self.order.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({**row, "time": round(time(), 1)}) + "\n")

    def _tell_plan(self, reasons: list[str]) -> None:
        parameters, trained = self.backend.card.parameters, self.tuner.trained
        tell_plan(self.config, self.data, reasons, parameters=parameters, trained=trained)

    def _tell_step(self, loss: float, progress: float) -> None:
        rate = self.config.learning_rate * (1 - progress)
        row = {"step": self.tuner.step, "loss": loss, "rate": rate}
        self._log(row)
        tell_step(row, progress, self.seconds)

    def _tell_saved(self, what: str, path: Path) -> None:
        tell("saved", step=self.tuner.step, path=str(path), what=what)


def _describe(folder: Path, name: str, story: card.Story, licence: str) -> None:
    """Writes metrics and model card beside an adapter, and signs the folder."""
    (folder / card.METRICS).write_text(json.dumps(card.metrics_of(story), indent=1) + "\n")
    (folder / "README.md").write_text(card.adapter_card(name, story, licence))
    checkpoint.sign(folder)
