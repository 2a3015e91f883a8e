"""The whole click path with the real model and the real training, on things it never saw."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Visits, served
from tests.browser.test_teach import open_tab, start

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.shared]
ROOT = Path(__file__).parents[2]
LONG = 1_500_000
"""Milliseconds a real training with its comparison may take on a busy machine."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with the shipped checkpoint, in a folder of its own."""
    folder = tmp_path_factory.mktemp("teaching")
    with served(folder, str(own_checkpoint(folder))) as address:
        yield address


def own_checkpoint(folder: Path) -> Path:
    """Copies the shipped checkpoint into the folder of a page; returns where it lies."""
    own = folder / "checkpoints" / "deixis-tiny"
    shutil.copytree(ROOT / "checkpoints" / "deixis-tiny", own)
    return own


def cells(shared: Path, path: Path, count: int = 24) -> Path:
    """Packs some pictures of blood cells, a kind of thing the checkpoint has never seen."""
    with zipfile.ZipFile(path, "w") as file:
        for split, most in (("train", count), ("val", count // 3)):
            whole = json.loads((shared / "data" / "bccd" / f"{split}.json").read_text())
            images = whole["images"][:most]
            ids = {image["id"] for image in images}
            rows = [row for row in whole["annotations"] if row["image_id"] in ids]
            part = {**whole, "images": images, "annotations": rows}
            file.writestr(f"{split}.json", json.dumps(part))
            for image in images:
                name = image["file_name"]
                file.write(shared / "data" / "bccd" / split / Path(name).name, f"{split}/{name}")
    return path


@pytest.mark.timeout(3600)
def test_the_shipped_checkpoint_is_taught_blood_cells(
    visit: Visits, shared: Path, tmp_path: Path
) -> None:
    me = visit()
    open_tab(me)
    me.page.set_input_files("input[accept='.zip']", cells(shared, tmp_path / "cells.zip"))
    me.page.locator("#report table").first.wait_for(timeout=LONG)
    assert "red blood cell" in me.text("#report table")
    start(me, 1)
    me.page.locator("#board table").first.wait_for(timeout=LONG)
    assert "AP50" in me.text("#board table")
    assert me.count("#board-pictures img") > 0
    me.page.click("#serve")
    me.see("#serving .note", "cells-1 answers now")
    me.page.click("#back")
    me.see("#serving .note", "deixis-tiny answers now")
