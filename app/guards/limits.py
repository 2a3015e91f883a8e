"""How much may be sent and asked: requests in a minute, bytes of a body, bytes on the disk."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Set
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from app import words
from app.guards.requests import CALLS, LOGIN, PERSON_COOKIE, UPLOAD, cookie_of, refuse
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FORM_BYTES = 64 * 1024
"""What a form adds around an uploaded file."""

_BODY_SECONDS = 120
"""Seconds a body may take to arrive."""


class Rates:
    """Token buckets by key: a burst of `limit`, refilled within a minute.

    Args:
        clock: seconds that only grow; replaced in tests.
    """

    MAX_KEYS = 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def allow(self, kind: str, who: str, limit: int) -> bool:
        """Takes one token; returns whether there was one."""
        now = self._clock()
        tokens, then = self._buckets.pop((kind, who), (float(limit), now))
        tokens = min(float(limit), tokens + (now - then) * limit / 60)
        self._buckets[kind, who] = (tokens - (tokens >= 1), now)
        while len(self._buckets) > self.MAX_KEYS:
            self._buckets.popitem(last=False)
        return tokens >= 1


class RateLimit:
    """Answers 429 to floods of calls, uploads and tries to log in.

    A person is limited by cookie, and five times as loosely by address: a cookie can be thrown
    away, but many people may share an address.
    """

    def __init__(self, app: ASGIApp, settings: Settings, rates: Rates | None = None) -> None:
        self._app, self._settings = app, settings
        self._rates = rates or Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, or answers 429."""
        if scope["type"] == "http" and scope["method"] == "POST" and not self._allow(scope):
            await refuse(scope, receive, send, 429, words.TOO_OFTEN, {"retry-after": "10"})
            return
        await self._app(scope, receive, send)

    def _allow(self, scope: Scope) -> bool:
        path, address = scope["path"], (scope.get("client") or ("unknown", 0))[0]
        if path == LOGIN:
            return self._rates.allow("login", address, self._settings.logins_per_minute)
        if path.startswith(UPLOAD):
            kind, limit = "upload", self._settings.uploads_per_minute
        elif path.startswith(CALLS):
            kind, limit = "ask", self._settings.asks_per_minute
        else:
            return True
        person = cookie_of(scope, PERSON_COOKIE)
        if person and not self._rates.allow(kind, f"person {person}", limit):
            return False
        return self._rates.allow(kind, f"address {address}", 5 * limit if person else limit)


class BodyLimit:
    """Answers 413 to bodies that are too long, counted while they arrive, and 408 to slow ones.

    Args:
        trusted: tells whether a request may bring a whole data set.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        trusted: Callable[[Scope], bool] = lambda _: False,
    ) -> None:
        self._app, self._trusted = app, trusted
        self._upload = settings.max_upload_bytes + _FORM_BYTES
        self._dataset = settings.max_dataset_bytes + _FORM_BYTES
        self._other = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on with a body that is counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, seconds = self._other, _BODY_SECONDS
        if scope["path"].startswith(UPLOAD):
            trusted = self._trusted(scope)
            limit, seconds = (self._dataset, 10 * seconds) if trusted else (self._upload, seconds)
        body = _Body(receive, send, limit, seconds)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and len(declared) < 20 and int(declared) <= limit:
            try:
                await self._app(scope, body.receive, body.send)
            except Exception:
                # Whoever was reading the body may report its end in words of its own.
                if not body.refused:
                    raise
        else:
            body.refused = 413
        if body.refused and not body.answered:
            told = {
                413: words.REQUEST_LONG.format(most=limit / 1e6),
                408: words.REQUEST_SLOW.format(seconds=seconds),
            }
            await refuse(scope, receive, send, body.refused, told[body.refused])


class DiskLimit:
    """Makes room before an upload: deletes the oldest temporary files once they take too much.

    The page decodes a picture as soon as it has arrived, so an old file is missed by nobody.

    Args:
        keep: folders of files that the page shows everybody.
    """

    def __init__(self, app: ASGIApp, settings: Settings, keep: Callable[[], Set[str]]) -> None:
        self._app, self._keep = app, keep
        self._folder, self._limit = settings.cache, settings.cache_bytes
        self._next = settings.max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, after making room if it is an upload."""
        if scope["type"] == "http" and scope["path"].startswith(UPLOAD):
            await asyncio.to_thread(self._make_room)
        await self._app(scope, receive, send)

    def _make_room(self) -> None:
        keep = self._keep()
        files = [
            (status.st_mtime, status.st_size, path)
            for path in self._folder.rglob("*")
            if path.parent.name not in keep and (status := _status(path)) is not None
        ]
        excess = sum(size for _, size, _ in files) + self._next - self._limit
        for _, size, path in sorted(files):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size


def _status(path: Path) -> os.stat_result | None:
    """Returns the status of a file; None if it is no file, or gone by now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


class _Body:
    """A request's channels: counts what arrives, and withholds answers to a body cut short."""

    def __init__(self, receive: Receive, send: Send, limit: int, seconds: float) -> None:
        self._receive, self._send, self._left = receive, send, limit
        self._deadline = time.monotonic() + seconds
        self._complete = self.answered = False
        self.refused = 0

    async def receive(self) -> Message:
        """Returns the next piece; a disconnection once too much or too late has come."""
        if self.refused:
            return {"type": "http.disconnect"}
        if self._complete:  # what follows only tells when the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self.refused = 408
            return {"type": "http.disconnect"}
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.refused = 413
            return {"type": "http.disconnect"}
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Hands an answer on, unless the body was refused before it began."""
        if self.refused and not self.answered:
            return
        self.answered = True
        await self._send(message)
