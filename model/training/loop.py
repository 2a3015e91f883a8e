"""The training loop: stages, averaged weights, and states that resume exactly.

Every draw comes from a generator seeded by (seed, step, process), so a resumed run sees the same
lessons as one that was never stopped.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from model import checkpoint
from model.errors import CheckpointError
from model.tokens import Vocabulary
from model.training.ahead import Steps, draw_from, seed_of, stage_at, workers_for
from model.training.config import Recipe, Stage
from model.training.course import Course
from model.training.disk import full_disk_told
from model.training.state import (
    Position,
    assign,
    learned,
    optimizer_of,
    read_state,
    restore,
    tensors_of,
    write_state,
)
from model.vlm import DeixisModel

Row = dict[str, Any]
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Trainer:
    """Runs a recipe over a course; `run` may be called again after a stop.

    Attributes:
        position: where the run stands, with the notes of whoever watches it.
        pace: returns the share of a time budget that is used; the rate falls by it too.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: DeixisModel,
        vocabulary: Vocabulary,
        course: Course,
        folder: Path,
        identity: Row | None = None,
    ) -> None:
        self.recipe, self.model, self.vocabulary = recipe, model, vocabulary
        self.course, self.folder, self.identity = course, folder, identity or {}
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision=recipe.precision
        )
        # Its plans are built anew for every shape, and no two batches have the same.
        torch.backends.cuda.enable_cudnn_sdp(enabled=False)
        self.model.to(self.accelerator.device)  # pyright: ignore[reportArgumentType]
        self.average = {name: value.clone() for name, value in learned(model)}
        self.position = Position()
        self.pace: Callable[[], float] = lambda: 0.0
        self.optimizer: torch.optim.Optimizer | None = None
        self._drawn: Iterator[list[Any]] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def num_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.recipe.stages)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.position.step

    def run(
        self,
        *,
        seconds: float = math.inf,
        stop: Callable[[], bool] = lambda: False,
        after_step: Callable[[Row], bool] = lambda row: False,
    ) -> bool:
        """Trains until the end, a time limit or `stop`; returns whether it came to the end.

        Args:
            seconds: after which this call stops, as if it were asked to.
            stop: whether somebody asked to stop.
            after_step: told of every step; returns whether that was enough.
        """
        started, enough = time.monotonic(), False
        # Whatever ends it, the bar ends its line: what is said next stands on its own.
        with tqdm(
            total=1.0, initial=self.step / self.num_steps, desc="train", bar_format=_BAR
        ) as bar:
            while self.step < self.num_steps and not enough:
                share = self._mean(self.pace())
                if share >= 1:
                    enough = True
                    break
                if self._mean(float(stop() or time.monotonic() - started > seconds)) > 0:
                    break
                row = self.take_step(share)
                # Of a budget in minutes, time tells how far it is; steps do not.
                bar.update(max(self.step / self.num_steps, share) - bar.n)
                bar.set_postfix(step=self.step, loss=f"{row['loss']:.2f}")
                if self.step % 10 == 0:
                    self.log(row)
                enough = self._mean(float(after_step(row))) > 0
                if self.step % self.recipe.save_every == 0:
                    self.save()
        self._drawn = None
        if self.optimizer is not None:
            self.save()
        return enough or self.step >= self.num_steps

    def take_step(self, share: float = 0.0) -> Row:
        """Takes the next step, at least as far into the schedule as `share`; returns its losses."""
        stage, within = self._enter_stage()
        row = self._one_step(stage, max(within / stage.steps, share))
        self.position.step += 1
        return {"step": self.step, "stage": stage.name, **row}

    def _enter_stage(self) -> tuple[Stage, int]:
        """Returns the stage of the current step and the step within it; sets up what learns."""
        number, within = stage_at(self.recipe, self.step)
        if number != self.position.stage:
            if self.position.stage >= 0:
                assign(self.model, self.average.items())
            self._begin(number)
        return self.recipe.stages[number], within

    def _begin(self, number: int) -> None:
        """Sets up what learns in a stage, with a new optimizer."""
        for name, value in self.model.named_parameters():
            value.requires_grad_(name.startswith(self.recipe.stages[number].trains))
        self.optimizer = optimizer_of(self.model, self.recipe)
        self.position.stage = number

    def _one_step(self, stage: Stage, progress: float) -> Row:
        assert self.optimizer is not None
        rate = stage.learning_rate * schedule(progress, stage.warmup, self.recipe.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        drawn = self._next_drawn()
        torch.manual_seed(seed_of(self.recipe, self.step, self.accelerator.process_index))
        self.model.train()
        self.model.vision.eval()
        loss, parts = self._losses(drawn)
        trained = {n: v for n, v in self.model.named_parameters() if v.requires_grad}
        self._share_gradients(list(trained.values()))
        norm = clip(trained, self.recipe.clip)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise CheckpointError(
                f"At step {self.step} the loss is {loss} and its gradient's norm {norm}: "
                f"{parts}. The last checkpoint is untouched; lower the learning rate and resume."
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        current: Any = [value for _, value in learned(self.model)]
        average: Any = list(self.average.values())
        get_ema_multi_avg_fn(decay)(average, current, self.step)
        return {"loss": loss, **parts, "norm": norm, "rate": rate}

    def _next_drawn(self) -> list[Any]:
        """Returns what the present step learns from."""
        if self._drawn is None:
            steps = Steps(self.recipe, self.course, self.accelerator.process_index)
            workers = workers_for(self.accelerator.device)
            self._drawn = draw_from(steps, self.step, self.num_steps, workers)
        return next(self._drawn)

    def _losses(self, drawn: Sequence[Any]) -> tuple[float, dict[str, float]]:
        """Adds up the gradients of a step's parts; returns the mean loss and its parts."""
        sums: dict[str, float] = {}
        whole = 0.0
        for part in drawn:
            with self.accelerator.autocast():
                loss, parts = self.course.loss(self.model, part)
            self.accelerator.backward(loss / len(drawn))
            whole += loss.item() / len(drawn)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value / len(drawn)
        return whole, sums

    def _share_gradients(self, trained: Sequence[Tensor]) -> None:
        """Averages gradients over processes, so that all take the same step.

        By hand, since the parts of the model are called one by one and not all of them every time.
        """
        if self.accelerator.num_processes == 1:
            return
        for value in trained:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        flat = torch.cat([value.grad.flatten() for value in trained if value.grad is not None])
        mean: Any = self.accelerator.reduce(flat, "mean")
        for value, part in zip(trained, mean.split([v.numel() for v in trained]), strict=True):
            value.grad = part.view_as(value)

    def _mean(self, value: float) -> float:
        """Returns the mean over processes, so that all decide alike."""
        if self.accelerator.num_processes == 1:
            return value
        here = torch.tensor(value, device=self.accelerator.device)
        mean: Any = self.accelerator.reduce(here, "mean")
        return float(mean)

    def log(self, row: Row) -> None:
        """Adds a line to the run's log."""
        told = full_disk_told("the last state is untouched. Make room and resume")
        if self.accelerator.is_main_process:
            with told, (self.folder / "log.jsonl").open("a") as file:
                file.write(json.dumps({**row, "time": round(time.time(), 1)}) + "\n")

    def save(self) -> None:
        """Writes what `resume` needs: weights, averages, optimizer, position."""
        assert self.optimizer is not None
        if self.accelerator.is_main_process:
            tensors = tensors_of(self.model, self.average, self.optimizer)
            write_state(
                self.folder / "state", self.position, self.recipe, self.identity, tensors,
                self.vocabulary,
            )  # fmt: skip

    def resume(self) -> bool:
        """Takes up a stopped run; returns False if there is none.

        Raises:
            CheckpointError: the saved run is of another recipe, or a piece of it is missing.
        """
        saved = read_state(self.folder / "state", self.recipe, self.identity)
        if saved is None:
            return False
        self.position, tensors = saved
        self._drawn = None
        self._begin(self.position.stage)
        assert self.optimizer is not None
        restore(self.model, self.average, self.optimizer, tensors)
        return True

    @contextmanager
    def averaged(self) -> Iterator[DeixisModel]:
        """Gives the model its averaged weights for a while."""
        current = {name: value.clone() for name, value in learned(self.model)}
        assign(self.model, self.average.items())
        try:
            yield self.model
        finally:
            assign(self.model, current.items())

    def export(self, folder: Path) -> None:
        """Writes the averaged weights as a checkpoint that can be served."""
        if not self.accelerator.is_main_process:
            return
        with self.averaged() as model, full_disk_told("nothing was changed. Make room and resume"):
            checkpoint.save(model, self.vocabulary, folder, half=True)


def clip(trained: Mapping[str, Tensor], largest: float) -> float:
    """Shortens the gradients to a largest norm; returns the larger norm before.

    The trunk's by itself: they are hundreds of times longer than the others' and would drown them.
    """
    norms = []
    for of_trunk in (False, True):
        some = [v for name, v in trained.items() if name.startswith("vision") is of_trunk]
        norms.append(float(torch.nn.utils.clip_grad_norm_(some, largest)))
    return norms[0] if math.isnan(norms[0]) else max(norms[1], norms[0])


def schedule(progress: float, warmup: float, kind: str = "cosine") -> float:
    """Returns the share of the peak rate: warm-up, then cosine to a fiftieth, or constant."""
    if progress < warmup:
        return (progress + 1e-3) / warmup
    if kind == "constant":
        return 1.0
    fallen = (progress - warmup) / max(1e-9, 1 - warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))
