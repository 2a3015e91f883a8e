"""Teaching the published model behind the page, with the real command: taught, compared, served."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from app.host import Host
from app.jobs import State
from app.runs import read_json
from app.serving import Serving, Told, reopen
from app.settings import Settings
from app.teaching import Teaching, Wish
from model.backends import Backend, open_backend
from model.types import Capability
from tests.model.backends.tiny import build
from tests.model.training import small_run

SECONDS = 1200


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_the_model_of_the_page_is_taught_compared_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.process.NICENESS", 0)  # there is no page that it could slow down
    model = build("florence2", tmp_path / "florence")
    settings = Settings(
        model=str(model),
        device="cpu",
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
        dataset_roots=(str(tmp_path),),
    )
    small_run.coco_squares(tmp_path / "squares", 5)

    def opened(name: str, tell: Told) -> Backend:
        return open_backend(name, "cpu", progress=tell)

    host = Host(lambda: reopen(settings, opened), "florence", SECONDS)
    host.start()
    host.wait(threading.Event())
    work = Teaching(settings, Serving(host, settings, opened))
    assert work.import_folder(str(tmp_path / "squares")) == "squares"
    _until(work, lambda: not work.pending())
    assert work.beginnings() == [str(model)]
    name = work.start(Wish("squares", start=str(model), minutes=0.5))
    _until(work, lambda: not work.runs.get(name).alive)
    run = work.runs.get(name)
    assert run.job.state is State.DONE, run.job.message
    assert run.parent == "florence"
    assert run.trail.plan["settings"]["mode"] == "lora"
    assert run.trail.steps
    assert run.comparison is not None
    assert run.comparison.state is State.DONE, run.comparison.message
    board = read_json(run.board)
    assert (board["before"], board["after"]) == ("florence", name)
    assert {row["name"] for row in board["measures"]} == {"AP", "AP50", "naming"}
    work.serve(name)
    work.serving.wait()
    assert work.serving.error == ""
    assert host.card is not None
    assert (host.card.name, host.card.family) == (name, "florence-2")
    assert Capability.DETECT in host.card.capabilities
    for queue in (work.imports, work.runs.queue):
        for child in queue._children.values():
            child.wait(60)


def _until(work: Teaching, fits: object) -> None:
    deadline = time.monotonic() + SECONDS
    while not fits():  # type: ignore[operator]
        assert time.monotonic() < deadline, work.runs.queue.all()
        work.imports.refresh()
        work.runs.queue.refresh()
        time.sleep(0.2)
