"""Where a request comes from and where it goes.

Gradio mirrors every Origin, trusts X-Forwarded-Host and brings routes nobody needs; these guards
are why none of that matters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from app import words
from app.guards.requests import LOGIN, MCP, READ, WRITE, refuse
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SecurityHeaders:
    """Adds to every response the headers that keep a browser from helping an attacker."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        ancestors = " ".join(("'self'", *settings.frame_ancestors))
        # Gradio starts from inline scripts and compiles templates with new Function.
        policy = (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            "media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
            "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
            f"frame-ancestors {ancestors}"
        )
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        }
        if not settings.frame_ancestors:
            self._headers["x-frame-options"] = "SAMEORIGIN"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A file that a stranger sent must stay inert even when it is opened on its own.
        inert = scope["path"].startswith("/gradio_api/file")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if inert:
                    headers["content-security-policy"] = "default-src 'none'; sandbox"
                    headers["cache-control"] = "private, no-cache"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ForwardedHeaders:
    """Removes headers by which a client could choose the page's address, unless a proxy is ours."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = set(settings.hosts) if settings.trusted_proxy else set()
        self._trusted = settings.trusted_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on without the headers that cannot be trusted."""
        if scope["type"] == "http":
            kept = [pair for pair in scope["headers"] if self._keep(*pair)]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)

    def _keep(self, name: bytes, value: bytes) -> bool:
        if name == b"x-forwarded-host":
            return value.decode("latin-1").strip().lower() in self._hosts
        if name in {b"x-gradio-server", b"x-forwarded-prefix", b"x-original-url"}:
            return False
        return self._trusted or not (name.startswith(b"x-forwarded") or name == b"forwarded")


class SameOrigin:
    """Refuses what another site's page asks a visitor's browser to do here.

    Programs send neither Origin nor Sec-Fetch-Site and pass; browsers cannot leave them out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 403 to a request from elsewhere; only the page itself may be linked to."""
        if scope["type"] == "http" and not _from_here(scope):
            await refuse(scope, receive, send, 403, words.REQUEST_ELSEWHERE)
            return
        await self._app(scope, receive, send)


def _from_here(scope: Scope) -> bool:
    """Returns whether a request comes from the page itself, a program or the address bar."""
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    reading = scope["method"] in {"GET", "HEAD"}
    if reading and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate":
        return True
    if site not in {"same-origin", "none"}:
        return False
    if origin is None:
        return True
    here = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()} - {""}
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() in here


class Routes:
    """Answers 404 to every route the page does not need: Gradio brings many more."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._mcp = app, settings.mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on only what the page, its files and its named calls need."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and not self._known(scope["method"], scope["path"]):
            await refuse(scope, receive, send, 404, words.REQUEST_NOWHERE)
        else:
            await self._app(scope, receive, send)

    def _known(self, method: str, path: str) -> bool:
        """Returns whether a route is one of ours."""
        if path == MCP or path.startswith(f"{MCP}/"):
            return self._mcp
        if path.startswith("/gradio_api/queue/join"):
            return method == "POST"
        if method in {"GET", "HEAD"}:
            return path in {"/", LOGIN} or path.startswith(READ)
        return method == "POST" and (path == LOGIN or path.startswith(WRITE))
