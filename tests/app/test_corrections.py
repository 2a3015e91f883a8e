"""Corrections: nothing saved is lost, nothing torn is read, nobody else's is touched (row 31)."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from PIL import Image

from app import intake
from app.corrections import Corrections, Saved
from app.intake import Picture
from app.settings import Settings
from model.errors import InputError
from model.turns import example_from_json
from model.types import Answer, Box, Grounding, Mask, Phrase, Region, Turn

ROOT = Path(__file__).parents[2]


def picture(seed: int = 0, width: int = 64, height: int = 48) -> Picture:
    """Returns a smooth picture that differs by seed."""
    ramp = np.linspace(0, 200, width, dtype=np.uint8)
    pixels = np.stack([np.tile(ramp, (height, 1)), np.full((height, width), seed % 250)] * 2, -1)
    return intake.read(Image.fromarray(pixels[..., :3].astype(np.uint8)))


def turn(text: str = "A dog sleeps.", question: str = "What is @1?") -> Turn:
    """Returns a turn with a region, a phrase and a box."""
    dog = Grounding(Phrase(text[:5], 0, 5), (Box(0.1, 0.1, 0.5, 0.5),), (1.0,))
    return Turn(question, Answer(text, (dog,)), (Region("@1", Box(0, 0, 0.5, 0.5)),))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(corrections=tmp_path / "corrections", corrections_count=1_000)


@pytest.fixture
def kept(settings: Settings) -> Corrections:
    return Corrections(settings)


def lines(kept: Corrections) -> list[str]:
    return (kept.folder / "examples.jsonl").read_text("utf-8").splitlines()


def files(kept: Corrections) -> set[str]:
    found = (path for path in kept.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(kept.folder)) for path in found} - {".lock"}


# --- save, list, reopen, replace, delete ---------------------------------------------------------


def test_an_example_comes_back_as_it_was_saved(kept: Corrections) -> None:
    pixels = np.zeros((48, 64), dtype=bool)
    pixels[10:20] = True
    drawn = replace(turn(), regions=(Region("@1", Mask(pixels)),))
    saved = kept.save(picture(), [turn(), drawn], owner="me", title="<b>dog</b>")
    assert kept.all() == [saved]
    again, image = kept.reopen(saved.identity)
    assert again.example.turns == (turn(), drawn)
    assert image.size == (64, 48)
    apart = np.asarray(image).astype(int) - np.asarray(picture().image).astype(int)
    assert np.abs(apart).mean() < 2
    with Image.open(kept.thumbnail(saved)) as small:
        assert max(small.size) <= 160


def test_training_reads_the_folder_as_it_is(kept: Corrections) -> None:
    saved = kept.save(picture(), [turn()])
    (line,) = lines(kept)
    example = example_from_json(json.loads(line))
    assert example == saved.example
    with Image.open(kept.folder / example.picture) as stored:
        assert stored.size == (example.size.width, example.size.height)


def test_a_picture_lies_here_once_and_goes_with_its_last_example(kept: Corrections) -> None:
    first, second = kept.save(picture(), [turn()]), kept.save(picture(), [turn("A cat sleeps.")])
    assert len(files(kept)) == 3
    kept.delete(first.identity)
    assert len(files(kept)) == 3
    kept.delete(second.identity)
    assert files(kept) == {"examples.jsonl"}
    assert kept.all() == []


def test_replacing_keeps_name_and_owner(kept: Corrections) -> None:
    old, other = kept.save(picture(), [turn()], owner="me"), kept.save(picture(1), [turn()])
    new = kept.save(picture(), [turn("A cat sleeps.")], owner="admin", replaced=old)
    assert (new.identity, new.owner) == (old.identity, "me")
    assert kept.all() == [other, new]


def test_people_see_only_their_own_and_the_admin_all(kept: Corrections) -> None:
    mine, yours = (kept.save(picture(), [turn()], owner=name) for name in ("me", "you"))
    assert kept.all("me") == [mine]
    assert kept.all() == [mine, yours]
    for act in (kept.find, kept.reopen, kept.delete):
        with pytest.raises(InputError, match="no saved example"):
            act(yours.identity, "me")
    kept.delete(yours.identity, "you")
    assert kept.all() == [mine]


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a" * 16 + "\n", "A" * 16, "0" * 17, "..", "/", "0" * 15]
)
def test_names_that_are_no_names_are_refused(kept: Corrections, name: str) -> None:
    kept.save(picture(), [turn()])
    for act in (kept.find, kept.reopen, kept.delete):
        with pytest.raises(InputError, match="no saved example"):
            act(name)
    assert len(kept.all()) == 1


@pytest.mark.parametrize("place", ["../secret.jpg", "/etc/passwd", "pictures/../../x.jpg", "x.jpg"])
def test_a_line_that_points_elsewhere_is_not_followed(kept: Corrections, place: str) -> None:
    saved = kept.save(picture(), [turn()])
    record = json.loads(lines(kept)[0]) | {"picture": place, "id": "0" * 16}
    with (kept.folder / "examples.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    assert kept.all() == [saved]


def test_a_lost_picture_is_named(kept: Corrections) -> None:
    saved = kept.save(picture(), [turn()])
    (kept.folder / saved.example.picture).unlink()
    with pytest.raises(InputError, match="picture is lost"):
        kept.reopen(saved.identity)


# --- what may be saved ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "1 to 50 turns, not 0"),
        ([turn()] * 51, "not 51"),
        ([turn(question="  ")], "question is empty"),
        ([turn(question="a" * 2_001)], "2001 characters"),
        ([turn("A dog" + "!" * 2_000)], "2005 characters"),
        ([Turn("?", Answer("A dog", (Grounding(Phrase("cat", 2, 5), (), ()),)))], "'cat' is not"),
        ([Turn("?", Answer("A dog", (Grounding(Phrase("", 2, 2), (), ()),)))], "is not at its"),
        ([Turn("?", Answer("A dog", (Grounding(Phrase("dog", -3, 5), (), ()),)))], "is not at"),
        ([Turn("?", Answer("A dog", (Grounding(Phrase("dog", 2, 9), (), ()),)))], "is not at"),
    ],
)
def test_turns_that_would_teach_nonsense_are_refused(
    kept: Corrections, turns: list[Turn], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        kept.save(picture(), turns)
    assert not kept.folder.exists()


def test_class_names_need_no_place(kept: Corrections) -> None:
    found = Answer("", (Grounding(Phrase("dog"), (Box(0, 0, 1, 1),), (1.0,)),))
    assert kept.save(picture(), [Turn("Find all dogs.", found)]) in kept.all()


def test_the_folder_has_room_for_so_many(settings: Settings) -> None:
    kept = Corrections(replace(settings, corrections_count=2))
    saved = [kept.save(picture(seed), [turn()]) for seed in range(2)]
    with pytest.raises(InputError, match="at most 2 fit"):
        kept.save(picture(3), [turn()])
    kept.delete(saved[0].identity)
    kept.save(picture(3), [turn()])
    small = Corrections(replace(settings, corrections_bytes=5_000))
    with pytest.raises(InputError, match="at most 0 MB fit"):
        small.save(picture(4, 1000, 800), [turn()])
    assert len(kept.all()) == 2


def test_old_examples_go(settings: Settings) -> None:
    now = [1_000.0]
    kept = Corrections(replace(settings, corrections_age=100), lambda: now[0])
    kept.save(picture(0), [turn()])
    now[0] += 60
    young = kept.save(picture(1), [turn()])
    now[0] += 60
    assert kept.all() == [young]
    assert len(lines(kept)) == 2
    kept.sweep()
    assert len(lines(kept)) == 1
    assert len(files(kept)) == 3
    now[0] += 60
    latest = kept.save(picture(2), [turn()])
    assert kept.all() == [latest]
    assert len(files(kept)) == 3


# --- what may go wrong ---------------------------------------------------------------------------


@effort(max_examples=25)
@given(cut=st.integers(1, 400), junk=st.binary(max_size=40))
def test_a_torn_last_line_is_skipped_and_never_joined(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    kept = Corrections(Settings(corrections=tmp_path_factory.mktemp("torn")))
    first, _ = kept.save(picture(), [turn()]), kept.save(picture(), [turn("A cat sleeps.")])
    path = kept.folder / "examples.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    path.write_bytes(whole[: max(last, len(whole) - cut)] + junk.replace(b"\n", b""))
    before = kept.all()
    assert before[:1] == [first]
    third = kept.save(picture(), [turn("A cow sleeps.")])
    assert kept.all() == [*before, third]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "1",
        "{}",
        '{"id": 1}',
        "[" * 50_000,
        '{"picture": "pictures/x.jpg"}',
        "\0",
    ],
)
def test_foreign_lines_are_skipped(kept: Corrections, line: str) -> None:
    kept.folder.mkdir(parents=True)
    (kept.folder / "examples.jsonl").write_text(line + "\n")
    saved = kept.save(picture(), [turn()])
    assert kept.all() == [saved]


def test_a_full_disk_leaves_everything_as_it_was(
    kept: Corrections, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = kept.save(picture(), [turn()])
    before = (kept.folder / "examples.jsonl").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for changed in (picture(), picture(9)):
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(InputError, match="the disk is full"):
                kept.save(changed, [turn("A cat sleeps.")])
        assert (kept.folder / "examples.jsonl").read_bytes() == before
    assert kept.all() == [saved]
    assert len(files(kept)) == 3


def test_leftovers_of_a_crash_are_swept(kept: Corrections) -> None:
    saved = kept.save(picture(), [turn()])
    for name in ("pictures/.x.jpg.1", "pictures/" + "0" * 32 + ".jpg", ".examples.jsonl.abc"):
        (kept.folder / name).write_bytes(b"half")
    kept.sweep()
    assert kept.all() == [saved]
    assert len(files(kept)) == 3


def test_many_threads_save_and_delete_at_once(settings: Settings) -> None:
    saved: list[Saved] = []

    def work(seed: int) -> None:
        own = Corrections(settings)
        gone, stays = (own.save(picture(seed), [turn()], owner=str(seed)) for _ in range(2))
        own.delete(gone.identity)
        saved.append(stays)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = Corrections(settings)
    assert {item.identity for item in kept.all()} == {item.identity for item in saved}
    assert len(saved) == 6
    assert len(files(kept)) == 13


WRITER = """
import sys
from pathlib import Path
from PIL import Image
from app import intake
from app.corrections import Corrections
from app.settings import Settings
from model.types import Answer, Turn

