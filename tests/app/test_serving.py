"""Swapping checkpoints: tried first, one version for each request, remembered, taken back."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from app.conversation import Conversation
from app.host import Host
from app.serving import Opener, Service, Serving, Told, remembered, reopen
from app.session import People
from app.settings import Settings
from app.trial import try_out
from model import checkpoint
from model.backends.base import Backend, EncodedPicture
from model.engine import Engine, load
from model.errors import BackendError, CheckpointError, InputError
from model.types import Answer, Delta, Event, Size
from tests.fakes import ANNA, FakeBackend, last
from tests.model import tiny

OWN = "own"
"""The model of the settings."""

RATE = 20
"""Requests a second, by the clock."""


class Constant(FakeBackend):
    """Answers with its name; refuses a picture that another model encoded."""

    def __init__(self, name: str, pause: float = 0.0) -> None:
        super().__init__(name=name, pause=pause)
        self.closed = False

    def encode(self, picture: Image.Image) -> EncodedPicture:
        time.sleep(self.pause)
        return EncodedPicture(self.card.name, Size(*picture.size), self.card.name)

    def stream(self, picture: object, question: str, **_: object) -> Iterator[Event]:  # type: ignore[override]
        assert not self.closed
        assert isinstance(picture, EncodedPicture)
        assert picture.state == self.card.name
        yield Delta(self.card.name[:1])
        time.sleep(self.pause)
        assert not self.closed
        yield Answer(self.card.name)

    def close(self) -> None:
        self.closed = True


class Blind(FakeBackend):
    """Finds nothing, as a model does whose numbers are not finite."""

    def detect(self, *_: object, **__: object) -> Answer:  # type: ignore[override]
        return Answer("")


class Failing(FakeBackend):
    def encode(self, picture: Image.Image) -> EncodedPicture:
        raise RuntimeError("shapes differ")


def opened(path: str, tell: Told = print) -> Backend:
    name = Path(path).name
    kinds: dict[str, Callable[[], Backend]] = {
        "blind": lambda: Blind(name=name),
        "failing": lambda: Failing(name=name),
    }
    if name == "gone":
        raise CheckpointError("it is gone")
    return kinds.get(name, lambda: Constant(name))()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in (OWN, "one", "two", "blind", "failing", "gone"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "config.json").write_text("{}")
    return Settings(
        model=str(tmp_path / "checkpoints" / OWN),
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
    )


def serving(settings: Settings, open_model: Opener = opened) -> Serving:
    host = Host(lambda: reopen(settings, open_model), OWN, 60)
    host.start()
    host.wait(threading.Event())
    return Serving(host, settings, open_model)


def name_of(work: Serving) -> str:
    """Returns the name of the model that answers."""
    return work._host.call(lambda model: model.card.name, threading.Event())


def serve(work: Serving, name: str) -> None:
    work.serve(name)
    work.wait()


def test_a_checkpoint_is_served_taken_back_and_remembered(settings: Settings) -> None:
    work = serving(settings)
    assert (work.served, work.before) == (OWN, "")
    with pytest.raises(InputError, match="Nothing was served before"):
        work.go_back()
    serve(work, "one")
    serve(work, "two")
    assert (name_of(work), work.served, work.before, work.error) == ("two", "two", "one", "")
    work = serving(settings)  # a restart
    assert (name_of(work), work.served, work.before) == ("two", "two", "one")
    for name in ("one", OWN):
        work.go_back()
        work.wait()
        assert (name_of(work), work.served) == (name, name)
    assert work.before == ""
    with pytest.raises(InputError, match="served already"):
        work.serve(OWN)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("blind", "finds nothing"), ("failing", "shapes differ"), ("gone", "it is gone")],
)
def test_a_checkpoint_that_fails_changes_nothing(
    settings: Settings, name: str, reason: str
) -> None:
    work = serving(settings)
    serve(work, "one")
    serve(work, name)
    assert reason in work.error
    assert name in work.error
    assert (name_of(work), work.served, work.before, work.loading) == ("one", "one", OWN, "")
    serve(work, "two")
    assert (name_of(work), work.error) == ("two", "")


def test_a_full_disk_while_swapping_changes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    made: list[Constant] = []

    def noted(path: str, tell: Told) -> Backend:
        made.append(Constant(Path(path).name))
        return made[-1]

    work = serving(settings, noted)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        serve(work, "one")
    assert "No space left" in work.error
    assert (name_of(work), work.served) == (OWN, OWN)
    assert [backend.closed for backend in made] == [False, True]


def test_a_served_checkpoint_that_is_lost_falls_back_and_says_so(settings: Settings) -> None:
    serve(serving(settings), "one")

    def without_one(path: str, tell: Told) -> Backend:
        if path.endswith("one"):
            raise CheckpointError("a file is missing")
        return opened(path)

    work = serving(settings, without_one)
    assert (name_of(work), work.served, work.before) == (OWN, OWN, "")
    assert "a file is missing" in work.service.note


def test_another_model_in_the_settings_starts_afresh(settings: Settings) -> None:
    serve(serving(settings), "one")
    other = Settings(
        model=str(settings.checkpoints / "two"),
        checkpoints=settings.checkpoints,
        teaching=settings.teaching,
    )
    assert remembered(other) == Service(other.model)
    (settings.teaching / "served.json").write_text('{"served": 3}')
    assert remembered(settings) == Service(settings.model)


def test_one_checkpoint_is_tried_at_a_time(settings: Settings) -> None:
    gate = threading.Event()

    def slow(path: str, tell: Told) -> Backend:
        if path.endswith("one"):
            gate.wait(60)
        return opened(path)

    work = serving(settings, slow)
    work.serve("one")
    assert work.loading == "one"
    assert name_of(work) == OWN  # answers meanwhile
    with pytest.raises(InputError, match="one is still being loaded"):
        work.serve("two")
    with pytest.raises(InputError, match="being served"):
        work.delete("one")
    gate.set()
    work.wait()
    assert name_of(work) == "one"


@pytest.mark.parametrize("name", ["", "..", "../checkpoints/one", "/etc", "nobody", "--help"])
def test_only_what_is_in_the_list_is_served_or_deleted(settings: Settings, name: str) -> None:
    work = serving(settings)
    for change in (work.serve, work.delete):
        with pytest.raises(InputError, match="There is no checkpoint"):
            change(name)


def test_the_list_follows_the_disk_and_leaves_out_what_is_not_whole(settings: Settings) -> None:
    work = serving(settings)
    names = {item.name for item in work.checkpoints()}
    assert {OWN, "one", "two"} <= names
    for name in ("new", "new.staging", ".new.deleted"):
        (settings.checkpoints / name).mkdir()
        (settings.checkpoints / name / "config.json").write_text("{}")
    assert {item.name for item in work.checkpoints()} == names | {"new"}
    assert all(item.problem for item in work.checkpoints())  # nothing here is signed
    for item in work.checkpoints():
        checkpoint.sign(item.folder)
    assert not any(item.problem for item in work.checkpoints())


def test_a_checkpoint_is_deleted_unless_it_is_needed(settings: Settings) -> None:
    work = serving(settings)
    serve(work, "one")
    serve(work, "two")
    work.delete("one")
    assert not (settings.checkpoints / "one").exists()
    assert work.before == OWN
    for name in ("two", OWN):
        with pytest.raises(InputError, match=r"served|never deleted"):
            work.delete(name)
        assert (settings.checkpoints / name).exists()


def asked(host: Host, version: str) -> str:
    """Encodes and asks, as one request, and returns who answered."""
    stop = threading.Event()
    with host.request(stop) as backend:
        first = backend.card.name
        picture = host.call(lambda model: model.encode(Image.new("RGB", (8, 8))), stop)
        answer = host.call(lambda model: model.answer(picture, version), stop)
    assert answer.text == first
    return answer.text


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_requests_under_swaps_are_each_answered_by_one_version(
    settings: Settings, seconds: int
) -> None:
    made: list[Constant] = []

    def noted(path: str, tell: Told) -> Backend:
        made.append(Constant(Path(path).name, pause=0.01))
        return made[-1]

    work, names = serving(settings, noted), cycle(("one", "two"))
    number = RATE * seconds

    def send() -> list[Future[str]]:
        """Sends each request when its time has come, whether or not others are answered."""
        begun, sent = time.monotonic(), []
        for due in (begun + turn / RATE for turn in range(number)):
            time.sleep(max(0.0, due - time.monotonic()))
            sent.append(people.submit(asked, work._host, "who?"))
        return sent

    with ThreadPoolExecutor(RATE) as people, ThreadPoolExecutor(1) as clock:
        sending = clock.submit(send)
        while not sending.done():
            serve(work, next(names))
            time.sleep(0.1)
        answers = [answer.result(60) for answer in sending.result()]
    assert work.error == ""
    assert len(answers) == number
    assert {"one", "two"} <= set(answers)
    assert [backend.closed for backend in made] == [True] * (len(made) - 1) + [False]


def test_an_answer_in_the_making_ends_with_the_model_it_began_with(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.answering.STREAM_INTERVAL", 1e-9)  # every word is shown
    made: list[Constant] = []

    def noted(path: str, tell: Told) -> Backend:
        made.append(Constant(Path(path).name))
        return made[-1]

    work = serving(settings, noted)
    talk = Conversation(People(), work._host, settings)
    Image.new("RGB", (40, 30)).save(tmp_path / "picture.png")
    talk.open(ANNA, tmp_path / "picture.png", "t")
    growing = talk.ask(ANNA, "who?", {})
    next(growing)
    next(growing)  # the picture is encoded and the first words are there
    serve(work, "one")
    assert not made[0].closed
    last(growing)
    last(talk.ask(ANNA, "who?", {}))
    answers = [exchange.answer for exchange in talk.people.desk(ANNA).exchanges]
    assert [answer.text for answer in answers if answer] == [OWN, "one"]
    while not made[0].closed:  # the thread that answered lets go after its last word
        time.sleep(0.01)


# --- checkpoints of our own kind ---------------------------------------------------------------


@pytest.fixture
def native(tmp_path: Path) -> Settings:
    checkpoint.save(tiny.build(), tiny.vocabulary(), tmp_path / "checkpoints" / OWN)
    for name in ("good", "poisoned", "cut"):
        shutil.copytree(tmp_path / "checkpoints" / OWN, tmp_path / "checkpoints" / name)
    poisoned, cut = tmp_path / "checkpoints" / "poisoned", tmp_path / "checkpoints" / "cut"
    shard = next(poisoned.glob("*.safetensors"))
    weights = load_file(shard)
    weights = {name: torch.full_like(value, torch.nan) for name, value in weights.items()}
    save_file(weights, shard, {"format": "pt"})
    checkpoint.sign(poisoned)  # a run that ended in NaN and was saved with care
    shard = next(cut.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-100])
    return Settings(
        model=str(tmp_path / "checkpoints" / OWN),
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
    )


def test_broken_weights_are_never_served(native: Settings) -> None:
    work = serving(native, lambda path, _: load(path, "cpu"))
    for name, reason in (("poisoned", "not finite"), ("cut", "differs from its manifest")):
        serve(work, name)
        assert reason in work.error
        assert name_of(work) == OWN
    serve(work, "good")
    assert (work.error, name_of(work)) == ("", "good")


def test_numbers_that_go_wrong_while_computing_are_found_out() -> None:
    model = tiny.build()
    engine = Engine(model, tiny.vocabulary(), name="tiny", version="0", device="cpu")
    try_out(engine)
    next(model.box_decoder.parameters()).fill_(torch.nan)
    with pytest.raises(BackendError, match="finds nothing"):
        try_out(Engine(model, tiny.vocabulary(), name="tiny", version="1", device="cpu"))
