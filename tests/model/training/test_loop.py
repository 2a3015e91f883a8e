from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from model import checkpoint
from model.errors import CheckpointError
from model.training.collate import Collator, Lesson
from model.training.config import Recipe, Stage
from model.training.loop import Trainer, clip, schedule
from model.training.losses import LossConfig, total
from model.training.state import assign, restore, tensors_of
from model.types import Size
from model.vlm import DeixisModel
from tests.model import tiny
from tests.model.training import small_run

ROOT = Path(__file__).resolve().parents[3]


def test_the_rate_warms_up_and_falls() -> None:
    assert schedule(0.0, 0.1) < schedule(0.05, 0.1) < schedule(0.1, 0.1) == 1
    assert schedule(0.55, 0.1) == pytest.approx(0.51)
    assert schedule(1.0, 0.1) == schedule(2.0, 0.1) == pytest.approx(0.02)
    assert schedule(1.0, 0.1, "constant") == 1


def test_the_trunk_is_clipped_by_itself() -> None:
    values = {name: torch.nn.Parameter(torch.zeros(2)) for name in ("vision.a", "objects.b")}
    values["vision.a"].grad = torch.tensor([300.0, 400.0])
    values["objects.b"].grad = torch.tensor([0.3, 0.4])
    assert clip(values, 1.0) == pytest.approx(500)
    assert values["vision.a"].grad.norm() == pytest.approx(1, abs=1e-3)
    assert values["objects.b"].grad.tolist() == pytest.approx([0.3, 0.4])
    values["objects.b"].grad = torch.tensor([float("nan"), 0.0])
    assert clip(values, 1.0) != clip(values, 1.0), "what is not a number is seen"


class Pull:
    """A course whose gradient is what was drawn."""

    def draw(self, stage: Stage, chance: random.Random, count: int) -> float:
        return chance.random() + count

    def loss(self, model: DeixisModel, drawn: float) -> tuple[Tensor, dict[str, float]]:
        return drawn * model.links.weight.sum(), {"pull": drawn}


def test_parts_of_a_batch_add_up_to_its_mean_and_the_average_follows(tmp_path: Path) -> None:
    tree = tiny.tree()
    stage = Stage(steps=2, batch=6, trains=("links",))
    recipe = Recipe(model=tree, stages=(stage,), precision="no", accumulate=3, ema=0.5)
    trainer = Trainer(recipe, tiny.build(), tiny.vocabulary(), Pull(), tmp_path)
    trainer._enter_stage()
    loss, parts = trainer._losses([1.0, 2.0, 6.0])
    weight = trainer.model.links.weight
    assert weight.grad is not None
    assert tiny.close(weight.grad, torch.full_like(weight, 3.0))
    assert parts == {"pull": pytest.approx(3.0)}
    assert loss == pytest.approx(3.0 * weight.sum().item())
    before = weight.detach().clone()
    for _ in range(2):
        row = trainer.take_step()
        assert 2 <= row["pull"] < 3, "six pictures in three parts are two each"
    average = trainer.average["links.weight"]
    assert not torch.equal(average, weight)
    assert (average - before).abs().sum() < (weight - before).abs().sum()
    after = weight.detach().clone()
    with trainer.averaged() as model:
        assert torch.equal(model.links.weight, average)
    assert torch.equal(trainer.model.links.weight, after)


WRITER = """
import sys
from pathlib import Path
from model import checkpoint
folder, number = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    def write(staging):
        for part in "abc":
            (staging / part).write_text(f"{number}" * 20_000)
        checkpoint.sign(staging)
    checkpoint.replace_folder(folder, write)
    print(number, flush=True)
"""


