"""Teaching without a page: imports, runs, comparisons and what survives a restart."""

from __future__ import annotations

import json
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app.corrections import Corrections
from app.datasets import CORRECTIONS, RECORDS, Datasets
from app.host import Host
from app.intake import read
from app.jobs import State
from app.jobs.process import find
from app.samples import read_samples
from app.serving import Serving, reopen
from app.settings import Settings
from app.teaching import Teaching, Wish
from model.checkpoint import ADAPTER, sign
from model.errors import ConfigError, InputError
from model.records import read_records
from model.types import Answer, Turn
from tests.fake_training import __file__ as fake_training
from tests.fake_training import fake_checkpoint
from tests.fakes import FakeBackend

ENDS, GOES_ON, CRASHES, REFUSED = 1.0, 2.0, 3.0, 4.0
"""Minutes, by what the stand-in for training then does."""


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in costs nothing, so it need not wait for whatever else this machine does."""
    monkeypatch.setattr("app.jobs.process.NICENESS", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    fake_checkpoint(tmp_path / "checkpoints" / "fake-tiny", "fake-tiny")
    pictures = tmp_path / "allowed" / "cups"
    pictures.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40 + number, 30), (200, 90, 60)).save(pictures / f"{number}.jpg")
    return Settings(
        model=str(tmp_path / "checkpoints" / "fake-tiny"),
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
        corrections=tmp_path / "corrections",
        dataset_roots=(str(tmp_path / "allowed"),),
    )


def teaching(settings: Settings) -> Teaching:
    """Returns the page's teaching as a server that has just started has it."""

    def opened(name: str, tell: object) -> FakeBackend:
        return FakeBackend(name=Path(name).name)

    host = Host(lambda: reopen(settings, opened), "fake", 60)
    host.start()
    host.wait(threading.Event())
    return Teaching(settings, Serving(host, settings, opened), (sys.executable, fake_training))


@pytest.fixture
def work(settings: Settings) -> Iterator[Teaching]:
    made = teaching(settings)
    yield made
    for job in made.runs.queue.all():
        process = find(job) if not job.finished and job.pid else None
        if process is not None:
            process.kill()
    for child in made.runs.queue._children.values():
        child.wait(60)


def until(work: Teaching, fits: Callable[[], bool]) -> None:
    """Keeps both queues moving until something holds."""
    deadline = time.monotonic() + 200
    while not fits():
        assert time.monotonic() < deadline, (work.imports.all(), work.runs.queue.all())
        work.imports.refresh()
        work.runs.queue.refresh()
        time.sleep(0.02)


def imported(work: Teaching) -> None:
    assert work.import_folder(f"{work.settings.dataset_roots[0]}/cups") == "cups"
    until(work, lambda: not work.pending())


def ended(work: Teaching, name: str) -> None:
    until(work, lambda: not work.runs.get(name).alive)


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


def test_an_adapter_that_a_stopped_run_saved_is_adopted(settings: Settings) -> None:
    work = teaching(settings)
    best = work.runs.folder("cups-1") / "best"
    best.mkdir(parents=True)
    (best / ADAPTER).write_text("{}")
    sign(best)
    work.runs.adopt("cups-1")
    (found,) = [item for item in work.serving.checkpoints() if item.name == "cups-1"]
    assert found.problem == ""


def a_dataset(work: Teaching, name: str, **report: object) -> None:
    """Puts a data set in place as an import leaves it."""
    folder = work.datasets.folder / name
    folder.mkdir(parents=True)
    whole = {
        "name": name, "format": "coco", "pictures": {"train": 2, "val": 1}, "counts": {"boxes": 3},
        "classes": [], "num_classes": 0, "duplicates": 0, "left_out": 0, "refused": [],
        "num_refused": 0, "num_lost": 0, "notes": [], "round_trip_px": 0.1,
        "needs_consent": False, "usable": True, **report,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(whole))


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


# --- earlier data --------------------------------------------------------------------------------


def test_earlier_data_is_the_settings_records_or_what_was_imported(settings: Settings) -> None:
    work = teaching(replace(settings, general=Path(__file__), replay=settings.teaching / "none"))
    a_dataset(work, "cups")
    a_dataset(work, "coco")
    a_dataset(work, "shifted", usable=False)
    assert work.datasets.earlier(work.settings.general, "cups") == [RECORDS, "coco"]
    assert work.datasets.earlier(work.settings.replay, "cups") == ["coco"]
    work.start(Wish("cups", start="fake-tiny", replay="coco", general=RECORDS))
    train, compare = work.runs.queue.all()
    assert train.options["replay"] == str(work.datasets.folder / "coco")
    assert compare.options["general"] == __file__
    plain = work.runs.get(work.start(Wish("cups", start="fake-tiny")))
    assert plain.comparison is not None
    assert "replay" not in plain.job.options
    assert "general" not in plain.comparison.options
    for chosen, reason in (("cups", "taught itself"), ("../x", "no data set"), (RECORDS, "not th")):
        with pytest.raises(InputError, match=reason):
            work.start(Wish("cups", start="fake-tiny", replay=chosen))
    assert len(work.runs.queue.all()) == 4


