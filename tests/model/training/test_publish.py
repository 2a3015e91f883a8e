from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from model import checkpoint
from model.errors import CheckpointError, ConfigError
from model.training import publish
from tests.model import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with a card, exported."""
    checkpoint.save(tiny.build(), tiny.vocabulary(), tmp_path / "cells")
    (tmp_path / "cells" / "README.md").write_text("# cells\n")
    (tmp_path / "cells" / "notes.txt").write_text("stays at home")
    publish.export(tmp_path / "cells", tmp_path / "out" / "cells")
    return tmp_path / "out" / "cells"


def test_an_archive_holds_a_checkpoint_that_opens_again(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):  # an older one is replaced
        archive = publish.pack(folder)
    assert archive == folder.parent / "cells.zip"
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "home")
    checkpoint.load(tmp_path / "home" / "cells")
    assert (tmp_path / "home" / "cells" / "README.md").is_file()
    assert not (tmp_path / "home" / "cells" / "notes.txt").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["cells", "cells.zip"]


def test_a_full_disk_leaves_no_half_archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(CheckpointError, match="disk full"):
        publish.pack(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["cells"]


class Hub:
    """A model hub that notes what reaches it."""

    calls: list[tuple[str, Any]]

    def __init__(self, token: str) -> None:
        Hub.calls = [("token", token)]

    def create_repo(self, repository: str, *, exist_ok: bool) -> None:
        assert exist_ok
        Hub.calls.append(("create", repository))

    def upload_folder(self, *, folder_path: Path, repo_id: str) -> str:
        Hub.calls.append(("upload", sorted(path.name for path in Path(folder_path).iterdir())))
        if "full" in repo_id:
            raise OSError("storage quota exceeded")
        return f"https://hub.example/{repo_id}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setenv(publish.TOKEN, "hf_secret")
    Hub.calls = []
    return Hub


def test_a_push_brings_all_of_the_folder_to_the_hub(folder: Path, hub: type[Hub]) -> None:
    assert publish.push(folder, "me/cells") == "https://hub.example/me/cells"
    token, created, uploaded = hub.calls
    assert token == ("token", "hf_secret")
    assert created == ("create", "me/cells")
    assert {"README.md", "config.json", "tokenizer.json"} <= set(uploaded[1])
    with pytest.raises(CheckpointError, match="me/full was not pushed: storage quota"):
        publish.push(folder, "me/full")


@pytest.mark.parametrize("name", ["cells", "../cells", "a/b/c", "me/", "https://me/cells", "-x/y"])
def test_only_an_owner_and_a_name_are_pushed_to(folder: Path, hub: type[Hub], name: str) -> None:
    with pytest.raises(ConfigError, match="is no OWNER/NAME"):
        publish.push(folder, name)
    assert hub.calls == []


def test_without_a_token_nothing_is_pushed_and_the_folder_is_ready(
    folder: Path, hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(publish.TOKEN)
    with pytest.raises(ConfigError, match=r"needs a token in HF_TOKEN; the folder .* is ready"):
        publish.push(folder, "me/cells")
    assert hub.calls == []
    checkpoint.verify(folder)


def test_a_checkpoint_that_is_not_whole_is_not_exported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        publish.export(tmp_path / "cells", folder)
    (tmp_path / "cells" / "README.md").unlink()
    with pytest.raises(CheckpointError, match=r"no README\.md"):
        publish.export(tmp_path / "cells", tmp_path / "other")
    weights = next((tmp_path / "cells").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError):
        publish.export(tmp_path / "cells", tmp_path / "other")
    assert not (tmp_path / "other").exists()
