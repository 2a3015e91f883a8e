"""Ownership: names are claimed, files granted, and nothing leads to another person's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guards import ownership
from app.guards.ownership import Claims, Ownership, file_name, files_in, leaves

Message = MutableMapping[str, Any]
HASH, OTHER = "ab" * 32, "cd" * 32


def request(path: str, method: str = "POST", query: str = "", **headers: str) -> Message:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    if method == "POST":
        pairs.append((b"content-type", b"application/json; charset=utf-8"))
    return {
        "type": "http",
        "method": method,
        "path": f"/gradio_api/{path}",
        "query_string": query.encode(),
        "headers": pairs,
        "client": ("192.0.2.1", 5),
    }


def person(name: str) -> dict[str, str]:
    return {"cookie": f"deixis_person={name}"}


class App:
    """Answers with what it is told to, in pieces, and remembers what reached it."""

    def __init__(self, *answers: bytes, kind: bytes = b"application/json") -> None:
        self.answers, self.kind = answers or (b"{}",), kind
        self.bodies: list[bytes] = []
        self.scopes: list[Message] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["method"] == "POST":
            self.bodies.append((await receive())["body"])
        headers = [(b"content-type", self.kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for place, answer in enumerate(self.answers):
            more = place + 1 < len(self.answers)
            await send({"type": "http.response.body", "body": answer, "more_body": more})


def status(app: App, claims: Claims, scope: Message, body: object = None) -> int:
    """Returns the status a request gets behind the guard."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    half = len(content) // 2
    arriving: list[Message] = [
        {"type": "http.request", "body": content[:half], "more_body": True},
        {"type": "http.request", "body": content[half:], "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return arriving.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Ownership(app, claims)(scope, receive, send))
    return sent[0]["status"]


def test_the_first_to_use_a_name_owns_it() -> None:
    claims = Claims()
    assert claims.claim("session", "me")
    assert not claims.claim("session", "you")
    assert not claims.may("unknown", "me")
    claims.grant("session", "you")
    assert claims.may("session", "you")
    claims.publish("sample")
    assert claims.may("sample", "anybody")
    assert claims.claim("sample", "anybody")


def test_the_longest_unused_names_are_forgotten() -> None:
    claims = Claims(limit=3)
    for name in "abc":
        claims.grant(name, "me")
    assert claims.may("a", "me")
    claims.grant("d", "me")
    assert [claims.may(name, "me") for name in "abcd"] == [True, False, True, True]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"/tmp/cache/{HASH}/x.png", HASH),
        (f"/tmp/cache/{HASH.upper()}/x.png", HASH),
        (f"C:\\cache\\{HASH}\\x.png", HASH),
        ("/app/assets/dog.jpg", "/app/assets/dog.jpg"),
        (f"/tmp/{HASH}0/x.png", f"/tmp/{HASH}0/x.png"),
    ],
)
def test_a_file_is_known_by_its_folder(path: str, name: str) -> None:
    assert file_name(path) == name


def test_only_real_files_of_an_answer_count() -> None:
    sent = {"data": [{"path": f"/c/{HASH}/a.png"}, f'"path":"/c/{OTHER}/b.png"', {"path": None}]}
    for content in (json.dumps(sent), json.dumps(sent, separators=(",", ":"))):
        assert files_in(content.encode()) == {HASH}
    assert files_in('{"path": "/c/été/\\u00e9 \\"q\\".png"}'.encode()) == {'/c/été/é "q".png'}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(JSON)
def test_every_leaf_is_seen(document: Any) -> None:
    def count(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(count, value.values()))
        return sum(map(count, value)) if isinstance(value, list) else 1

    assert len(list(leaves(document))) == count(document)


def test_bodies_reach_the_page_unchanged() -> None:
    app, body = App(), {"session_hash": "s", "data": ["é", 1.5, {"path": [[0.1, 0.2]]}]}
    assert status(app, Claims(), request("queue/join"), body) == 200
    assert json.loads(app.bodies[0]) == body


@pytest.mark.parametrize(
    ("scope", "body"),
    [
        (request("queue/join", **person("you")), {"session_hash": "s"}),
        (request("cancel", **person("you")), {"session_hash": "own", "event_id": "e"}),
        (request("queue/data", "GET", "session_hash=s", **person("you")), None),
        (request("queue/data", "GET", "a=1&session_hash=%73", **person("you")), None),
        (request("heartbeat/s", "GET", **person("you")), None),
        (request("call/ask/e", "GET", **person("you")), None),
        (request("call/v2/ask/e", "GET", **person("you")), None),
        (request("upload_progress", "GET", "upload_id=u", **person("you")), None),
        (request(f"file=/c/{HASH}/a.png", "GET", **person("you")), None),
        (request(f"file/c/{HASH}/a.png", "GET", **person("you")), None),
        (request("call/ask", **person("you")), {"data": [{"path": f"/c/{HASH}/a.png"}]}),
        (request("call/ask", **person("you")), {"data": {"a": [{"url": f"/x/{HASH}/a"}]}}),
        (request("queue/join"), {"session_hash": "s"}),
        (request("queue/join", cookie='deixis_person="cookie me"'), {"session_hash": "s"}),
    ],
    ids=lambda value: value["path"] if isinstance(value, dict) and "path" in value else "",
)
def test_another_persons_things_are_refused(scope: Message, body: object) -> None:
    claims = Claims()
    for name in ("s", "e", "u", HASH):
        claims.grant(name, "cookie me")
    app = App()
    assert status(app, claims, scope, body) == 403
    assert app.scopes == []