def killed_while_saving(folder: Path, chance: random.Random, number: int) -> int:
    """Kills a process that saves all the time; returns the last number it said it had saved."""
    words = [sys.executable, "-c", WRITER, str(folder), str(number)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
    return int(said[-1]) if said else number


def storm(folder: Path, times: int) -> None:
    """After every kill a complete version is there, none older than the last that was reported."""
    chance, last = random.Random(0), 0
    for _ in range(times):
        last = killed_while_saving(folder, chance, last)
        checkpoint.recover(folder)
        if not folder.exists():
            assert last == 0
            continue
        checkpoint.verify(folder)
        contents = {(folder / part).read_text() for part in "abc"}
        assert len(contents) == 1, "all parts are of one version"
        found = int(contents.pop()[: len(str(last + 1))])
        assert found >= last
        last = found


def test_a_save_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    storm(tmp_path / "state", 5)


@pytest.mark.slow
def test_a_save_that_is_killed_at_fifty_moments_loses_nothing(tmp_path: Path) -> None:
    storm(tmp_path / "state", 50)


RUNNER = """
import os, sys
from model.training import __main__, card, exam, finetune, verbs
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(__main__.main(sys.argv[1:]))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs a verb in a new process for every line it reads, with all that is slow imported once."""


@contextmanager
def runner(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A process that begins a run for every line that is written to it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, *words], cwd=ROOT, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        yield process
        assert process.stdin is not None
        process.stdin.close()


def begin(process: subprocess.Popen[str]) -> int:
    """Begins a run; returns the number of its process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def ended(process: subprocess.Popen[str]) -> int:
    """Waits for the run that was begun last; returns its exit code."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def after_saves(folder: Path, saves: int, process: int) -> None:
    """Returns once a run has saved its state so often, or is gone."""
    manifest, seen = folder / "state" / "MANIFEST.json", None
    while saves and psutil.pid_exists(process):
        with suppress(OSError):
            now = manifest.stat().st_mtime_ns
            saves -= seen is not None and now != seen
            seen = now
        time.sleep(0.002)


@pytest.mark.slow
def test_a_run_that_is_killed_at_fifty_moments_equals_one_that_was_not(tmp_path: Path) -> None:
    data, start = small_run.dataset(tmp_path), small_run.start(tmp_path)

    def words(run: str) -> list[str]:
        return [
            "train", f"--data={data}", f"--start={start}", f"--out={tmp_path / f'{run}-out'}",
            f"--run-folder={tmp_path / run}", "--mode=full",
            "--set=steps=150,batch=2,precision=no,evaluations=3,val_pictures=2,save_every=1",
        ]  # fmt: skip

    with runner(*words("whole")) as process:
        begin(process)
        assert ended(process) == 0
    chance, codes = random.Random(1), []
    with runner(*words("killed")) as process:
        for _ in range(50):
            child = begin(process)
            after_saves(tmp_path / "killed", chance.randrange(4), child)
            time.sleep(chance.uniform(0.0, 0.2))
            os.kill(child, signal.SIGKILL)
            codes.append(ended(process))
        begin(process)
        assert ended(process) == 0
    assert codes == [-signal.SIGKILL] * 50
    states = [(tmp_path / run / "state" / "state.safetensors") for run in ("whole", "killed")]
    assert states[0].read_bytes() == states[1].read_bytes()
    versions = {checkpoint.verify(tmp_path / f"{run}-out") for run in ("whole", "killed")}
    assert len(versions) == 1


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    small_run.dataset(tmp_path)
    small_run.start(tmp_path)
    run = small_run.finetune(tmp_path)
    with pytest.raises(KeyError):
        assign(run.model, [("no.such.weight", torch.zeros(1))])
    run.trainer._begin(0)
    optimizer = run.trainer.optimizer
    assert optimizer is not None
    tensors = tensors_of(run.model, run.trainer.average, optimizer)
    tensors.pop("model.links.weight")
    with pytest.raises(CheckpointError, match=r"model\.links\.weight"):
        restore(run.model, run.trainer.average, optimizer, tensors)


def test_activations_that_are_computed_twice_give_the_same_gradients() -> None:
    lesson = Lesson(Size(96, 64), tiny.turns(), [("dog", [tiny.LEFT])])
    gradients = []
    for twice in (False, True):
        model = tiny.build().requires_grad_(True).train()
        language: Any = model.prefixed.language
        if twice:
            language.activation_checkpointing_enable()
        batch, targets = Collator(tiny.vocabulary(), model.tree)([lesson], tiny.sight(of=model))
        torch.manual_seed(0)
        total(model, batch, model(batch), targets, LossConfig())[0].backward()
        gradients.append([v.grad for v in language.parameters() if v.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 10
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)
