"""Limits: floods, long bodies and slow ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guards import limits
from app.guards.limits import BodyLimit, DiskLimit, RateLimit, Rates
from app.settings import Settings

Message = MutableMapping[str, Any]


def request(path: str = "/gradio_api/queue/join", **headers: str) -> Message:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": pairs,
        "client": ("192.0.2.1", 5),
    }


def pieces(sizes: Iterable[int]) -> list[Message]:
    found = [{"type": "http.request", "body": bytes(size), "more_body": True} for size in sizes]
    return [*found[:-1], {**found[-1], "more_body": False}]


def answer(guard: Any, scope: Message, arriving: list[Message]) -> tuple[int, list[Message]]:
    """Returns the status a request gets, and all messages."""
    sent: list[Message] = []

    async def receive() -> Message:
        return arriving.pop(0) if arriving else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], sent


async def reads_all(scope: Message, receive: Any, send: Any) -> None:
    """An application that reads its body and tells how long it was, or that it broke off."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"broken off"})
            return
        length += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


# --- rates ---------------------------------------------------------------------------------------


def test_a_burst_is_allowed_and_refills_within_a_minute() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert [rates.allow("ask", "me", 3) for _ in range(4)] == [True, True, True, False]
    assert rates.allow("ask", "you", 3)
    assert rates.allow("upload", "me", 3)
    now[0] = 19.9
    assert not rates.allow("ask", "me", 3)
    now[0] = 40.0
    assert rates.allow("ask", "me", 3)
    now[0] = 1_000.0
    assert [rates.allow("ask", "me", 3) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_no_minute_sees_more_than_twice_the_limit(pauses: list[float], limit: int) -> None:
    now, passed = [0.0], []
    rates = Rates(lambda: now[0])
    for pause in pauses:
        now[0] += pause
        if rates.allow("ask", "me", limit):
            passed.append(now[0])
    assert all(sum(then <= t < then + 60 for t in passed) <= 2 * limit for then in passed)


def test_strangers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rates, "MAX_KEYS", 10)
    rates = Rates(lambda: 0.0)
    for who in range(100):
        rates.allow("ask", str(who), 1)
    assert len(rates._buckets) == 10
    assert not rates.allow("ask", "99", 1)


def test_throwing_the_cookie_away_helps_little() -> None:
    guard = RateLimit(reads_all, Settings(asks_per_minute=2))
    statuses = [
        answer(guard, request(cookie=f"deixis_person={person}"), pieces([1]))[0]
        for person in range(20)
    ]
    assert statuses == [200] * 10 + [429] * 10


def test_what_costs_nothing_is_not_counted() -> None:
    guard = RateLimit(reads_all, Settings(asks_per_minute=1, uploads_per_minute=1))
    for _ in range(5):
        assert answer(guard, request("/gradio_api/cancel"), pieces([1]))[0] == 200
        assert answer(guard, {**request(), "method": "GET"}, pieces([1]))[0] == 200


# --- bodies --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 400), min_size=1, max_size=8))
def test_bodies_pass_up_to_the_limit_and_no_further(sizes: list[int]) -> None:
    guard = BodyLimit(reads_all, Settings(max_body_bytes=1_000))
    status, sent = answer(guard, request(), pieces(sizes))
    if sum(sizes) <= 1_000:
        assert (status, sent[1]["body"]) == (200, str(sum(sizes)).encode())
    else:
        assert status == 413
        assert len(sent) == 2


def test_uploads_have_a_limit_of_their_own() -> None:
    guard = BodyLimit(reads_all, Settings(max_body_bytes=10, max_upload_bytes=1_000_000))
    assert answer(guard, request("/gradio_api/upload"), pieces([900_000]))[0] == 200
    assert answer(guard, request("/gradio_api/upload"), pieces([900_000, 900_000]))[0] == 413
    assert answer(guard, request(), pieces([11]))[0] == 413


@pytest.mark.parametrize("length", ["1001", "-1", "1e2", "", "x", "9" * 5000])
def test_a_length_is_judged_before_anything_is_read(length: str) -> None:
    guard = BodyLimit(reads_all, Settings(max_body_bytes=1_000))
    arriving = pieces([5])
    assert answer(guard, request(content_length=length), arriving)[0] == 413
    assert len(arriving) == 1


def test_slow_bodies_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_BODY_SECONDS", 0.05)
    guard = BodyLimit(reads_all, Settings())
    arriving: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]
    assert answer(guard, request(), arriving)[0] == 408


def test_only_a_trusted_person_may_send_a_whole_data_set() -> None:
    settings = Settings(max_upload_bytes=10, max_dataset_bytes=500_000, max_body_bytes=10)
    for trusted, path, status in (
        (True, "/gradio_api/upload", 200),
        (False, "/gradio_api/upload", 413),
        (True, "/gradio_api/queue/join", 413),
    ):
        guard = BodyLimit(reads_all, settings, lambda _, trusted=trusted: trusted)
        assert answer(guard, request(path), pieces([300_000]))[0] == status


def test_an_application_that_fails_on_a_cut_body_still_answers_413() -> None:
    async def fails(scope: Message, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError("the body broke off")

    guard = BodyLimit(fails, Settings(max_body_bytes=10))
    assert answer(guard, request(), pieces([20]))[0] == 413


def test_failures_of_the_application_stay_its_own() -> None:
    async def fails(scope: Message, receive: Any, send: Any) -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        answer(BodyLimit(fails, Settings()), request(), pieces([2]))


def test_after_the_body_the_client_leaving_is_heard() -> None:
    heard: list[str] = []

    async def waits(scope: Message, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    arriving = [*pieces([2]), {"type": "http.disconnect"}]
    answer(BodyLimit(waits, Settings()), request(), arriving)
    assert heard == ["http.request", "http.disconnect"]


# --- the disk ------------------------------------------------------------------------------------


def test_the_oldest_files_make_room_and_public_ones_stay(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "older", "public", "oldest"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(bytes(100))
        os.utime(tmp_path / name / "x.png", (1_000 - age, 1_000 - age))
    settings = Settings(cache=tmp_path, cache_bytes=250, max_upload_bytes=100)
    guard = DiskLimit(reads_all, settings, lambda: {"public"})
    assert answer(guard, request(), pieces([1]))[0] == 200
    assert len(list(tmp_path.glob("*/x.png"))) == 4
    assert answer(guard, request("/gradio_api/upload"), pieces([1]))[0] == 200
    assert {path.parent.name for path in tmp_path.glob("*/x.png")} == {"new", "public"}
    assert answer(guard, request("/gradio_api/upload"), pieces([1]))[0] == 200
    assert {path.parent.name for path in tmp_path.glob("*/x.png")} == {"new", "public"}
