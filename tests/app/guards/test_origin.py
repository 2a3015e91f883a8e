"""Origin: where a request comes from, and where it may go."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from app.guards.origin import ForwardedHeaders, Routes, SameOrigin, SecurityHeaders
from app.settings import Settings

Message = MutableMapping[str, Any]


async def fine(scope: Message, receive: Any, send: Any) -> None:
    names = b", ".join(name for name, _ in scope["headers"])
    headers = [(b"x-got", names), (b"x-frame-options", b"ALLOWALL")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def answer(guard: Any, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """Returns the status and headers a request gets."""
    sent: list[Message] = []
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    start = sent[0]
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://here:7860"}, 200),
        ({"origin": "https://here:7860", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "http://HERE:7860"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://here"}, 403),
        ({"origin": "http://there"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "ftp://here:7860"}, 403),
        ({"origin": "http://here:7860@there"}, 403),
        ({"origin": "http://there", "x_forwarded_host": "there"}, 200),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "new-word"}, 403),
        ({"origin": "http://here:7860", "sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://there", "sec_fetch_site": "same-origin"}, 403),
    ],
    ids=str,
)
def test_only_the_page_and_programs_may_post(headers: dict[str, str], status: int) -> None:
    guard = SameOrigin(fine)
    assert answer(guard, "POST", "/gradio_api/queue/join", host="here:7860", **headers)[0] == status
    assert answer(guard, "GET", "/config", host="here:7860", **headers)[0] == status


def test_a_link_opens_the_page_and_nothing_else() -> None:
    guard = SameOrigin(fine)
    link = {"host": "here", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert answer(guard, "GET", "/", **link)[0] == 200
    assert answer(guard, "POST", "/", **link)[0] == 403
    assert answer(guard, "GET", "/gradio_api/file=x", **link)[0] == 403
    embedded = {**link, "sec_fetch_mode": "no-cors"}
    assert answer(guard, "GET", "/", **embedded)[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/assets/index.js", 200),
        ("GET", "/gradio_api/file=/x", 200),
        ("GET", "/gradio_api/queue/data", 200),
        ("POST", "/gradio_api/queue/join", 200),
        ("POST", "/gradio_api/upload", 200),
        ("POST", "/admin", 200),
        ("GET", "/gradio_api/queue/join", 404),
        ("POST", "/", 404),
        ("PUT", "/gradio_api/queue/join", 404),
        ("DELETE", "/", 404),
        ("TRACE", "/", 404),
        ("GET", "/gradio_api/proxy=http://x", 404),
        ("GET", "/gradio_api/vibe-code", 404),
        ("GET", "/monitoring", 404),
        ("GET", "//config", 404),
        ("GET", "/gradio_api/../config", 404),
    ],
)
def test_only_needed_routes_are_open(method: str, path: str, status: int) -> None:
    assert answer(Routes(fine, Settings()), method, path)[0] == status


@pytest.mark.parametrize("path", ["/gradio_api/mcp", "/gradio_api/mcp/", "/gradio_api/mcp/sse"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_tools_are_offered_only_where_the_owner_says_so(method: str, path: str) -> None:
    assert answer(Routes(fine, Settings()), method, path)[0] == 404
    assert answer(Routes(fine, Settings(mcp=True)), method, path)[0] == 200


def test_web_sockets_are_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Routes(fine, Settings())({"type": "websocket", "path": "/"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


FORWARDED = {
    "x_forwarded_host": "evil.example",
    "x_forwarded_proto": "https",
    "x_forwarded_for": "1.2.3.4",
    "x_forwarded_prefix": "/x",
    "x_gradio_server": "http://evil.example",
    "x_original_url": "/x",
    "forwarded": "host=evil.example",
}


def test_forwarded_headers_count_only_from_a_trusted_proxy() -> None:
    guard = ForwardedHeaders(fine, Settings())
    assert answer(guard, "GET", "/", accept="x", **FORWARDED)[1]["x-got"] == "accept"
    trusting = ForwardedHeaders(fine, Settings(trusted_proxy=True, trusted_hosts=("good.example",)))
    kept = answer(trusting, "GET", "/", **FORWARDED)[1]["x-got"].split(", ")
    assert kept == ["x-forwarded-proto", "x-forwarded-for", "forwarded"]
    known = answer(trusting, "GET", "/", x_forwarded_host="Good.example")[1]["x-got"]
    assert known == "x-forwarded-host"


def test_security_headers_replace_what_the_page_says() -> None:
    headers = answer(SecurityHeaders(fine, Settings()), "GET", "/")[1]
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    inert = answer(SecurityHeaders(fine, Settings()), "GET", "/gradio_api/file=/x.html")[1]
    assert inert["content-security-policy"] == "default-src 'none'; sandbox"
    assert inert["cache-control"] == "private, no-cache"
