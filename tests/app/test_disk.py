from __future__ import annotations

import errno
from pathlib import Path

import pytest

from app import disk


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"before\n")
    return tmp_path / "file"


def alone(file: Path) -> bool:
    """Returns whether a file has its folder to itself: nothing half written lies beside it."""
    return list(file.parent.iterdir()) == [file]


def test_a_file_is_replaced_whole(file: Path) -> None:
    disk.write(file, b"after")
    assert file.read_bytes() == b"after"
    assert alone(file)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("change", [disk.write, disk.append])
def test_what_does_not_fit_leaves_what_was_there(change: object, file: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        change(file, b"after\n")  # type: ignore[operator]
    assert file.read_bytes() == b"before\n"
    assert alone(file)


def test_a_folder_that_is_gone_stays_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.write(tmp_path / "gone" / "file", b"after")
    assert not (tmp_path / "gone").exists()


def test_lines_are_added(file: Path) -> None:
    disk.append(file, b"after\n")
    assert file.read_bytes() == b"before\nafter\n"
    disk.append(file.with_name("new"), b"first\n")
    assert file.with_name("new").read_bytes() == b"first\n"


def test_a_torn_line_stays_a_line_of_its_own(file: Path) -> None:
    file.write_bytes(b"before\nto")
    disk.append(file, b"after\n")
    assert file.read_bytes() == b"before\nto\nafter\n"
