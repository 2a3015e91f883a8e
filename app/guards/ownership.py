"""What belongs to whom: sessions, calls and files are bound to an HttpOnly cookie.

Gradio lets whoever knows a session's name read its state, and whoever knows a file's path read the
file. Here a name is claimed by the first person who uses it, and a temporary file may be read or
used only by those who sent it or were sent it. A program without cookies is known by its address.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from app import words
from app.guards.requests import MCP, PERSON_COOKIE, UPLOAD, cookie_of, refuse, with_header
from model.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


_FOLDER = re.compile(r"[/\\]([0-9a-f]{64})(?=[/\\]|$)", re.IGNORECASE)
"""Gradio keeps each temporary file in a folder named by sha256."""

_SENT_FILE = re.compile(rb'"path": ?"((?:[^"\\]|\\.){1,4096})"')
"""A file in an answer; quotation marks inside a text are escaped, so a text never matches."""

_SENT_CALL = re.compile(rb'"event_id": ?"([0-9a-f]{32})"')

_TAIL = 4200
"""Bytes of an answer kept to find a name that is split between two pieces."""

_LARGE = 256 * 1024
"""Bytes from which a body is checked in a thread, so that others need not wait."""

_MAX_LEAVES = 200_000
"""Values in one body; 100 regions with long scribbles stay far below."""


class Claims:
    """Who may use which names; the longest unused names are forgotten.

    Args:
        limit: names remembered.

    Attributes:
        public: names that everybody may use.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._owners: OrderedDict[str, set[str]] = OrderedDict()
        self.public: set[str] = set()

    def publish(self, name: str) -> None:
        """Lets everybody use a name."""
        self.public.add(name)

    def grant(self, name: str, person: str) -> None:
        """Lets one more person use a name."""
        self._owners.setdefault(name, set()).add(person)
        self._owners.move_to_end(name)
        while len(self._owners) > self._limit:
            self._owners.popitem(last=False)

    def claim(self, name: str, person: str) -> bool:
        """Takes a name nobody has; returns whether the person may use it now."""
        if name not in self._owners and name not in self.public:
            self.grant(name, person)
        return self.may(name, person)

    def may(self, name: str, person: str) -> bool:
        """Returns whether a person may use a name."""
        if name in self._owners:
            self._owners.move_to_end(name)
        return name in self.public or person in self._owners.get(name, ())


def file_name(path: str) -> str:
    """Returns the name a file is known by: its temporary folder, else its whole path."""
    found = _FOLDER.search(path)
    return found.group(1).lower() if found else path


def files_in(content: bytes) -> set[str]:
    """Returns the names of the files that a JSON text hands out."""
    paths = (json.loads(b'"' + path + b'"') for path in _SENT_FILE.findall(content))
    return {file_name(path) for path in paths}