kept = Corrections(Settings(corrections=Path(sys.argv[1])))
shown = intake.read(Image.new("RGB", (16, 16), int(sys.argv[2])))
for number in range(int(sys.argv[3])):
    saved = kept.save(shown, [Turn("?", Answer(str(number)))], owner=sys.argv[2])
    print(saved.identity, flush=True)
"""


def writer(folder: Path, owner: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(owner), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_lose_nothing(settings: Settings) -> None:
    writers = [writer(settings.corrections, owner, 8) for owner in (1, 2)]
    told = [identity for each in writers for identity in each.communicate(timeout=120)[0].split()]
    assert len(told) == 16
    kept = Corrections(settings)
    assert sorted(saved.identity for saved in kept.all()) == sorted(told)
    for owner in "12":
        texts = [saved.example.turns[0].answer.text for saved in kept.all(owner)]
        assert texts == [str(number) for number in range(8)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_what_was_told_as_saved_survives_kill_9(settings: Settings) -> None:
    killed = writer(settings.corrections, 1, 100_000)
    assert killed.stdout is not None
    told = [killed.stdout.readline().strip() for _ in range(5)]
    time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    told += killed.communicate()[0].split()
    kept = Corrections(settings)
    there = [saved.identity for saved in kept.all()]
    assert [name for name in told if len(name) == 16] == there[: len(told)]
    after = kept.save(picture(), [turn()])
    assert kept.all()[-1] == after
