"""Who may train, swap and delete: the owner of the machine, or whoever knows the admin's token.

Handlers ask `session.is_admin(request.headers)`; the header it reads is set here alone and taken
from nobody outside.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app import words
from app.guards.person import cookie_reach
from app.guards.requests import LOGIN, PERSON_COOKIE, cookie_of, with_header
from app.session import ADMIN_HEADER
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ADMIN_COOKIE = "deixis_admin"

_FORM = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{words.ADMIN_TITLE}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 sans-serif; max-width: 22rem; margin: 4rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; margin: .25rem 0 .75rem; }}
input, button {{ padding: .5rem .75rem; border: 1px solid GrayText; border-radius: 10px; }}
button {{ border-color: #1d4ed8; background: #1d4ed8; color: #fff; cursor: pointer; }}
[role=alert] {{ padding: .5rem .75rem; border-radius: 10px; background: #7a1f16; color: #fff; }}
[role=alert]:empty {{ display: none; }}
</style>
<h1>{words.ADMIN_TITLE}</h1>
<form method="post"><label>{words.ADMIN_TOKEN}
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<p role="alert">%s</p><button>{words.ADMIN_ENTER}</button></form>
<a href="./">{words.ADMIN_BACK}</a></html>"""
"""The login's page; a message takes the place of the %s."""


def _form(trouble: str = "") -> str:
    return _FORM.replace("%s", trouble)


class Admins:
    """Signs and checks the admin's cookie, which holds for one person and one session's age.

    Args:
        clock: seconds since the epoch; replaced in tests.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._key = secrets.token_bytes(32)  # a restart logs everybody out

    def knows(self, token: str) -> bool:
        """Returns whether a token is the admin's; nobody's is where none is set."""
        wanted = self._settings.admin_token.encode()
        return bool(wanted) and hmac.compare_digest(wanted, token.encode())

    def seal(self, person: str) -> str:
        """Returns the value of the cookie that makes a person the admin."""
        until = int(self._clock()) + self._settings.session_age
        return f"{until}.{self._sign(person, until)}"

    def holds(self, scope: Scope) -> bool:
        """Returns whether a request comes from the admin."""
        if self._settings.local and not self._settings.admin_token:
            return True
        person = cookie_of(scope, PERSON_COOKIE)
        until, _, signature = cookie_of(scope, ADMIN_COOKIE).partition(".")
        if not person or not until.isdecimal() or len(until) > 12 or int(until) < self._clock():
            return False
        return hmac.compare_digest(signature.encode(), self._sign(person, int(until)).encode())

    def _sign(self, person: str, until: int) -> str:
        return hmac.new(self._key, f"{until} {person}".encode(), hashlib.sha256).hexdigest()

    def route(self) -> Route:
        """Returns the route of the login form."""
        return Route(LOGIN, self._log_in, methods=["GET", "POST"])

    async def _log_in(self, request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(_form())
        person = request.cookies.get(PERSON_COOKIE, "")
        as_json = request.headers.get("content-type", "").startswith("application/json")

        def refused(why: str, status: int) -> Response:
            if as_json:
                return JSONResponse({"detail": why}, status)
            return HTMLResponse(_form(why), status)

        if not person:
            return refused(words.ADMIN_NO_COOKIE, 400)
        if not self.knows(_token(await request.body(), as_json)):
            return refused(words.ADMIN_WRONG, 403)
        done = JSONResponse({"detail": "Logged in."}) if as_json else RedirectResponse("/", 303)
        done.headers["set-cookie"] = "; ".join(
            (
                f"{ADMIN_COOKIE}={self.seal(person)}",
                "Path=/",
                "HttpOnly",
                f"Max-Age={self._settings.session_age}",
                cookie_reach(request.url.scheme),
            )
        )
        return done


def _token(content: bytes, as_json: bool) -> str:
    """Returns the token of a login; empty if there is none."""
    try:
        if as_json:
            return str(json.loads(content).get("token", ""))
        return parse_qs(content.decode()).get("token", [""])[0]
    except (ValueError, AttributeError, RecursionError):
        return ""


class AdminHeader:
    """Tells handlers whether a request comes from the admin; nobody else can."""

    def __init__(self, app: ASGIApp, admins: Admins) -> None:
        self._app, self._admins = app, admins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on with the header set or removed."""
        if scope["type"] == "http":
            scope = with_header(scope, {ADMIN_HEADER: "yes" if self._admins.holds(scope) else None})
        await self._app(scope, receive, send)