def leaves(value: object) -> Iterator[tuple[str, object]]:
    """Yields what a JSON document holds besides lists and objects, each with its nearest key."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((str(name), item) for name, item in value.items())
        elif isinstance(value, list):
            waiting.extend((key, item) for item in value)
        else:
            yield key, value


class Ownership:
    """Answers 403 to whoever uses another person's session, call or file, and 400 to bad JSON.

    Args:
        claims: shared with whoever publishes files.
    """

    def __init__(self, app: ASGIApp, claims: Claims) -> None:
        self._app, self._claims = app, claims

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on if everything it names is the person's own."""
        if scope["type"] != "http" or not scope["path"].startswith("/gradio_api/"):
            await self._app(scope, receive, send)
            return
        person = person_of(scope)
        try:
            self._check_address(scope, person)
            if scope["method"] == "POST" and not scope["path"].startswith(UPLOAD):
                content = await _body(scope, receive)
                if len(content) > _LARGE:
                    await asyncio.to_thread(self._check_body, content, person)
                else:
                    self._check_body(content, person)
                receive = _again(content, receive)
        except PermissionError:
            await refuse(scope, receive, send, 403, words.REQUEST_OTHERS)
            return
        except InputError as error:
            await refuse(scope, receive, send, 400, str(error))
            return
        # A compressed answer could not be read for what it hands out.
        hidden: dict[str, str | None] = {"accept-encoding": None}
        if scope["path"].startswith(MCP):
            # Gradio calls itself with the headers of a tool's caller, but as a person of its own.
            hidden["cookie"] = None
        scope = with_header(scope, hidden)
        await self._app(scope, receive, _Crediting(scope, send, self._claims, person))

    def _check_address(self, scope: Scope, person: str) -> None:
        """Raises PermissionError if the address names what belongs to somebody else."""
        path = scope["path"].removeprefix("/gradio_api/")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        names = [*query.get("session_hash", ()), *query.get("upload_id", ())]
        parts = path.strip("/").split("/")
        if parts[0] == "heartbeat" or (parts[0] == "call" and scope["method"] == "GET"):
            names.append(parts[-1])
        if path.startswith(("file=", "file/")):
            self._check_file(path[5:], person)
        if not all(self._claims.claim(name, person) for name in names):
            raise PermissionError

    def _check_file(self, path: str, person: str) -> None:
        """Raises PermissionError unless a person may read a file; Gradio guards other folders."""
        if ":/" in path or ".." in path or path.startswith(("//", "\\\\")):
            raise PermissionError
        if not all(self._claims.may(name.lower(), person) for name in _FOLDER.findall(path)):
            raise PermissionError

    def _check_body(self, content: bytes, person: str) -> None:
        """Checks every value of a JSON body.

        Raises:
            PermissionError: it names a session, call or file of somebody else.
            InputError: it is no JSON, too complicated, or holds a number that is not finite.
        """
        try:
            document = json.loads(content or b"null")
        except (ValueError, RecursionError) as error:
            raise InputError(words.REQUEST_NO_JSON) from error
        if isinstance(document, dict):
            named = (str(document.get(key) or "") for key in ("session_hash", "event_id"))
            if not all(self._claims.claim(name, person) for name in named if name):
                raise PermissionError
        for count, (key, value) in enumerate(leaves(document)):
            if count > _MAX_LEAVES:
                raise InputError(words.REQUEST_MANY.format(most=_MAX_LEAVES))
            if isinstance(value, float) and not math.isfinite(value):
                name = f"{key or words.REQUEST_VALUE:.40}"
                raise InputError(words.REQUEST_INFINITE.format(name=name, value=value))
            if isinstance(value, str) and key in {"path", "url"}:
                self._check_reference(key, value, person)

    def _check_reference(self, key: str, text: str, person: str) -> None:
        """Raises PermissionError unless a person may have a file used that a body refers to."""
        if key == "path" and (".." in text or not self._claims.may(file_name(text), person)):
            raise PermissionError
        if not all(self._claims.may(name.lower(), person) for name in _FOLDER.findall(text)):
            raise PermissionError


def person_of(scope: Scope) -> str:
    """Returns who sent a request: the value of the cookie, or the address of a program."""
    value = cookie_of(scope, PERSON_COOKIE)
    if value:
        return f"cookie {value}"
    return f"address {(scope.get('client') or ('unknown', 0))[0]}"


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Returns a whole JSON body.

    Raises:
        InputError: it is of another type, or the client left in the middle.
    """
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    pieces, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InputError(words.REQUEST_CUT)
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    if kind != "application/json" and any(pieces):
        named = f"{kind or words.REQUEST_KIND_UNKNOWN!r:.40}"
        raise InputError(words.REQUEST_KIND.format(kind=named))
    return b"".join(pieces)


def _again(content: bytes, receive: Receive) -> Receive:
    """Returns a channel that gives a body once more, then tells when the client leaves."""
    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


class _Crediting:
    """A `send` that notes which files and calls an answer hands to its reader."""

    def __init__(self, scope: Scope, send: Send, claims: Claims, person: str) -> None:
        self._send, self._claims, self._person = send, claims, person
        self._upload = scope["path"].startswith(UPLOAD)
        self._reads, self._tail = False, b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            self._reads = kind.startswith(("application/json", "text/event-stream"))
        elif self._reads:
            self._note(message.get("body", b""), message.get("more_body", False))
        await self._send(message)

    def _note(self, piece: bytes, more: bool) -> None:
        content = self._tail + piece
        if self._upload:  # a plain list of paths, short, and complete only at its end
            self._tail = content
            names = set() if more else _uploaded(content)
        else:
            self._tail = content[-_TAIL:]
            names = files_in(content) | {m.decode() for m in _SENT_CALL.findall(content)}
        for name in names:
            self._claims.grant(name, self._person)


def _uploaded(content: bytes) -> set[str]:
    """Returns the names of uploaded files from Gradio's answer."""
    try:
        paths = json.loads(content)
    except ValueError:
        return set()
    return {file_name(path) for path in paths} if isinstance(paths, list) else set()
