"""Spoils data sets of every format at random places: no import ever ends in a stray exception."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from model.errors import ConfigError, RecordError
from model.records import read_records
from model.training.importers import import_dataset
from tests.model.training.importers.small_sets import WRITERS

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", "x" * 3000, "../../x"),
    *("\ud800", "\0", "<script>", [], {}, [[]], [None] * 5, {"a": 1}, "\u0661", "NaN", -0.0),
    [[1, 2]],
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of every value inside a JSON value."""
    yield path
    if isinstance(value, dict | list):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in children:
            yield from _places(child, (*path, key))


def _spoiled(value: Any, random: Random) -> Any:
    """Returns the value with one place replaced, removed or doubled."""
    path = random.choice([*_places(value)])
    if not path:
        return random.choice(HOSTILE)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    how = random.choice(("replace", "replace", "remove", "double"))
    if how == "remove":
        del holder[path[-1]]
    elif how == "double" and isinstance(holder, list):
        holder.append(holder[path[-1]])
    else:
        holder[path[-1]] = random.choice(HOSTILE)
    return value


def _spoil_json(text: str, random: Random, *, lines: bool) -> str:
    if not lines:
        return json.dumps(_spoiled(json.loads(text), random))
    rows = text.splitlines()
    number = random.randrange(len(rows))
    rows[number] = json.dumps(_spoiled(json.loads(rows[number]), random))
    return "\n".join(rows)


def _spoil_text(content: bytes, random: Random) -> bytes:
    """Returns bytes with a piece cut out, doubled or replaced."""
    start = random.randrange(len(content) + 1)
    end = min(len(content), start + random.choice((1, 2, 10, 1000)))
    piece = random.choice(
        (b"", content[start:end] * 2, b"\xff", b"\0", b"-", b"999999999", b"nan", b"<", b"[", b"\n")
    )
    return content[:start] + piece + content[end:]


def _spoil(folder: Path, random: Random) -> None:
    """Spoils one file of a data set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    texts = [path for path in files if path.suffix != ".png"]
    path = random.choice(texts if random.random() < 0.85 else files)
    if path.suffix in {".json", ".jsonl"} and random.random() < 0.8:
        try:
            text = path.read_text(encoding="utf-8")
            path.write_text(_spoil_json(text, random, lines=path.suffix == ".jsonl"))
            return
        except ValueError:  # spoiled before, and no JSON any more
            pass
    path.write_bytes(_spoil_text(path.read_bytes(), random))


def _storm(name: str, tmp_path: Path, seeds: range) -> int:
    """Imports spoiled copies of a data set and returns how many could be used."""
    whole = WRITERS[name](tmp_path / "whole")
    usable = 0
    for seed in seeds:
        random = Random(seed)
        folder, out = tmp_path / "spoiled", tmp_path / "out"
        shutil.copytree(whole, folder)
        for _ in range(random.choice((1, 1, 2))):
            _spoil(folder, random)
        try:
            report = import_dataset(folder, out, format=random.choice(("auto", name)))
        except (RecordError, ConfigError):
            assert not out.exists()
        else:
            usable += report.usable
            for split in report.pictures:
                for record in read_records(out / f"{split}.jsonl"):
                    record.read_picture()
            shutil.rmtree(out)
        shutil.rmtree(folder)
        assert {path.name for path in tmp_path.iterdir()} <= {"whole", "whole-before"}
    return usable


@pytest.mark.parametrize("name", WRITERS)
def test_a_spoiled_data_set_is_read_or_refused(name: str, tmp_path: Path) -> None:
    usable = _storm(name, tmp_path, range(12))
    # Most mistakes touch one row of several; the others must survive them.
    assert usable >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_many_spoiled_data_sets_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert _storm(name, tmp_path, range(1000, 1400)) >= 100
