"""An OpenAI-compatible server on this machine that behaves, or misbehaves in a given way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ["It is ", "a ca", "t.\n", '[{"bbox_2d": [100, ', '200, 300, 400], "label": "cat"}]']


class FakeServer(ThreadingHTTPServer):
    """Answers in a `mode`; remembers the requests it got."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, mode: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode = mode
        self.words = WORDS
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.over = threading.Event()
        self.hung_up = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keeps quiet about clients that leave."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeServer

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        """Stands where redirects lead; nobody should come here."""
        self.server.requests.append(("GET", dict(self.headers), {}))
        self.send_error(404)

    def do_POST(self) -> None:
        """Answers a chat request."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        getattr(self, f"_{self.server.mode}")(body)

    def _begin(self, kind: str = "text/event-stream; charset=utf-8", code: int = 200) -> None:
        self.send_response(code)
        self.send_header("content-type", kind)
        self.end_headers()

    def _say(self, text: str, finish: str | None = None, logprob: float | None = None) -> None:
        choice: dict[str, Any] = {"delta": {"content": text}, "finish_reason": finish}
        if logprob is not None:
            choice["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
        self._raw(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())

    def _raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def _well(self, body: dict[str, Any]) -> None:
        self._begin()
        self._raw(b": a comment\n\n")
        for word in self.server.words:
            self._say(word, logprob=-0.5 if body.get("logprobs") else None)
        self._say("", "stop")
        self._raw(b"data: [DONE]\n\n")

    def _slow(self, _: dict[str, Any]) -> None:
        self._begin()
        self._say("It ")
        # Reading returns as soon as the other side hangs up.
        self.rfile.read(1)
        self.server.hung_up.set()

    def _garbage(self, _: dict[str, Any]) -> None:
        self._begin()
        for i in range(100):
            self._raw(f"data: {{not json {i}\n\n".encode())

    def _strange(self, _: dict[str, Any]) -> None:
        self._begin()
        for event in ([], 1, {"choices": 3}, {"choices": [[]]}, {"choices": [{"delta": 4}]}):
            self._raw(f"data: {json.dumps(event)}\n\n".encode())
        self._say("fine", "stop")

    def _endless(self, _: dict[str, Any]) -> None:
        self._begin()
        while not self.server.over.is_set():
            self._say("on and on and on and on ")

    def _long_line(self, _: dict[str, Any]) -> None:
        self._begin()
        while not self.server.over.is_set():
            self._raw(b"x" * 65536)

    def _redirect(self, _: dict[str, Any]) -> None:
        self.send_response(307)
        self.send_header("location", f"{self.server.url}/elsewhere")
        self.end_headers()

    def _wrong_type(self, _: dict[str, Any]) -> None:
        self._begin("text/html")
        self._raw(b"<h1>Hello</h1>")

    def _half(self, _: dict[str, Any]) -> None:
        self._begin()
        self._say("It is a ca")

    def _nothing(self, _: dict[str, Any]) -> None:
        self._begin()

    def _busy(self, body: dict[str, Any]) -> None:
        if len(self.server.requests) < 3:
            self.send_response(429)
            self.send_header("retry-after", "9999")
            self.end_headers()
        else:
            self._well(body)

    def _always_busy(self, _: dict[str, Any]) -> None:
        self.send_error(503)

    def _refuse(self, _: dict[str, Any]) -> None:
        self._begin("application/json", 404)
        self._raw(json.dumps({"error": {"message": "no such\nmodel"}}).encode())

    def _no_logprobs(self, body: dict[str, Any]) -> None:
        if "logprobs" in body:
            self._begin("application/json", 400)
            self._raw(b'{"error": "logprobs are not supported"}')
        else:
            self._well(body)


@contextmanager
def serving(mode: str) -> Iterator[FakeServer]:
    """Runs a server in a thread."""
    server = FakeServer(mode)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
        time.sleep(0)
