"""Packing checkpoints with a stand-in for `export`, and pushing them with a stand-in for a hub."""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path

import pytest

from app.jobs import Job, State
from app.packing import Packing
from app.settings import Settings
from model.errors import InputError
from tests.fake_training import __file__ as fake_training
from tests.fake_training import fake_checkpoint


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.process.NICENESS", 0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    fake_checkpoint(tmp_path / "checkpoints" / "cups-1", "cups-1")
    return tmp_path / "checkpoints" / "cups-1"


@pytest.fixture
def packing(tmp_path: Path) -> Packing:
    return Packing(Settings(teaching=tmp_path / "teaching"), (sys.executable, fake_training))


def packed(packing: Packing) -> Job:
    """Waits until what was asked for last has ended; returns how it went."""
    deadline = time.monotonic() + 200
    while packing.pending():
        assert time.monotonic() < deadline, packing.queue.all()
        packing.queue.refresh()
        time.sleep(0.02)
    job = packing.latest()
    assert job is not None
    return job


def test_a_checkpoint_becomes_one_file_that_is_made_anew_each_time(
    packing: Packing, checkpoint: Path
) -> None:
    packing.start(checkpoint)
    job = packing.latest()
    assert job is not None
    assert packing.archive(job) is None
    with pytest.raises(InputError, match="being packed already"):
        packing.start(checkpoint)
    archive = packing.archive(packed(packing))
    assert archive is not None
    assert "cups-1/config.json" in zipfile.ZipFile(archive).namelist()
    (checkpoint / "config.json").write_text("another")
    packing.start(checkpoint)
    assert packing.archive(packed(packing)) == archive
    assert zipfile.ZipFile(archive).read("cups-1/config.json") == b"another"
    assert len(packing.queue.all()) == 1
    packing.forget("cups-1")
    assert not archive.exists()
    assert packing.latest() is None


def test_pushing_needs_a_token_that_is_never_an_argument(
    packing: Packing, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(InputError, match="HF_TOKEN"):
        packing.start(checkpoint, "me/mine")
    assert packing.latest() is None
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    packing.start(checkpoint, "me/mine")
    job = packed(packing)
    assert "hf_secret" not in str(job.arguments)
    assert packing.report(job).notes == ["Pushed to https://hub.example/me/mine."]


def test_a_failed_push_leaves_the_file(
    packing: Packing, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    packing.start(checkpoint, "mine")
    job = packed(packing)
    assert job.state is State.FAILED
    assert "is no OWNER/NAME" in packing.report(job).message
    assert packing.archive(job) is not None