def test_ones_own_things_are_not() -> None:
    claims = Claims()
    for name in ("s", "e", HASH):
        claims.grant(name, "cookie me")
    me = person("me")
    body = {"session_hash": "s", "event_id": "e", "data": [{"path": f"/c/{HASH}/a.png"}]}
    assert status(App(), claims, request("queue/join", **me), body) == 200
    assert status(App(), claims, request(f"file=/c/{HASH}/a.png", "GET", **me)) == 200


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/a.png",
        "file:///etc/passwd",
        "//host/share/a.png",
        "\\\\host\\share\\a.png",
        f"/c/{HASH}/../{OTHER}/a.png",
        f"/c/{HASH}/../../etc/passwd",
    ],
)
def test_no_path_leads_away_from_ones_own(path: str) -> None:
    claims = Claims()
    claims.grant(HASH, "cookie me")
    assert status(App(), claims, request(f"file={path}", "GET", **person("me"))) == 403
    body = {"data": [{"path": path}]}
    assert status(App(), claims, request("call/ask", **person("me")), body) == 403


@pytest.mark.parametrize("cut", [1, 9, 40, 80, 100])
@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream; charset=utf-8"])
def test_what_is_sent_to_a_person_is_theirs(kind: bytes, cut: int) -> None:
    content = json.dumps(
        {"event_id": "0123456789abcdef" * 2, "file": {"path": f"/c/{HASH}/a.png"}}
    ).encode()
    claims = Claims()
    status(
        App(content[:cut], content[cut:], kind=kind), claims, request("x", "GET", **person("me"))
    )
    assert claims.may(HASH, "cookie me")
    assert claims.may("0123456789abcdef" * 2, "cookie me")
    assert not claims.may(HASH, "cookie you")


def test_pictures_are_not_searched_for_names() -> None:
    claims = Claims()
    content = b'{"path": "/c/' + HASH.encode() + b'/a.png"}'
    status(App(content, kind=b"image/png"), claims, request("x", "GET", **person("me")))
    assert not claims.may(HASH, "cookie me")


def test_an_upload_belongs_to_its_sender() -> None:
    claims = Claims()
    paths = json.dumps([f"/c/{HASH}/a.png", f"/c/{OTHER}/b.png"]).encode()
    status(App(paths[:30], paths[30:]), claims, request("upload", **person("me")))
    assert claims.may(HASH, "cookie me")
    assert claims.may(OTHER, "cookie me")
    status(App(b"not json"), claims, request("upload", **person("me")))


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[" * 60_000, b"1" * 60_000, b'{"a": NaN}', b'{"a": [1e999]}', b"[-Infinity]"],
    ids=lambda body: body[:12],
)
def test_odd_json_is_answered_400(body: bytes) -> None:
    assert status(App(), Claims(), request("queue/join"), body) == 400


def test_too_many_values_are_answered_400(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_MAX_LEAVES", 100)
    assert status(App(), Claims(), request("queue/join"), {"data": [0] * 50}) == 200
    assert status(App(), Claims(), request("queue/join"), {"data": [0] * 200}) == 400


def test_long_bodies_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_LARGE", 10)
    body = {"data": [{"path": f"/c/{HASH}/a.png"}]}
    assert status(App(), Claims(), request("call/ask"), body) == 403


def test_answers_are_asked_for_uncompressed() -> None:
    app = App()
    status(app, Claims(), request("info", "GET", accept_encoding="br, gzip"))
    assert b"accept-encoding" not in dict(app.scopes[0]["headers"])


def test_a_tools_caller_lends_no_cookie_to_the_page() -> None:
    app = App()
    status(app, Claims(), request("mcp/", **person("me")), {"jsonrpc": "2.0"})
    status(app, Claims(), request("cancel", **person("me")), {})
    assert [b"cookie" in dict(scope["headers"]) for scope in app.scopes] == [False, True]


def test_other_rooms_of_the_server_are_left_alone() -> None:
    app = App()
    scope = {**request("x", "GET", accept_encoding="br"), "path": "/assets/x.js"}
    assert status(app, Claims(), scope) == 200
    assert app.scopes[0] is scope
