from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from model.errors import RecordError
from model.training.archive import ArchiveLimits, unpack

Entries = list[tuple[str | zipfile.ZipInfo, bytes]]


def _pack(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


def _info(name: str, mode: int = 0, **fields: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def _nested() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


def test_plain_files_and_folders_are_written(tmp_path: Path) -> None:
    archive = _pack(
        tmp_path / "a.zip",
        ("set/", b""),
        ("set/images/1.png", b"one"),
        ("set/été.txt", b"two"),
        ("__MACOSX/set/._1.png", b"junk"),
        ("set/.DS_Store", b"junk"),
        (_info("set/big.bin", stat.S_IFREG | 0o4777), b"\0" * 200_000),
    )
    assert unpack(archive, tmp_path / "out") == 3
    files = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*")}
    assert {name for name, path in files.items() if path.is_file()} == {
        "set/images/1.png", "set/été.txt", "set/big.bin"
    }  # fmt: skip
    assert files["set/images/1.png"].read_bytes() == b"one"
    assert files["set/big.bin"].stat().st_mode & 0o7111 == 0


HOSTILE: dict[str, tuple[Entries, str]] = {
    "slip": ([("../a.txt", b"")], "leaves its folder"),
    "slip inside": ([("a/../../b.txt", b"")], "leaves its folder"),
    "dot": ([("./a.txt", b"")], "leaves its folder"),
    "empty part": ([("a//b.txt", b"")], "leaves its folder"),
    "absolute": ([("/etc/cron.d/a", b"")], "absolute path"),
    "drive": ([("C:/a.txt", b"")], "drive"),
    "stream": ([("a.txt:hidden", b"")], "colon"),
    "backslash": ([(_info("..\\a.txt"), b"")], "backslash"),
    "control": ([(_info("a\nb.txt"), b"")], "control character"),
    "right to left": ([("a\u202egnp.exe", b"")], "control character"),
    "link": ([(_info("a", stat.S_IFLNK | 0o777), b"/etc/passwd")], "symbolic link"),
    "pipe": ([(_info("a", stat.S_IFIFO | 0o666), b"")], "no regular file"),
    "device": ([(_info("a", stat.S_IFCHR | 0o666), b"")], "no regular file"),
    "case": ([("a.txt", b""), ("A.TXT", b"")], "only in case"),
    "case of a folder": ([("set/a.txt", b""), ("Set/b.txt", b"")], "only in case"),
    "accents": ([("\u00e9.txt", b""), ("e\u0301.txt", b"")], "only in case or accents"),
    "file and folder": ([("a", b""), ("a/b.txt", b"")], "both a file and a folder"),
    "folder and file": ([("a/b.txt", b""), ("a", b"")], "both a file and a folder"),
    "twice": ([(_info("a.txt"), b"1"), (_info("a.txt"), b"2")], "comes twice"),
    "nested by name": ([("a.zip", b"")], "archive within the archive"),
    "nested by content": ([("a.png", _nested())], "archive within the archive"),
    "nested gzip": ([("a.png", b"\x1f\x8b\x08")], "archive within the archive"),
    "reserved": ([("con.txt", b"")], "cannot store"),
    "trailing dot": ([("a.txt.", b"")], "cannot store"),
    "long": ([("x" * 300, b"")], "too long"),
    "deep": ([("a/" * 20 + "b", b"")], "too deep"),
    "method": ([(_info("a", compress_type=zipfile.ZIP_BZIP2), b"x" * 100)], "unusual method"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_entry_refuses_the_whole_archive(kind: str, tmp_path: Path) -> None:
    entries, reason = HOSTILE[kind]
    archive = _pack(tmp_path / "a.zip", ("good.txt", b"good"), *entries)
    with pytest.raises(RecordError, match=reason):
        unpack(archive, tmp_path / "deep" / "out")
    outside = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert outside <= {"a.zip", "good.txt"}


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", ("a.txt", b"secret"))
    content = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    archive.write_bytes(content)
    with pytest.raises(RecordError, match="encrypted"):
        unpack(archive, tmp_path / "out")


LIMITS = ArchiveLimits(entries=5, bytes=1_000_000, ratio=50, free_bytes=10_000)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([(f"{i}.txt", b"") for i in range(6)], "6 entries; at most 5"),
        ([("a.bin", bytes(900_000))], "like a bomb"),
        ([(f"{i}.bin", bytes(300_000)) for i in range(5)], "like a bomb"),
        ([("a.bin", Random(0).randbytes(1_000_001))], "over 0 MiB unpacked"),
    ],
)
def test_bombs_are_counted_while_they_unfold(entries: Entries, reason: str, tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", *entries)
    with pytest.raises(RecordError, match=reason):
        unpack(archive, tmp_path / "out", LIMITS)
    written = sum(path.stat().st_size for path in tmp_path.rglob("out/*"))
    assert written <= LIMITS.bytes


def test_text_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", ("labels.txt", b"0 0.5 0.5 0.2 0.2\n" * 400))
    assert unpack(archive, tmp_path / "out", LIMITS) == 1


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", ("a.bin", bytes(900_000)))
    content = archive.read_bytes().replace(struct.pack("<I", 900_000), struct.pack("<I", 10))
    archive.write_bytes(content)
    with pytest.raises(RecordError):
        unpack(archive, tmp_path / "out", LIMITS)
    assert sum(path.stat().st_size for path in tmp_path.rglob("out/*")) <= LIMITS.bytes


def test_entries_that_share_their_bytes_are_counted_each(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", ("0.bin", bytes(400_000)))
    packed = archive.read_bytes()
    start, end = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    directory = packed[start:end]
    copies = b"".join(directory.replace(b"0.bin", b"%d.bin" % i) for i in range(5))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 5, 5, len(copies), start, 0)
    archive.write_bytes(packed[:start] + copies + tail)
    with pytest.raises(RecordError):
        unpack(archive, tmp_path / "out", LIMITS)


@pytest.mark.parametrize("content", [b"", b"no zip", zlib.compress(b"x"), b"PK\x03\x04"])
def test_what_is_no_archive_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(RecordError, match="no sound ZIP"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def _flip(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("spoil", [_flip, _cut])
def test_a_spoiled_archive_is_unpacked_inside_or_refused(
    spoil: Callable[[bytearray, Random], None], tmp_path: Path
) -> None:
    entries: Entries = [(f"set/{i}.txt", b"%d " % i * 50) for i in range(4)]
    whole = _pack(tmp_path / "whole.zip", *entries).read_bytes()
    for seed in range(150):
        content, random = bytearray(whole), Random(seed)
        spoil(content, random)
        (tmp_path / "a.zip").write_bytes(content)
        out = tmp_path / f"{seed}" / "out"
        try:
            unpack(tmp_path / "a.zip", out, LIMITS)
        except RecordError:
            continue
        assert {path.name for path in out.parent.iterdir()} <= {"out"}
