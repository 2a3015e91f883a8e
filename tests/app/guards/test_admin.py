"""Admin: who may train and swap (row 28)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guards.admin import AdminHeader, Admins
from app.session import ADMIN_HEADER, is_admin
from app.settings import Settings

TOKEN = "a long admin token"
FAR = Settings(host="192.0.2.7", admin_token=TOKEN, session_age=100)


def scope(cookie: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": [(b"cookie", cookie.encode("latin-1")), *headers]}


def seen(admins: Admins, request: dict[str, Any]) -> bool:
    """Returns whether a handler behind the guard sees the admin."""
    found: dict[str, str] = {}

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        found.update({name.decode(): value.decode("latin-1") for name, value in scope["headers"]})

    asyncio.run(AdminHeader(handler, admins)(request, None, None))  # type: ignore[arg-type]
    return is_admin(found)


def test_the_owner_of_the_machine_is_the_admin() -> None:
    assert seen(Admins(Settings()), scope(""))
    assert not seen(Admins(Settings(admin_token=TOKEN)), scope(""))
    assert not seen(Admins(Settings(host="0.0.0.0")), scope(""))
    assert not seen(Admins(Settings(trusted_proxy=True)), scope(""))


def test_without_a_token_nobody_far_away_is_the_admin() -> None:
    admins = Admins(Settings(host="0.0.0.0"))
    assert not admins.knows("")
    assert not admins.knows("anything")


def test_the_header_is_taken_from_nobody() -> None:
    forged = [(ADMIN_HEADER.encode(), b"yes"), (b"X-Deixis-Admin", b"yes")]
    assert not seen(Admins(FAR), scope("deixis_person=me", *forged))


def test_the_cookie_holds_for_one_person_and_a_while() -> None:
    now = [1_000.0]
    admins = Admins(FAR, lambda: now[0])
    seal = admins.seal("me")
    assert seen(admins, scope(f"deixis_person=me; deixis_admin={seal}"))
    assert not seen(admins, scope(f"deixis_person=you; deixis_admin={seal}"))
    assert not seen(admins, scope(f"deixis_admin={seal}"))
    assert not seen(Admins(FAR, lambda: now[0]), scope(f"deixis_person=me; deixis_admin={seal}"))
    now[0] += 101
    assert not seen(admins, scope(f"deixis_person=me; deixis_admin={seal}"))


@given(st.text(st.characters(max_codepoint=255, exclude_characters=";\0"), max_size=90))
def test_no_other_cookie_will_do(guess: str) -> None:
    admins = Admins(FAR, lambda: 1_000.0)
    assert not seen(admins, scope(f"deixis_person=me; deixis_admin={guess}"))
    assert not seen(admins, scope(f"deixis_person=me; deixis_admin=9999.{guess}"))


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é" * 18])
def test_only_the_token_is_the_token(token: str) -> None:
    assert Admins(FAR).knows(TOKEN)
    assert not Admins(FAR).knows(token)
