"""Teaching without a page: runs, comparisons, what survives a restart, and impossible wishes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs import State
from app.settings import Settings
from app.teaching import Teaching, Wish
from model.checkpoint import ADAPTER, sign
from model.errors import InputError
from tests.app.classroom import (
    CRASHES,
    ENDS,
    GOES_ON,
    REFUSED,
    a_dataset,
    at_work,
    ended,
    furnished,
    imported,
    teaching,
    until,
)
from tests.fake_training import fake_checkpoint

# Processes are started; a busy machine may keep them waiting.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return furnished(tmp_path)


@pytest.fixture
def work(settings: Settings) -> Iterator[Teaching]:
    with at_work(settings) as made:
        yield made


def test_from_a_folder_to_a_served_checkpoint_and_back(work: Teaching) -> None:
    imported(work)
    (dataset,) = work.datasets.all()
    assert dataset.report.pictures == {"train": 2, "val": 1}
    name = work.start(Wish(dataset.name, minutes=ENDS, start="fake-tiny"))
    assert name == "cups-1"
    ended(work, name)
    run = work.current()
    assert run is not None
    assert (run.name, run.job.state, run.parent) == ("cups-1", State.DONE, "fake-tiny")
    assert run.comparison is not None
    assert run.comparison.state is State.DONE
    assert run.board.is_file()
    assert run.trail.steps[-1].step == 200
    assert [e.step for e in run.trail.evaluations] == [50, 100, 150, 200]
    work.serve(name)
    work.serving.wait()
    assert work.serving.served == name
    with pytest.raises(InputError, match="being served"):
        work.delete(name)
    work.serving.go_back()
    work.serving.wait()
    work.delete(name)
    assert work.runs.names() == []
    assert not run.folder.exists()
    assert [item.name for item in work.serving.checkpoints()] == ["fake-tiny"]


def test_a_restarted_server_finds_the_run_and_its_curves(work: Teaching) -> None:
    imported(work)
    name = work.start(Wish("cups", minutes=GOES_ON, start="fake-tiny"))
    until(work, lambda: len(work.runs.get(name).trail.evaluations) > 0)
    again = teaching(work.settings)
    run = again.current()
    assert run is not None
    assert (run.name, run.job.state) == (name, State.RUNNING)
    assert run.trail.steps[0].step == 10
    again.runs.stop(name)
    ended(again, name)
    run = again.runs.get(name)
    assert run.job.state is State.STOPPED
    assert "saved" in run.job.message
    assert run.comparison is not None
    assert run.comparison.state is State.DONE  # of what was learned until then
    assert run.board.is_file()
    again.serve(name)
    again.serving.wait()
    assert again.serving.served == name


def test_a_second_run_waits_and_a_crash_frees_its_place(work: Teaching) -> None:
    imported(work)
    first = work.start(Wish("cups", minutes=CRASHES, start="fake-tiny"))
    second = work.start(Wish("cups", minutes=REFUSED, start="fake-tiny", name="mine"))
    assert work.runs.waiting() == [first, second]
    ended(work, second)
    crash, refusal = work.runs.get(first).job, work.runs.get(second).job
    assert crash.state is State.CRASHED
    assert "out of memory" in crash.message
    assert refusal.state is State.FAILED
    assert "not a number" in work.runs.get(second).trail.message
    with pytest.raises(InputError, match="saved nothing"):
        work.serve(second)
    work.compare(first, general="")  # of the best it had saved before
    ended(work, first)
    assert work.runs.get(first).board.is_file()
    work.serve(first)
    work.serving.wait()
    assert work.serving.served == first


def test_a_run_that_goes_on_is_compared_on_the_same_earlier_data(work: Teaching) -> None:
    imported(work)
    a_dataset(work, "coco")
    wish = Wish("cups", minutes=GOES_ON, start="fake-tiny", general="coco")
    name = work.start(wish)
    until(work, lambda: len(work.runs.get(name).trail.steps) > 0)
    work.runs.stop(name)
    ended(work, name)
    work.runs.go_on(name)
    again = work.runs.get(name).comparison
    assert again is not None
    assert again.options["general"] == str(work.datasets.folder / "coco")
    work.runs.stop(name)


def test_an_adapter_that_a_stopped_run_saved_is_adopted(settings: Settings) -> None:
    work = teaching(settings)
    best = work.runs.folder("cups-1") / "best"
    best.mkdir(parents=True)
    (best / ADAPTER).write_text("{}")
    sign(best)
    work.runs.adopt("cups-1")
    (found,) = [item for item in work.serving.checkpoints() if item.name == "cups-1"]
    assert found.problem == ""


def test_what_was_packed_goes_with_its_checkpoint(work: Teaching) -> None:
    fake_checkpoint(work.settings.checkpoints / "cups-1", "cups-1")
    work.take_home("cups-1")
    until(work, lambda: not work.packing.pending())
    work.delete("cups-1")
    assert work.packing.latest() is None
    for name in ("cups-1", "../x", ""):
        with pytest.raises(InputError, match="no checkpoint"):
            work.take_home(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": "nothing"}, "no data set"),
        ({"data": "../.."}, "no data set"),
        ({"start": "nobody"}, "no checkpoint"),
        ({"start": "../fake-tiny"}, "no checkpoint"),
        ({"mode": "--config=x"}, "no mode"),
        ({"minutes": float("nan")}, "between"),
        ({"minutes": 0.0}, "between"),
        ({"minutes": 1e9}, "between"),
        ({"name": "../x"}, "is no name"),
        ({"name": "--help"}, "is no name"),
        ({"name": "fake-tiny"}, "taken"),
    ],
)
def test_impossible_wishes_are_refused(
    settings: Settings, change: dict[str, object], reason: str
) -> None:
    work = teaching(settings)
    a_dataset(work, "cups")
    wish = Wish(**{"data": "cups", "start": "fake-tiny", **change})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=reason):
        work.start(wish)
    assert work.runs.queue.all() == []


def test_refused_rows_need_a_yes_and_shifted_boxes_never_get_one(settings: Settings) -> None:
    work = teaching(settings)
    row = {"file": "a.json", "row": "row 3", "reason": "NaN"}
    a_dataset(work, "some", refused=[row], num_refused=1, needs_consent=True)
    with pytest.raises(InputError, match="1 row is not used"):
        work.start(Wish("some", start="fake-tiny"))
    name = work.start(Wish("some", start="fake-tiny", accepted=True))
    assert "--accept-refused" in work.runs.get(name).job.arguments
    a_dataset(work, "shifted", round_trip_px=2.5, usable=False)
    with pytest.raises(InputError, match=r"2\.5 px off"):
        work.start(Wish("shifted", start="fake-tiny", accepted=True))
    a_dataset(work, "nothing", pictures={"val": 3}, usable=False)
    with pytest.raises(InputError, match="no picture to learn from"):
        work.start(Wish("nothing", start="fake-tiny", accepted=True))


def test_a_run_can_begin_with_the_published_model_of_the_page(settings: Settings) -> None:
    work = teaching(replace(settings, model="florence-2-base"))
    a_dataset(work, "cups")
    adapter = settings.checkpoints / "learned"
    adapter.mkdir()
    (adapter / ADAPTER).write_text("{}")
    sign(adapter)
    assert work.beginnings() == ["fake-tiny", "florence-2-base"], "nothing on top of an adapter"
    name = work.start(Wish("cups", start="florence-2-base"))
    train, compare = work.runs.queue.all()
    assert train.options["model"] == compare.options["before"] == "florence-2-base"
    assert "start" not in train.options
    assert work.runs.get(name).parent == "florence-2-base"
    assert teaching(replace(settings, model="openai:http://h/v1#m")).beginnings() == ["fake-tiny"]
    with pytest.raises(InputError, match="no checkpoint"):
        work.start(Wish("cups", start="learned"))


def test_data_under_training_is_not_deleted_nor_is_what_a_run_began_with(
    settings: Settings,
) -> None:
    work = teaching(settings)
    a_dataset(work, "cups")
    fake_checkpoint(settings.checkpoints / "older", "older")
    name = work.start(Wish("cups", start="older"))
    with pytest.raises(InputError, match="being trained on"):
        work.delete_data("cups")
    with pytest.raises(InputError, match="is needed by a run"):
        work.delete("older")
    work.runs.stop(name)
    work.delete_data("cups")
    work.delete("older")
    assert work.datasets.all() == []
