"""Teaching by clicking: from an archive to a served checkpoint, and back."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import Visits, served
from tests.browser.visitor import PATIENCE, Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page of its own: what is taught here changes the model."""
    with served(tmp_path_factory.mktemp("teach")) as address:
        yield address


def archive(path: Path, count: int = 4) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for number in range(count):
            picture = Image.new("RGB", (320 + number, 240), (60, 120, 160))
            ImageDraw.Draw(picture).ellipse((60, 50, 220, 190), fill=(200, 80, 40))
            with file.open(f"{number}.jpg", "w") as target:
                picture.save(target, "JPEG")
    return path


def teaching(visit: Visits, **how: int) -> Visitor:
    me = visit(**how)
    open_tab(me)
    return me


def open_tab(me: Visitor) -> None:
    me.page.click("button[role=tab]:has-text('Teach')")
    me.see("#serving .note")


def start(me: Visitor, minutes: int) -> None:
    field = me.page.locator("#minutes input[type=number]")
    field.fill(str(minutes))
    field.press("Tab")
    me.page.click("#start")


def test_from_an_archive_to_a_served_checkpoint_and_back(visit: Visits, tmp_path: Path) -> None:
    me = teaching(visit)
    me.page.set_input_files("input[accept='.zip']", archive(tmp_path / "cups-refused.zip"))
    me.see("#report .refused")
    assert "<b>cup</b>" in me.text("#report table")  # hostile, and inert
    me.await_count("#sheet .album img", 4)
    start(me, 1)
    assert "1 row is not used" in me.see("#train-said .trouble").inner_text()
    me.page.check("#consent input")
    me.page.click("#start")
    me.see("#run .state.done")
    me.see("#loss canvas, #loss svg")
    me.see("#board table")
    me.await_count("#samples .album img", 8)
    me.await_count("#board-pictures .album img", 12)
    assert "worse" in me.text("#board-pictures figcaption")
    me.page.locator("#board-pictures button").first.click()
    me.see("dialog[open] img")
    me.page.keyboard.press("Escape")
    me.gone("dialog[open]")
    name = me.text("#run b")
    me.page.click("#serve")
    me.see("#serving .note", f"{name} answers now")
    me = visit()  # as after a reload, without cutting off what is on its way
    me.see(".brand .model", name)
    open_tab(me)
    me.see("#checkpoints tr", "answers now")
    me.page.click("#back")
    me.see("#serving .note", "fake-tiny answers now")


def test_a_run_goes_on_over_a_reload_and_is_stopped(visit: Visits, tmp_path: Path) -> None:
    me = teaching(visit, width=390)
    me.page.set_input_files("input[accept='.zip']", archive(tmp_path / "mugs.zip", 5))
    me.see("#report", "5 pictures")
    start(me, 2)
    me.see("#run .state.running")
    me = teaching(visit, width=390)
    me.see("#run .state.running")
    me.see("#samples .album img")
    assert me.evaluate("document.documentElement.scrollWidth") == 390
    me.page.click("#stop")
    me.see("#run .state.stopped")
    me.see("#run", "saved")
    me.see("#serve", "Serve mugs-1")


def test_a_checkpoint_is_taken_home_as_one_file(visit: Visits, tmp_path: Path) -> None:
    me = teaching(visit)
    me.page.click("#pack")
    me.see("#packing", "is packed")
    with me.page.expect_download(timeout=PATIENCE) as download:
        me.page.locator("#packed a").first.click()
    file = tmp_path / "home.zip"
    download.value.save_as(file)
    names = zipfile.ZipFile(file).namelist()
    assert {Path(name).name for name in names} >= {"config.json", "model.safetensors"}
    me.page.click("#push-fold button")
    me.see("#push-none", "HF_TOKEN")
