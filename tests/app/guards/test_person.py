"""Person: every browser gets a name that nobody can guess or read."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from app.guards.person import PersonCookie


def cookies(cookie: str | None, scheme: str = "http") -> list[str]:
    """Returns the cookies an answer sets."""
    sent: list[dict[str, Any]] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"set-cookie", b"other=1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if cookie is None else [(b"cookie", cookie.encode("latin-1"))]
    scope = {"type": "http", "scheme": scheme, "headers": headers}
    asyncio.run(PersonCookie(page)(scope, None, send))  # type: ignore[arg-type]
    found = [v.decode() for k, v in sent[0]["headers"] if k == b"set-cookie"]
    assert found[0] == "other=1"
    return found[1:]


def test_a_new_browser_gets_a_cookie_of_its_own() -> None:
    (one,), (other,) = cookies(None), cookies(None)
    assert re.fullmatch(r"deixis_person=[\w-]{32}; Path=/; HttpOnly; SameSite=Lax", one)
    assert one != other


def test_over_https_it_also_works_in_the_frame_of_a_space() -> None:
    assert cookies(None, "https")[0].endswith("HttpOnly; Secure; SameSite=None; Partitioned")


def test_a_known_browser_keeps_its_own() -> None:
    assert cookies("a=1; deixis_person=me") == []


@pytest.mark.parametrize("odd", ["", "=", "a,b=1", ";;;", "deixis_person=", "\xe4=\xe4", "=" * 999])
def test_odd_cookies_are_no_cookies(odd: str) -> None:
    assert len(cookies(odd)) == 1
