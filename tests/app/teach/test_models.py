"""Published models are described before they are loaded, and put in place like checkpoints."""

from __future__ import annotations

import threading
from html import unescape
from pathlib import Path

import pytest

from app import trial, words
from app.host import Host
from app.serving import Serving, Told, reopen
from app.settings import Settings
from app.teach.models import Models
from app.teach.section import serving_state
from app.teaching import Teaching
from model.backends.base import Backend, Cost
from model.errors import BackendError
from tests.fake_training import fake_checkpoint
from tests.fakes import FakeBackend


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    fake_checkpoint(tmp_path / "checkpoints" / "own", "own")
    return Settings(
        model=str(tmp_path / "checkpoints" / "own"),
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
    )


def test_a_model_is_described_before_it_is_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.teach.models.free_bytes", lambda device: 6 * 10**9)
    models = Models(Teaching(settings, Serving(Host(FakeBackend, "x"), settings, _opened)))
    told = unescape(models.describe("qwen3-vl-2b"))
    for text in ("Apache-2.0", "Qwen/Qwen3-VL-2B-Instruct", "as coordinates in the prompt"):
        assert text in told
    assert "10.7 GB on cpu, where only 6.0 GB are free" in told
    assert "not measured yet" in told
    trial.note(settings, FakeBackend(name="florence-2-base"), Cost(0.5, 1.5))
    told = unescape(models.describe("florence-2-base"))
    assert "1.1 GB on cpu, of 6.0 GB free" in told
    assert "500 ms to read a picture, 1.5 s to answer" in told
    assert models.describe("../own") == ""


GATE = threading.Event()


def _opened(path: str, tell: Told) -> Backend:
    name = Path(path).name
    if name == "qwen3-vl-8b":
        raise BackendError("qwen3-vl-8b needs about 43.9 GB on cpu")
    if name == "sam-base":
        tell("Fetching facebook/sam-vit-base: 3 of 375 MB")
        GATE.wait(60)
    return FakeBackend(name=name)


def test_a_published_model_is_served_with_progress_and_outlives_the_server(
    settings: Settings,
) -> None:
    host = Host(lambda: reopen(settings, _opened), "own", 60)
    host.start()
    host.wait(threading.Event())
    serving = Serving(host, settings, _opened)
    work = Teaching(settings, serving)

    def state() -> str:
        return unescape(str(serving_state(None, serving).content))  # type: ignore[arg-type]

    GATE.clear()
    work.serve("sam-base")
    while not serving.told:
        pass
    assert "sam-base is being put in place. Fetching facebook/sam-vit-base: 3 of 375 MB" in state()
    GATE.set()
    serving.wait()
    assert serving.error == ""
    assert host.card is not None
    assert host.card.name == serving.served == "sam-base"
    assert host.card.cost is not None
    assert "sam-base" in trial.known(settings)
    again = reopen(settings, _opened)
    assert again.card.name == "sam-base"

    work.serve("qwen3-vl-8b")
    serving.wait()
    assert "43.9 GB" in state()
    assert serving.served == "sam-base"
    serving.go_back()
    serving.wait()
    assert serving.served == "own"
    assert words.SERVING_NOW.format(name="own") in state()


class Noted(FakeBackend):
    """Remembers when it was opened and closed."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__(0.02, name=name)
        self.log = log
        log.append(f"open {name}")

    def close(self) -> None:
        self.log.append(f"close {self.card.name}")


def alone(settings: Settings, broken: set[str]) -> tuple[Serving, Host, list[str]]:
    """Returns a page on which opening models in `broken` fails, and what is opened and closed."""
    log: list[str] = []

    def opened(path: str, tell: Told) -> Backend:
        name = Path(path).name
        if name in broken:
            raise BackendError(f"{name} is broken")
        return Noted(name, log)

    host = Host(lambda: reopen(settings, opened), "own", 60)
    host.start()
    host.wait(threading.Event())
    return Serving(host, settings, opened), host, log


def test_where_both_do_not_fit_the_present_one_is_let_go_first(settings: Settings) -> None:
    serving, host, log = alone(settings, set())
    stop, answers = threading.Event(), []
    with host.request(stop) as backend:
        picture = backend.encode(trial.sample())
        serving.serve("sam-base", alone=True)
        while host.settled:
            pass
        assert host.card is None
        asked = threading.Thread(
            target=lambda: answers.append(
                host.call(lambda model: model.card.name, threading.Event())
            )
        )
        asked.start()  # waits for the next one
        # What had begun ends with the model it began with.
        said = host.call(lambda model: model.answer(picture, "What is this?"), stop)
        assert said.text
        assert log == ["open own"]
    serving.wait()
    asked.join(60)
    assert log == ["open own", "close own", "open sam-base"]
    assert answers == ["sam-base"]
    assert serving.served == "sam-base"


def test_the_one_that_was_let_go_comes_back_if_the_other_fails(settings: Settings) -> None:
    broken = {"sam-base"}
    serving, host, log = alone(settings, broken)
    serving.serve("sam-base", alone=True)
    serving.wait()
    assert "sam-base is broken" in serving.error
    assert log == ["open own", "close own", "open own"]
    assert serving.served == "own"
    assert host.call(lambda model: model.card.name, threading.Event()) == "own"
    broken.add("own")  # and if that fails as well, people are told
    serving.serve("sam-base", alone=True)
    serving.wait()
    with pytest.raises(BackendError, match="own is broken"):
        host.wait(threading.Event())


def test_a_checkpoint_of_the_same_name_comes_first(settings: Settings) -> None:
    fake_checkpoint(settings.checkpoints / "sam-base", "sam-base")
    opened: list[str] = []

    def noted(path: str, tell: Told) -> Backend:
        opened.append(path)
        return FakeBackend(name=Path(path).name)

    host = Host(FakeBackend, "x")
    host.swap(FakeBackend())
    serving = Serving(host, settings, noted)
    serving.serve("sam-base")
    serving.wait()
    assert opened == [str(settings.checkpoints / "sam-base")]
