"""What can be taught: imports, corrections, earlier data, and what is refused of them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app.corrections import Corrections
from app.datasets import CORRECTIONS, RECORDS, Datasets
from app.intake import read
from app.jobs import State
from app.samples import read_samples
from app.settings import Settings
from app.teaching import Teaching, Wish
from model.errors import ConfigError, InputError
from model.records import read_records
from model.types import Answer, Turn
from tests.app.classroom import a_dataset, at_work, furnished, teaching, until

# Processes are started; a busy machine may keep them waiting.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return furnished(tmp_path)


@pytest.fixture
def work(settings: Settings) -> Iterator[Teaching]:
    with at_work(settings) as made:
        yield made


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
