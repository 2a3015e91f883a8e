"""Gives every browser a name of its own that no script and no other site can read."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from app.guards.requests import PERSON_COOKIE, cookie_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def cookie_reach(scheme: str) -> str:
    """Returns the cookie attributes that fit a scheme.

    Over HTTPS the page may stand in the frame of a Space, where only a partitioned cookie is sent;
    requests from other sites are refused by their Origin all the same.
    """
    return "Secure; SameSite=None; Partitioned" if scheme == "https" else "SameSite=Lax"


class PersonCookie:
    """Adds an unguessable HttpOnly cookie to answers to browsers that have none yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, adding the cookie where it is missing."""
        if scope["type"] != "http" or cookie_of(scope, PERSON_COOKIE):
            await self._app(scope, receive, send)
            return
        name = secrets.token_urlsafe(24)
        cookie = f"{PERSON_COOKIE}={name}; Path=/; HttpOnly; {cookie_reach(scope['scheme'])}"

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)
