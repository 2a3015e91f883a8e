"""Hosts the page: FastAPI with its guards around Gradio, health checks, and the way to start."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import page, theme, trial, words
from app.guards.admin import AdminHeader, Admins
from app.guards.limits import BodyLimit, DiskLimit, RateLimit
from app.guards.origin import ForwardedHeaders, Routes, SameOrigin, SecurityHeaders
from app.guards.ownership import Claims, Ownership, files_in
from app.guards.person import PersonCookie
from app.serving import Told, reopen
from app.settings import Settings
from model.backends import open_backend
from model.errors import ConfigError, DeixisError

if TYPE_CHECKING:
    from model.backends import Backend

PROXIES = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1"]
"""Where a trusted proxy may stand: on this machine or in a private network."""

_SWEEP_SECONDS = 60
_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_RUN_HISTORY": "False",
}

Ready = Callable[[], str]
"""Returns what is still missing; empty once everything is there."""


def prepare(settings: Settings) -> None:
    """Sets what Gradio and Pillow read from the process before a page is built."""
    os.environ.update(_ENVIRONMENT)
    settings.cache.mkdir(parents=True, exist_ok=True)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    os.environ["GRADIO_TEMP_DIR"] = str(settings.cache.resolve())
    # Above twice this Pillow itself refuses, wherever in the process a picture is opened.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels


def build(blocks: gr.Blocks, settings: Settings, ready: Ready = lambda: "") -> FastAPI:
    """Returns the application that serves a page behind all guards.

    Args:
        blocks: made after `prepare`; the files it shows at first are public.
        settings: limits and names.
        ready: tells /readyz what is still missing, such as the model.
    """
    claims, admins = Claims(), Admins(settings)
    host = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=[admins.route()],
        middleware=_guards(settings, claims, admins),
    )

    @host.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @host.get("/readyz")
    async def readyz() -> JSONResponse:
        missing = ready()
        return JSONResponse({"status": missing or "ready"}, 503 if missing else 200)

    blocks.delete_cache = (_SWEEP_SECONDS, settings.file_age)
    blocks.state_session_capacity = settings.max_people
    blocks.queue(
        api_open=False,  # else calls could go round the queue
        max_size=settings.queue_size,
        default_concurrency_limit=settings.concurrency,
    )
    gr.mount_gradio_app(
        host,
        blocks,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        max_file_size=max(settings.max_upload_bytes, settings.max_dataset_bytes),
        show_error=True,
        ssr_mode=False,
        mcp_server=settings.mcp,
        pwa=False,
        **theme.mount_options(),
    )
    blocks.has_launched = True  # else Gradio skips its own check of file paths when mounted
    for name in files_in(json.dumps(blocks.config, default=str).encode()):
        claims.publish(name)
    return host


def _guards(settings: Settings, claims: Claims, admins: Admins) -> list[Middleware]:
    """Returns all guards, outermost first."""
    proxy = [Middleware(ProxyHeadersMiddleware, PROXIES)] if settings.trusted_proxy else []
    return [
        Middleware(SecurityHeaders, settings),
        *proxy,
        Middleware(ForwardedHeaders, settings),
        Middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts, www_redirect=False),
        # Its mere presence keeps Gradio from mirroring every Origin with credentials.
        Middleware(CORSMiddleware, allow_origins=[]),
        Middleware(SameOrigin),
        Middleware(Routes, settings),
        Middleware(RateLimit, settings),
        Middleware(BodyLimit, settings, admins.holds),
        Middleware(DiskLimit, settings, lambda: claims.public),
        Middleware(PersonCookie),
        Middleware(AdminHeader, admins),
        Middleware(Ownership, claims),
    ]


def listen(settings: Settings) -> socket.socket:
    """Returns a socket that listens where the settings say.

    Raises:
        ConfigError: the address or port cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        door = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"Cannot listen on {settings.host} port {settings.port} ({error}); "
            "choose another with --host and --port."
        ) from error
    # Connections inherit it. Without it an answer's body waits 40 ms for the receipt of its head;
    # asyncio sets it only for sockets that were made with the protocol's number.
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


def serve(host: FastAPI, settings: Settings) -> None:
    """Serves until the process is told to end."""
    with listen(settings) as door:
        name = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
        name = f"[{name}]" if ":" in name else name
        print(f"Deixis is at http://{name}:{door.getsockname()[1]} (Ctrl+C ends it)", flush=True)
        config = uvicorn.Config(
            host,
            log_level="warning",
            proxy_headers=False,  # done by a guard, for trusted proxies only
            server_header=False,
            limit_concurrency=8 * settings.max_people,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[door])


class Loader:
    """Loads the model that was served last, and tells the page and /readyz how far it is.

    Attributes:
        missing: what is still missing; empty once the model is there.
        told: what is being done, in words for people.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.missing = "the model is loading"
        self.told = ""

    def __call__(self) -> Backend:
        """Returns the model; raises whatever keeps it from being loaded."""
        try:
            backend = reopen(self._settings, self._open, self._tell)
            self._tell(words.SERVING_TRIED)
            trial.weigh(self._settings, backend)
        except Exception:
            self.missing = "the model could not be loaded"
            raise
        self.missing = ""
        return backend

    def _open(self, name: str, tell: Told) -> Backend:
        return open_backend(name, self._settings.device, progress=tell)

    def _tell(self, told: str) -> None:
        self.told = told


def main(arguments: Sequence[str] | None = None) -> None:
    """Starts the page with the settings of the command line and the environment."""
    try:
        settings = Settings.read(arguments)
        prepare(settings)
        loader = Loader(settings)
        blocks = page.build(settings, loader, progress=lambda: loader.told)
        host = build(blocks, settings, lambda: loader.missing)
        serve(host, settings)
    except DeixisError as error:
        raise SystemExit(f"Deixis cannot start: {error}") from error
