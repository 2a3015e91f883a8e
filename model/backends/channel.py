"""A careful line to a server that may be down, slow, wrong or hostile.

One POST whose answer is a stream of server-sent events. Nothing is followed, everything is capped,
the key is sent to the configured address only and is in no message.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from model.backends.streams import Sink
from model.errors import BackendError

_ADDRESS = re.compile(r"openai:(https?://[^\s#@?]{1,200})#([\w.:/@-]{1,200})")
_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model is served: the base URL of an OpenAI-compatible API, and the model's id."""

    url: str
    model: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Returns the address in `openai:http://host:port/v1#model-id`; raises BackendError."""
        match = _ADDRESS.fullmatch(text)
        if match is None or not urlsplit(match[1]).hostname:
            raise BackendError(
                f"{text!r:.120} is no address of a served model; write it like "
                "openai:http://127.0.0.1:8000/v1#Qwen/Qwen3-VL-8B-Instruct, without a password."
            )
        return cls(match[1].rstrip("/"), match[2])


@dataclass(frozen=True, slots=True)
class Limits:
    """What is waited for and read.

    Attributes:
        connect: seconds until a connection must stand.
        read: seconds between two pieces of an answer.
        whole: seconds for the whole answer.
        line: bytes of one event.
        body: bytes of the whole answer.
        bad_lines: events that may be unreadable.
        tries: how often a request is made at most.
        backoff: seconds before the second try; twice as long before each further one.
        patience: the longest a server may ask to wait.
        trips: failed requests in a row after which the server is left alone.
        rest: seconds it is left alone.
    """

    connect: float = 5.0
    read: float = 60.0
    whole: float = 300.0
    line: int = 256 * 1024
    body: int = 8 * 1024 * 1024
    bad_lines: int = 20
    tries: int = 3
    backoff: float = 0.5
    patience: float = 10.0
    trips: int = 3
    rest: float = 30.0


class _Passing(Exception):  # noqa: N818 - no error yet: worth another try
    """A failure that may pass by itself."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class RefusedError(BackendError):
    """The server is well but does not take this request."""