def test_the_sample_pictures_are_records_of_general_skill() -> None:
    records = list(read_records(Path(__file__).parents[2] / Settings().general))
    assert len(records) == len(read_samples())
    for record in records:
        assert record.exhaustive
        assert record.read_picture().size == (record.size.width, record.size.height)


def test_the_pictures_against_forgetting_may_be_shipped_and_are_no_samples() -> None:
    assets = Path(__file__).parents[2]
    records = list(read_records(assets / Settings().replay))
    assert len(records) >= 90
    assert len({thing.label for record in records for thing in record.objects}) > 70
    assert all(record.exhaustive and record.redistributable for record in records)
    shown = {record.id for record in read_records(assets / Settings().general)}
    assert not shown & {record.id for record in records}
    first, last = records[0], records[-1]
    assert all(r.read_picture().size == (r.size.width, r.size.height) for r in (first, last))


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


# --- take home -----------------------------------------------------------------------------------


def test_what_was_packed_goes_with_its_checkpoint(work: Teaching) -> None:
    fake_checkpoint(work.settings.checkpoints / "cups-1", "cups-1")
    work.take_home("cups-1")

    def packed() -> bool:
        work.packing.queue.refresh()
        return not work.packing.pending()

    until(work, packed)
    work.delete("cups-1")
    assert work.packing.latest() is None
    for name in ("cups-1", "../x", ""):
        with pytest.raises(InputError, match="no checkpoint"):
            work.take_home(name)


# --- what may be imported ------------------------------------------------------------------------


def test_corrections_are_a_data_set_at_once_and_never_an_old_one(
    work: Teaching, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Nothing has been corrected"):
        work.import_corrections()
    path = tmp_path / "picture.png"
    Image.new("RGB", (60, 40)).save(path)
    shelf = Corrections(work.settings)
    picture = read(path, work.settings)
    shelf.save(picture, (Turn("What is it?", Answer("a cup")),))
    first = work.import_corrections()
    assert first.startswith(CORRECTIONS)
    assert work.import_corrections() == first
    assert len(work.imports.all()) == 1
    until(work, lambda: not work.pending())
    assert work.datasets.get(first).report.usable
    shelf.save(picture, (Turn("What is it?", Answer("a mug")),))
    second = work.import_corrections()
    assert second != first
    assert work.datasets.num_corrections() == 2
    assert [dataset.name for dataset in work.datasets.all()] == []


def test_an_archive_is_taken_over_and_anything_else_refused(work: Teaching, tmp_path: Path) -> None:
    archive = tmp_path / "My Cups (2).zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(Path(work.settings.dataset_roots[0]) / "cups" / "0.jpg", "0.jpg")
    assert work.import_file(archive) == "my-cups-2"
    assert not archive.exists()
    until(work, lambda: not work.pending())
    assert [dataset.name for dataset in work.datasets.all()] == ["my-cups-2"]
    fake = tmp_path / "cups.zip"
    fake.write_bytes(b"GIF89a")
    with pytest.raises(InputError, match="no ZIP"):
        work.import_file(fake)


def test_an_import_that_fails_says_why_and_can_be_forgotten(work: Teaching) -> None:
    (Path(work.settings.dataset_roots[0]) / "empty").mkdir()
    name = work.import_folder(str(Path(work.settings.dataset_roots[0]) / "empty"))
    until(work, lambda: not work.pending())
    job = work.importing(name)
    assert job is not None
    assert job.state is State.FAILED
    assert "No known format" in work.imported(job).message
    work.delete_data(name)
    assert work.importing(name) is None


@pytest.mark.parametrize(
    "text", ["", " ", "/etc", "/etc/passwd", "{root}/..", "{root}/../checkpoints", "~", "a\0b"]
)
def test_only_allowed_folders_are_read(settings: Settings, text: str) -> None:
    root = settings.dataset_roots[0]
    with pytest.raises(InputError, match="Only data in these folders"):
        Datasets(settings).on_server(text.format(root=root))


def test_a_link_that_leads_out_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    root = Path(settings.dataset_roots[0])
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(InputError, match="Only data"):
        Datasets(settings).on_server(str(root / "out"))
    with pytest.raises(InputError, match="is not there"):
        Datasets(settings).on_server(str(root / "missing"))
    assert Datasets(settings).on_server(str(root / "cups")) == root / "cups"


def test_hostile_names_become_plain_ones_that_nobody_has(settings: Settings) -> None:
    data = Datasets(settings)
    assert data.new_folder("../../Ünder <b>").name == "nder-b"
    assert data.new_folder("...").name == "data"
    (data.folder / "cups").mkdir(parents=True)
    assert data.new_folder("Cups", {"cups-2"}).name == "cups-3"


def test_a_full_queue_is_refused(settings: Settings) -> None:
    work = teaching(settings)
    for _ in range(20):
        work.import_folder(settings.dataset_roots[0] + "/cups")
    with pytest.raises(ConfigError, match="20 runs are waiting"):
        work.import_folder(settings.dataset_roots[0] + "/cups")
