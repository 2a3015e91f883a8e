"""What models take: measured when they are loaded, shown on their card, remembered on disk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import trial
from app.settings import Settings
from model.backends import measure
from model.backends.base import Cost
from model.types import Capability, Event
from tests.fakes import FakeBackend


class Broken(FakeBackend):
    def stream(self, *_: object, **__: object) -> Iterator[Event]:  # type: ignore[override]
        raise RuntimeError("shapes differ")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds pass at every look, so nothing counts as quick."""
    ticks = itertools.count(0, 2)
    monkeypatch.setattr("model.backends.cost.perf_counter", lambda: float(next(ticks)))


@pytest.mark.usefixtures("clock")
def test_reading_and_answering_are_measured_apart() -> None:
    backend = FakeBackend()
    cost = measure(backend, trial.sample())
    assert cost.encode == 2.0
    assert cost.ask >= 4.0  # the clock was looked at between words
    assert (backend.encodings, backend.questions) == (1, 1)


@pytest.mark.usefixtures("clock")
def test_a_long_answer_is_cut_short() -> None:
    whole = measure(FakeBackend(), trial.sample(), most=1000.0)
    assert measure(FakeBackend(), trial.sample(), most=5.0).ask < whole.ask


def test_what_is_quick_is_measured_when_it_is_warm() -> None:
    backend = FakeBackend()
    measure(backend, trial.sample())
    assert (backend.encodings, backend.questions) == (2, 2)


def test_a_model_without_words_is_asked_for_what_it_can() -> None:
    detector = FakeBackend(capabilities=frozenset({Capability.DETECT}))
    measure(detector, trial.sample())
    assert detector.questions == 2
    segmenter = FakeBackend(capabilities=frozenset({Capability.SEGMENT}))
    assert measure(segmenter, trial.sample()).ask == 0.0
    assert segmenter.questions == 0


def test_costs_are_on_the_card_and_outlive_the_server(tmp_path: Path) -> None:
    settings = Settings(teaching=tmp_path / "teaching")
    assert trial.known(settings) == {}
    one, two = FakeBackend(name="one"), FakeBackend(name="two")
    trial.weigh(settings, one)
    trial.note(settings, two, Cost(1.0, 2.0))
    assert one.card.cost is not None
    assert trial.known(settings) == {"one": one.card.cost, "two": Cost(1.0, 2.0)}
    for text in ("", "[]", '{"one": 3}'):
        (settings.teaching / "costs.json").write_text(text)
        assert trial.known(settings) == {}


def test_a_model_that_fails_or_is_served_elsewhere_keeps_its_card(tmp_path: Path) -> None:
    settings = Settings(teaching=tmp_path)
    broken, remote = Broken(), FakeBackend()
    remote.card = replace(remote.card, device="remote")
    for backend in (broken, remote):
        trial.weigh(settings, backend)
        assert backend.card.cost is None
    assert remote.encodings == 0
    assert trial.known(settings) == {}
