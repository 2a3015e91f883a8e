from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model import checkpoint
from model.training import loop
from model.training.__main__ import main
from tests.model.training import small_run

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = "steps=2,batch=2,precision=no,evaluations=1,val_pictures=2,words_share=0"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict[str, Any]]]:
    """Runs a verb; returns the exit code and what it told, every line of which is an event."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[-1]["event"] == "end"
    assert told[-1]["exit_code"] == code
    return code, told


def test_from_a_foreign_folder_to_a_folder_that_can_be_pushed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, data = small_run.coco_squares(tmp_path / "coco"), tmp_path / "squares"
    start, taught = small_run.start(tmp_path), tmp_path / "taught"
    code, told = run(capsys, "import", source, "--out", data, "--val-share=0.25")
    assert code == 0
    assert {event["event"] for event in told[:-2]} == {"progress"}
    assert (told[-3]["done"], told[-3]["total"]) == (8, 8)
    assert told[-2]["report"]["usable"]

    train = ("train", f"--data={data}", f"--start={start}", f"--out={taught}",
             f"--run-folder={tmp_path / 'run'}", "--mode=lora", f"--set={SETTINGS}")  # fmt: skip
    code, told = run(capsys, *train)
    assert code == 0
    assert {"plan", "eval", "step", "saved", "end"} == {event["event"] for event in told}
    version = checkpoint.verify(taught)
    code, told = run(capsys, *train, "--resume")
    assert code == 0
    assert checkpoint.verify(taught) == version, "a finished run ends again at once, as it was"

    adapter = tmp_path / "run" / "adapter"
    merged = ("merge", f"--start={start}", f"--adapter={adapter}", f"--out={tmp_path / 'merged'}")
    assert run(capsys, *merged)[0] == 0
    parts = [tmp_path / name / "config.json" for name in ("taught", "merged")]
    sections = [json.loads(part.read_text())["sections"] for part in parts]
    assert sections[0] == sections[1]
    assert checkpoint.verify(tmp_path / "merged") == version, "merged is what was served"

    blend = ("blend", f"--checkpoint={taught}", f"--towards={start}", "--share=1")
    assert run(capsys, *blend, f"--out={tmp_path / 'back'}")[0] == 0
    assert checkpoint.verify(tmp_path / "back")

    code, told = run(
        capsys, "compare", f"--before={start}", f"--after={taught}", f"--data={data}",
        f"--general={data / 'train.jsonl'}", "--limit=2", f"--out={tmp_path / 'board'}",
    )  # fmt: skip
    assert code == 0
    board = json.loads(Path(told[-2]["path"]).read_text())
    assert (board["before"], board["after"], board["split"]) == ("start", "taught", "val")
    names = [row["name"] for row in board["measures"]]
    assert names == ["AP", "AP50", "naming"]
    assert [row["name"] for row in board["general"]] == ["AP", "AP50"]
    assert {"value", "low", "high", "count"} == board["measures"][0]["after"].keys()
    assert len(board["pictures"]) == 2
    progress = [event for event in told if event["event"] == "progress"][-1]
    assert progress["done"] == progress["total"]

    code, told = run(capsys, "evaluate", f"--checkpoint={taught}", f"--data={data}", "--split=val")
    assert code == 0
    assert "AP50" in told[0]["tasks"]["detect"]

    code, _ = run(capsys, "export", taught, f"--out={tmp_path / 'pushed'}")
    assert code == 0
    assert checkpoint.verify(tmp_path / "pushed") == version
    card = (tmp_path / "pushed" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "squares" in card
    assert "AP50" in card
    monkeypatch.delenv("HF_TOKEN", raising=False)
    again = ("export", taught, f"--out={tmp_path / 'more'}", "--repository=me/mine")
    code, told = run(capsys, *again)
    assert code == 1
    assert "HF_TOKEN" in told[-1]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("import", "/nowhere", "--out=/tmp/never"),
        ("train", "--data=/nowhere", "--out=x", "--run-folder=/nowhere/run"),
        ("train", "--data=/nowhere"),
        ("train", "--data=/nowhere", "--out=x", "--run-folder=r", "--set=mode=half"),
        ("train", "--data=/nowhere", "--out=x", "--run-folder=r", "--config=/nowhere.json"),
        ("train", "--data=/nowhere", "--recipe=nothing"),
        ("evaluate", "--checkpoint=/nowhere", "--data=/nowhere"),
        ("compare", "--before=a", "--after=b", "--data=/nowhere", "--out=/tmp/never"),
        ("export", "/nowhere", "--out=/tmp/never"),
        ("merge", "--start=/nowhere", "--adapter=/nowhere", "--out=/tmp/never"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(words)
    said = capsys.readouterr()
    assert code == 1
    assert said.err.splitlines()[-1].startswith("error: ")
    last = json.loads(said.out.splitlines()[-1])
    assert last == {"event": "end", "exit_code": 1, "message": said.err.splitlines()[-1][7:]}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(Path.unlink, "No such file"), (lambda file: file.write_bytes(b"x"), "it is no picture")],
    ids=["vanished", "broken"],
)
def test_a_picture_lost_while_lessons_are_drawn_is_refused_in_words(
    spoil: Callable[[Path], object],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, start = small_run.dataset(tmp_path), small_run.start(tmp_path)
    pictures = list((data / "pictures").rglob("*.*"))

    def one_process(device: object) -> int:
        for file in pictures:
            spoil(file)
        return 1

    monkeypatch.setattr(loop, "workers_for", one_process)
    code = main(
        ["train", f"--data={data}", f"--start={start}", f"--out={tmp_path / 'out'}",
         f"--run-folder={tmp_path / 'run'}", "--mode=full", f"--set={SETTINGS}"]
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 1
    assert "Traceback" not in said.err
    message = json.loads(said.out.splitlines()[-1])["message"]
    assert said.err.splitlines()[-1] == f"error: {message}"
    assert why in message
    assert any(str(file) in message for file in pictures)
    assert message.endswith("Put the right file back, or import the data set again.")


def test_a_wrong_command_line_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["teach"], ["train"], ["train", "--data=x", "--mode=half"], ["import", "a"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_several_processes_train_as_one(tmp_path: Path) -> None:
    """`accelerate launch` needs nothing else; both processes end with the same weights."""
    data, start = small_run.dataset(tmp_path), small_run.start(tmp_path)
    words = [
        sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=2",
        "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "-m", "model.training",
        "train", f"--data={data}", f"--start={start}", f"--out={tmp_path / 'out'}",
        f"--run-folder={tmp_path / 'run'}", "--mode=full", f"--set={SETTINGS}",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    checkpoint.load(tmp_path / "out")
    plans = [line for line in done.stdout.decode().splitlines() if '"plan"' in line]
    assert len(plans) == 1, "one of them speaks"
