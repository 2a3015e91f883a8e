from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from model.errors import RecordError
from model.training.importers.source import Limits, Source, split_of
from tests.model.training.importers.small_sets import write_picture

NEAR = PurePosixPath("annotations/instances_val2017.json")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for name in ("train2017/1.png", "val2017/1.png", "val2017/deep/2.png", "0007.png"):
        write_picture(tmp_path / "set" / name)
    write_picture(tmp_path / "set" / "COCO_val2014_000000000042.png")
    (tmp_path / "set" / "a.json").write_text("{}")
    return Source(tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0007.png", "0007.png"),
        ("deep/2.png", "val2017/deep/2.png"),
        ("deep\\2.png", "val2017/deep/2.png"),
        ("elsewhere/2.png", "val2017/deep/2.png"),
        ("train2017/1.png", "train2017/1.png"),
        ("1.png", "val2017/1.png"),  # its folder is named in the annotation file's name
    ],
)
def test_a_name_is_looked_up_among_the_files(source: Source, name: str, found: str) -> None:
    assert str(source.picture(name, NEAR)) == found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../set/0007.png", "not a path inside"),
        ("a/../../0007.png", "not a path inside"),
        ("/etc/passwd", "not a path inside"),
        ("C:\\0007.png", "not a path inside"),
        ("http://example.org/0007.png", "not a path inside"),
        ("file:///0007.png", "not a path inside"),
        ("0007.png\0.jpg", "no name"),
        ("", "no name"),
        (7, "no name"),
        (None, "no name"),
        (["0007.png"], "no name"),
        ("x" * 600, "no name"),
        ("--opt", "not among"),
        ("a.json", "not among"),
        ("0007.PNG", "not among"),
    ],
)
def test_no_other_name_leads_anywhere(source: Source, name: object, reason: str) -> None:
    with pytest.raises(RecordError, match=reason):
        source.picture(name, NEAR)


def test_a_name_that_could_mean_two_pictures_is_refused(source: Source) -> None:
    with pytest.raises(RecordError, match=r"2 pictures are called '1\.png'"):
        source.picture("1.png", PurePosixPath("captions.json"))


@pytest.mark.parametrize(
    ("number", "found"), [(7, "0007.png"), ("42", "COCO_val2014_000000000042.png")]
)
def test_an_id_finds_its_picture_with_or_without_zeros(
    source: Source, number: object, found: str
) -> None:
    assert str(source.picture_by_id(number, NEAR)) == found


@pytest.mark.parametrize("number", [8, None, True, [7], {}])
def test_another_id_finds_none(source: Source, number: object) -> None:
    with pytest.raises(RecordError):
        source.picture_by_id(number, NEAR)


def test_links_that_lead_out_are_ignored(tmp_path: Path) -> None:
    write_picture(tmp_path / "secret.png")
    write_picture(tmp_path / "set" / "1.png")
    (tmp_path / "set" / "out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "set" / "in.png").symlink_to(tmp_path / "set" / "1.png")
    (tmp_path / "set" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "set" / "pipe.json")
    source = Source(tmp_path / "set")
    assert [str(picture) for picture in source.pictures] == ["1.png", "in.png"]
    assert source.skipped == 2


def test_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": "bcd"}')
    with pytest.raises(RecordError, match="more than 0 files"):
        Source(tmp_path, Limits(files=0))
    source = Source(tmp_path, Limits(annotation_bytes=5))
    with pytest.raises(RecordError, match="at most"):
        source.json(PurePosixPath("a.json"))
    assert [*source.jsons()] == []


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"{", b"[" * 100_000, b'{"a": 1' + b"0" * 9999 + b"}"]
)
def test_a_file_that_is_no_json_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"no JSON|not UTF-8"):
        Source(tmp_path).json(PurePosixPath("a.json"))


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_val2017.json", "val"),
        ("train.json", "train"),
        ("valid/_annotations.coco.json", "val"),
        ("test-dev/x.json", "test"),
        ("training_data.json", "train"),
        ("trainval.json", ""),
        ("latest/contest.json", ""),
    ],
)
def test_the_split_is_a_word_of_the_path(path: str, split: str) -> None:
    assert split_of(PurePosixPath(path)) == split
