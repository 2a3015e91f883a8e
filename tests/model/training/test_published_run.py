"""Runs that teach a published family, on a tiny random model of the real classes."""

from __future__ import annotations

import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model import checkpoint
from model.backends import open_backend
from model.backends.generation import GenerativeBackend
from model.errors import CheckpointError, ConfigError
from model.training import board
from model.training.__main__ import main
from model.training.config import FineTuneConfig
from model.training.order import Order
from model.training.published_run import PublishedRun
from tests.model.backends.tiny import build
from tests.model.training import small_run

QUICK = FineTuneConfig(
    steps=4, batch=1, evaluations=1, val_pictures=1, save_every=2, lora_rank=2, learning_rate=1e-2
)
WORDS = "steps=2,batch=1,evaluations=1,val_pictures=1,lora_rank=2"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the data set `squares` and the checkpoint `florence`."""
    folder = tmp_path_factory.mktemp("published")
    small_run.dataset(folder)
    build("florence2", folder / "florence")
    return folder


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GenerativeBackend, "max_tokens", 4)


def order(root: Path, folder: Path, config: FineTuneConfig = QUICK, **changes: Any) -> Order:
    model = str(root / "florence")
    made = Order(root / "squares", Path(), folder / "run", folder / "out", config, model=model)
    return replace(made, **changes)


def run(made: Order, stop_after: int = 1000) -> bool:
    """Runs an order, as if somebody asked to stop after so many steps; returns whether it ended."""
    started = PublishedRun(made)
    try:
        return started.run(lambda: started.tuner.step >= stop_after)
    finally:
        started.close()


def learned(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "run" / "state" / "state.safetensors")


def test_a_stopped_run_goes_on_as_if_it_had_not_been(root: Path, tmp_path: Path) -> None:
    assert run(order(root, tmp_path / "whole"))
    parts = order(root, tmp_path / "parts")
    assert not run(parts, stop_after=2)
    checkpoint.verify(parts.out)  # what it had learned by then can be served
    assert run(replace(parts, resume=True))
    whole = learned(tmp_path / "whole")
    assert any(value.abs().max() > 0 for name, value in whole.items() if "lora_B" in name)
    for name, value in learned(tmp_path / "parts").items():
        assert torch.equal(value, whole[name]), name
    backend = open_backend(str(parts.out))
    assert backend.card.name == "out"
    backend.close()


def test_a_run_of_something_else_is_not_gone_on_with(root: Path, tmp_path: Path) -> None:
    made = order(root, tmp_path)
    with pytest.raises(ConfigError, match="no run to go on with"):
        run(replace(made, resume=True))
    run(made, stop_after=1)
    with pytest.raises(ConfigError, match="other settings"):
        run(replace(made, config=replace(QUICK, steps=9)))
    other = build("paligemma", tmp_path / "other")
    with pytest.raises(CheckpointError, match="another start"):
        run(replace(made, model=str(other)))
    state = made.folder / "state" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="differs from its manifest"):
        run(made)


def test_a_changed_adapter_and_one_on_another_adapter_are_refused(
    root: Path, tmp_path: Path
) -> None:
    made = order(root, tmp_path)
    run(made, stop_after=1)
    twice = tmp_path / "twice"
    twice.mkdir()
    learned_on = json.dumps({"base_model_name_or_path": str(made.out)})
    (twice / checkpoint.ADAPTER).write_text(learned_on)
    with pytest.raises(CheckpointError, match="an adapter itself"):
        open_backend(str(twice))
    weights = made.out / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="differs from its manifest"):
        open_backend(str(made.out))
    (listed,) = [item for item in checkpoint.listing(tmp_path) if item.name == "out"]
    assert "manifest" in listed.problem
    assert board.alike("m:4bit", str(made.out)) == f"{made.out}:4bit"
    assert board.alike("m", str(made.out)) == str(made.out)
    assert board.alike("m:4bit", str(root / "florence")) == str(root / "florence")


def test_the_command_teaches_and_compares(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: object) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    data, start, out = root / "squares", root / "florence", tmp_path / "taught"
    events = told(
        "train", f"--model={start}", f"--data={data}", f"--out={out}",
        f"--run-folder={tmp_path / 'run'}", f"--set={WORDS}",
    )  # fmt: skip
    kinds = [event["event"] for event in events]
    assert set(kinds) == {"plan", "eval", "step", "saved", "end"}
    assert kinds.index("plan") == 0
    plan = events[0]
    assert 0 < plan["trained"] < plan["parameters"]
    assert plan["classes"] == ["red square", "blue square"]
    samples = json.loads(Path(next(e["samples"] for e in events if "samples" in e)).read_text())
    assert len(samples["pictures"]) == 1
    card = (out / "README.md").read_text()
    assert "LoRA adapter" in card
    assert "squares" in card
    story = json.loads((out / "metrics.json").read_text())["story"]
    assert (story["parent"], story["data"]) == (str(start), "squares")
    (listed,) = checkpoint.listing(tmp_path)
    assert (listed.name, listed.problem) == ("taught", "")

    told("export", out, f"--out={tmp_path / 'pushed'}")
    assert {path.name for path in (tmp_path / "pushed").iterdir()} == {
        checkpoint.ADAPTER, "adapter_model.safetensors", checkpoint.MANIFEST, "README.md",
        "metrics.json",
    }  # fmt: skip
    events = told("evaluate", f"--checkpoint={out}", f"--data={data}", "--limit=1")
    assert "AP50" in events[-2]["tasks"]["detect"]

    board_folder = tmp_path / "board"
    events = told(
        "compare", f"--before={start}", f"--after={out}", f"--data={data}", "--limit=1",
        f"--general={data / 'train.jsonl'}", f"--out={board_folder}",
    )  # fmt: skip
    written = json.loads((board_folder / "board.json").read_text())
    assert (written["before"], written["after"]) == ("florence", "taught")
    assert [row["name"] for row in written["measures"]] == ["AP", "AP50", "naming"]
    assert [row["name"] for row in written["general"]] == ["AP", "AP50"]
    assert [picture["id"] for picture in written["pictures"]]
    progress = [event for event in events if event["event"] == "progress"][-1]
    assert progress["done"] == progress["total"]


def test_four_bits_that_are_not_there_are_refused_in_words(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else found(name)
    )
    code = main(
        ["train", f"--model={root / 'florence'}:4bit", f"--data={root / 'squares'}",
         f"--out={tmp_path / 'out'}", f"--run-folder={tmp_path / 'run'}", f"--set={WORDS}"]
    )  # fmt: skip
    last = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert last.startswith("error: florence:4bit is to be loaded in 4 bits, but bitsandbytes is")
    assert not (tmp_path / "out").exists()


def test_the_budget_ends_a_run_and_is_told(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count()  # a second passes at every look
    monkeypatch.setattr("model.training.published_run.monotonic", lambda: float(next(clock)))
    timed = replace(QUICK, steps=0, minutes=0.5)
    capsys.readouterr()
    assert run(order(root, tmp_path, timed))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    plan = next(event for event in events if event["event"] == "plan")
    assert plan["minutes"] == 0.5
    last = [event for event in events if event["event"] == "step"][-1]
    assert last["steps"] == last["step"]
    assert last["eta"] == 0


def test_own_and_published_are_not_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--data=x", "--start=deixis-tiny", "--model=florence-2-base"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
