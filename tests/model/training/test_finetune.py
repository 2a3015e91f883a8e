from __future__ import annotations

import json
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model import checkpoint
from model.engine import load
from model.errors import CheckpointError, ConfigError, RecordError
from model.training.finetune import FineTune
from tests.model import tiny
from tests.model.training import small_run
from tests.model.training.small_run import QUICK, finetune, order


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    small_run.dataset(folder)
    small_run.start(folder)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A folder of its own with the data set and the checkpoint."""
    for name in ("squares", "start"):
        (tmp_path / name).symlink_to(made / name)
    return tmp_path


def after(steps: int) -> Callable[[], bool]:
    """Asks to stop after some steps."""
    asked = iter(range(steps + 1))
    return lambda: next(asked, None) in (None, steps)


def state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "state" / "state.safetensors")


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(place: Path, mode: str) -> None:
    whole = finetune(place, "whole", mode=mode)
    assert whole.run(lambda: False)
    assert not finetune(place, "parts", mode=mode).run(after(1))
    torch.manual_seed(99)  # What happened meanwhile does not matter.
    assert not finetune(place, "parts", mode=mode).run(after(2))
    resumed = finetune(place, "parts", mode=mode)
    assert resumed.trainer.step == 3
    assert resumed.run(lambda: False)
    one, two = state(place / "whole"), state(place / "parts")
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    beginning = dict(checkpoint.load(place / "start")[0].named_parameters())
    learned = [n for n, v in beginning.items() if not torch.equal(v, one.get(f"model.{n}", v))]
    assert any(name.startswith("vision") for name in learned) is (mode == "full")
    assert any(name.startswith("box_decoder") for name in learned)
    ours, theirs = (checkpoint.load(place / f"{run}-out")[0] for run in ("whole", "parts"))
    same = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_what_a_run_tells_is_what_the_page_reads(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(place, steps=10).run(lambda: False)
    told = events(capsys.readouterr().out)
    assert [e["event"] for e in told[:2]] == ["plan", "eval"]
    plan, first = told[:2]
    assert plan["pictures"] == {"train": 6, "val": 2, "replay": 0}
    assert sorted(plan["classes"]) == sorted(small_run.NAMES)
    assert 0 < plan["trained"] <= plan["parameters"]
    assert {"value", "low", "high", "count"} <= first["measures"]["AP50"].keys()
    samples = json.loads(Path(first["samples"]).read_text())
    assert len(samples["pictures"]) == 2
    assert (place / "squares" / samples["pictures"][0]["image"]).is_file()
    assert {"label", "box"} == samples["pictures"][0]["truth"][0].keys()
    step = next(e for e in told if e["event"] == "step")
    assert (step["step"], step["steps"]) == (10, 10)
    assert step["eta"] == 0
    assert [e["what"] for e in told if e["event"] == "saved"][-1] == "checkpoint"
    served = load(place / "run-out", device="cpu")
    assert set(small_run.NAMES) <= set(served.card.vocabulary)
    assert checkpoint.listing(place)[0].metrics["tasks"]["detect"]["measures"]  # type: ignore[index]


def test_what_hardly_finds_anything_learns_as_a_whole(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = order(place, replace(QUICK, mode="auto", steps=1))
    run = FineTune(replace(asked, replay=place / "squares"))
    assert run.config.mode == "full"
    (plan,) = [e for e in events(capsys.readouterr().out) if e["event"] == "plan"]
    assert plan["settings"]["mode"] == "full"
    assert "before training, AP50 is" in plan["reasons"][0]


def test_a_run_that_is_stopped_saves_and_delivers_the_best_so_far(place: Path) -> None:
    run = finetune(place)
    assert not run.run(after(2))
    assert run.trainer.step == 2
    checkpoint.verify(place / "run" / "state")
    checkpoint.load(place / "run-out")


def test_time_is_a_budget(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finetune(place, "timed", steps=1000, minutes=1.0, evaluations=2)
    clock = iter(range(0, 1000, 15))
    monkeypatch.setattr(FineTune, "seconds", property(lambda self: float(next(clock))))
    rates = []
    run.trainer.log = lambda row: rates.append(row)  # type: ignore[method-assign]
    assert run.run(lambda: False), "the end of the budget is an end"
    assert 0 < run.trainer.step < 10
    assert run._notes["exam_step"] == run.trainer.step
    assert checkpoint.load(place / "timed-out")
    shown = [int(share) for share in re.findall(r"train: +(\d+)%", capsys.readouterr().err)]
    assert max(shown) >= 25, "the bar shows the time, not 10 of 1000 steps"


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda run: (run / "state" / "state.safetensors").unlink(), "lacks"),
        (lambda run: (run / "state" / "state.json").write_text("{}"), "differs"),
        (lambda run: (run / "state" / "MANIFEST.json").unlink(), "MANIFEST"),
        (lambda run: (run / "settings.json").unlink(), "settings"),
        (lambda run: (run / "settings.json").write_text("[]"), "settings"),
    ],
)
def test_a_run_with_a_missing_piece_is_refused(
    place: Path, harm: Callable[[Path], object], word: str, stopped: Path
) -> None:
    shutil.copytree(stopped, place / "run")
    harm(place / "run")
    with pytest.raises((CheckpointError, ConfigError), match=word):
        finetune(place)


@pytest.fixture(scope="module")
def stopped(made: Path) -> Path:
    """A run folder that was stopped after a step."""
    run = finetune(made, "stopped")
    assert not run.run(after(1))
    return made / "stopped"


def test_a_run_of_another_kind_is_refused(place: Path, stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped, place / "run")
    assert finetune(place).trainer.step == 1
    with pytest.raises(ConfigError, match="other settings"):
        finetune(place, learning_rate=0.1)
    (place / "squares").unlink()
    other = small_run.dataset(tmp_path / "other", 9)
    (place / "squares").symlink_to(other)
    with pytest.raises(CheckpointError, match="another data set"):
        finetune(place)
    (place / "squares").unlink()
    (place / "squares").symlink_to(stopped.parent / "squares")
    (place / "start").unlink()
    checkpoint.save(tiny.build(seed=1), tiny.vocabulary(), place / "start")
    with pytest.raises(CheckpointError, match="another start"):
        finetune(place)


def test_resume_refuses_to_begin_anew(place: Path) -> None:
    with pytest.raises(ConfigError, match="no run"):
        FineTune(replace(order(place), resume=True))


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_state(
    place: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(stopped, place / "run")
    before = (place / "run" / "state" / "MANIFEST.json").read_bytes()
    run = finetune(place)
    real = run.trainer.course.loss

    def broken(*arguments: Any) -> tuple[torch.Tensor, dict[str, float]]:
        loss, parts = real(*arguments)
        return loss * float("nan"), parts

    monkeypatch.setattr(run.trainer.course, "loss", broken)
    with pytest.raises(CheckpointError, match=r"step 1 the loss is nan.*resume"):
        run.run(lambda: False)
    assert (place / "run" / "state" / "MANIFEST.json").read_bytes() == before
    assert finetune(place).trainer.step == 1


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Lets no file grow beyond `room` bytes, as the system does it."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_is_told_and_leaves_the_last_state_whole(place: Path, stopped: Path) -> None:
    shutil.copytree(stopped, place / "run")
    run = finetune(place)
    run.trainer._one_step(run.trainer.recipe.stages[0], 0.5)
    run.trainer.position.step += 1
    with full_disk(2000), pytest.raises(CheckpointError, match="disk full"):
        run.trainer.save()
    with full_disk(2000), pytest.raises(CheckpointError, match="disk full"):
        run._deliver(choose=False)
    assert not (place / "run-out").exists()
    assert not (place / "run" / "state.staging").exists()
    assert finetune(place).trainer.step == 1


def test_refused_rows_need_a_word(place: Path, made: Path) -> None:
    (place / "squares").unlink()
    shutil.copytree(made / "squares", place / "squares")
    report = json.loads((place / "squares" / "report.json").read_text())
    report |= {"num_refused": 1}
    (place / "squares" / "report.json").write_text(json.dumps(report))
    with pytest.raises(ConfigError, match="accept-refused"):
        finetune(place)
    assert FineTune(replace(order(place), accept_refused=True)).data.scenes
    (place / "squares" / "report.json").write_text(json.dumps(report | {"round_trip_px": 1.2}))
    with pytest.raises(RecordError, match=r"1\.2 px"):
        FineTune(replace(order(place), accept_refused=True))
