"""What all guards need: our routes, a request's cookies and headers, a refusal in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

from app.session import COOKIE as PERSON_COOKIE

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = [
    "CALLS",
    "LOGIN",
    "MCP",
    "PERSON_COOKIE",
    "READ",
    "UPLOAD",
    "WRITE",
    "cookie_of",
    "refuse",
    "with_header",
]

UPLOAD = "/gradio_api/upload"
LOGIN = "/admin"
MCP = "/gradio_api/mcp"

CALLS = (
    "/gradio_api/queue/join",
    "/gradio_api/call/",
    "/gradio_api/run/",
    "/gradio_api/api/",
    "/gradio_api/component_server",
    MCP,
)
"""Routes that make the page work for somebody."""

READ = (
    "/healthz",
    "/readyz",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/robots.txt",
    "/pwa_icon",
    "/static/",
    "/assets/",
    "/svelte/",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/theme.css",
    "/gradio_api/app_id",
    "/gradio_api/startup-events",
    "/gradio_api/custom_component/",
    "/gradio_api/heartbeat/",
    "/gradio_api/queue/",
    "/gradio_api/call/",
    "/gradio_api/upload_progress",
    "/gradio_api/file=",
)
"""What may be fetched: the page, its parts, health, and what streams back."""

WRITE = (*CALLS, UPLOAD, "/gradio_api/cancel", "/gradio_api/reset")
"""What may be posted."""


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    told: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answers a request with a status and a sentence, under the names Gradio's client reads."""
    response = JSONResponse({"detail": told, "error": told}, status, headers)
    await response(scope, receive, send)


def cookie_of(scope: Scope, name: str) -> str:
    """Returns the value of a request's cookie; empty if it has none."""
    # The same lenient parser that handlers see, so that nobody is two people at once.
    return cookie_parser("; ".join(Headers(scope=scope).getlist("cookie"))).get(name, "")


def with_header(scope: Scope, changes: Mapping[str, str | None]) -> Scope:
    """Returns a request's scope with headers replaced, or removed where the value is None."""
    names = {name.encode("latin-1") for name in changes}
    kept = [pair for pair in scope["headers"] if pair[0].lower() not in names]
    added = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in changes.items() if v]
    return {**scope, "headers": kept + added}