class Breaker:
    """Leaves a server alone for a while after several failures in a row."""

    def __init__(
        self, trips: int, rest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._trips, self._rest, self._clock = trips, rest, clock
        self._failures, self._until = 0, 0.0
        self._lock = threading.Lock()

    def check(self, server: str) -> None:
        """Raises BackendError while the server is left alone."""
        with self._lock:
            left = self._until - self._clock()
            if left > 0:
                raise BackendError(
                    f"{server} failed {self._failures} times in a row; it is asked again in "
                    f"{left:.0f} s."
                )

    def note(self, *, failed: bool) -> None:
        """Counts how a request ended."""
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= self._trips:
                self._until = self._clock() + self._rest


class Channel:
    """Requests to one server."""

    def __init__(self, address: Address, key: str = "", limits: Limits | None = None) -> None:
        """Takes where to ask; `key` is sent as a bearer token."""
        self.address, self.limits = address, limits or Limits()
        self.breaker = Breaker(self.limits.trips, self.limits.rest)
        self._key = key

    def events(self, body: dict[str, Any], sink: Sink[Any]) -> Iterator[dict[str, Any]]:
        """Yields the JSON events of a streamed answer until the server ends it.

        Tries again, with growing pauses, as long as nothing was read.

        Raises:
            BackendError: the server cannot be reached, refuses, or sends what is no answer.
        """
        self.breaker.check(self.address.url)
        for attempt in range(self.limits.tries):
            read = False
            try:
                for event in self._once(body, sink):
                    if not read:
                        self.breaker.note(failed=False)
                    read = True
                    yield event
                return
            except (_Passing, httpx.HTTPError) as error:
                if sink.gone:
                    return
                if read or attempt + 1 == self.limits.tries or isinstance(error, httpx.ReadTimeout):
                    self.breaker.note(failed=True)
                    raise BackendError(self._explain(error)) from None
                self._pause(attempt, error, sink)
            except RefusedError:
                raise
            except BackendError:
                self.breaker.note(failed=True)
                raise

    def _once(self, body: dict[str, Any], sink: Sink[Any]) -> Iterator[dict[str, Any]]:
        limits = self.limits
        timeout = httpx.Timeout(limits.read, connect=limits.connect)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # A client of its own for each request: no connection outlives its answer.
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "POST",
                f"{self.address.url}/chat/completions",
                json=body,
                headers=headers,
                extensions={"trace": _hang_up_with(sink)},
            ) as response,
        ):
            self._check(response)
            bad = 0
            for line in self._lines(response, sink):
                if line == "[DONE]":
                    return
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    event = None
                if isinstance(event, dict):
                    yield event
                    continue
                bad += 1
                if bad > limits.bad_lines:
                    raise BackendError(f"{self.address.url} sends what is no answer.")

    def _check(self, response: httpx.Response) -> None:
        """Raises unless the server begins to stream."""
        code = response.status_code
        if code in _RETRIED:
            raise _Passing(f"status {code}", _seconds(response.headers.get("retry-after", "")))
        if response.is_redirect:
            raise BackendError(
                f"{self.address.url} redirects elsewhere, which is not followed; give its final "
                "address."
            )
        if code != 200:
            raise RefusedError(
                f"{self.address.url} refuses with status {code}: {_message(response)}"
            )
        kind = response.headers.get("content-type", "nothing")
        if not kind.startswith("text/event-stream"):
            raise BackendError(
                f"{self.address.url} answers with {kind!r:.60} instead of a stream; is it an "
                "OpenAI-compatible API, and does its address end in /v1?"
            )

    def _lines(self, response: httpx.Response, sink: Sink[Any]) -> Iterator[str]:
        """Yields the data of each event."""
        limits, deadline = self.limits, time.monotonic() + self.limits.whole
        buffer, total = b"", 0
        for chunk in response.iter_bytes():
            if sink.gone:
                return
            total += len(chunk)
            buffer += chunk
            *lines, buffer = buffer.split(b"\n")
            if total > limits.body or len(buffer) > limits.line:
                raise BackendError(f"{self.address.url} sends more than an answer can be long.")
            if time.monotonic() > deadline:
                raise BackendError(f"{self.address.url} took longer than {limits.whole:.0f} s.")
            for line in lines:
                if line.startswith(b"data:"):
                    yield line[5:].decode("utf-8", "replace").strip()

    def _pause(self, attempt: int, error: Exception, sink: Sink[Any]) -> None:
        wait = self.limits.backoff * 2**attempt * random.uniform(0.75, 1.25)
        wait = min(max(wait, getattr(error, "wait", 0.0)), self.limits.patience)
        until = time.monotonic() + wait
        while time.monotonic() < until and not sink.gone:
            sink.left.wait(min(0.05, wait))

    def _explain(self, error: Exception) -> str:
        """Returns a message without the request's headers."""
        url = self.address.url
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return f"Nothing answers at {url}; is the server running there?"
            case httpx.TimeoutException():
                return f"{url} sent nothing for {self.limits.read:.0f} s; try again later."
            case _Passing():
                return f"{url} is busy or failing ({error}); try again later."
            case _:
                return f"The connection to {url} broke ({type(error).__name__}); try again."


def _hang_up_with(sink: Sink[Any]) -> Callable[[str, dict[str, Any]], None]:
    """Returns a trace hook that lets a reader who leaves wake the thread that waits for bytes."""

    def trace(event: str, details: dict[str, Any]) -> None:
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        line = details["return_value"].get_extra_info("socket")

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        sink.cancel = hang_up
        if sink.gone:
            hang_up()

    return trace


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0


def _message(response: httpx.Response) -> str:
    """Returns what a refusal says, short and on one line."""
    read = b""
    for chunk in response.iter_bytes():
        read += chunk
        if len(read) > 4096:
            break
    text = read[:4096].decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        told: Any = json.loads(text)
        for name in ("error", "message"):
            told = told.get(name, told) if isinstance(told, dict) else told
        text = str(told)
    return " ".join(text.split())[:200]
