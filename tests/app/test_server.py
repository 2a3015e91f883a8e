"""The server, as strangers meet it: a real socket, a tiny page, rows 3, 4, 7, 27, 29 and 30."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image

from app import server, words
from app.guards.limits import RateLimit, Rates
from app.session import ADMIN_HEADER
from app.settings import Settings
from model.errors import CheckpointError, ConfigError
from tests.fakes import FakeBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning", "ignore:.*:ResourceWarning", "ignore:.*:UserWarning"
)

TOKEN = "the admin's long token"


def tiny_page() -> gr.Blocks:
    """Returns a page with a state, a picture in and out, and a word about who is asking."""

    def count(word: str, seen: int, request: gr.Request) -> tuple[str, int]:
        admin = request.headers.get(ADMIN_HEADER, "no")
        return f"{word} {seen} admin={admin} host={request.headers['host']}", seen + 1

    def shout(word: str) -> str:
        return word.upper()

    def mirror(path: str) -> tuple[str, str]:
        return path, str(Path(path).stat().st_size)

    with gr.Blocks(analytics_enabled=False) as page:
        word, said, seen = gr.Textbox(), gr.Textbox(), gr.State(0)
        gr.Button().click(count, [word, seen], [said, seen], api_name="count")
        gr.Button().click(shout, [word], [said], api_name="shout")
        picture, back, size = gr.Image(type="filepath"), gr.Image(), gr.Textbox()
        gr.Button().click(mirror, [picture], [back, size], api_name="mirror")
    return page


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, **options: Any) -> httpx.Client:
        """Returns a browser without any history."""
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=200, **options)
        self.clients.append(client)
        return client

    def close(self) -> None:
        """Closes all browsers."""
        for client in self.clients:
            client.close()

    def visitor(self) -> httpx.Client:
        """Returns a browser that has been here before."""
        client = self.client()
        assert client.get("/healthz").status_code == 200
        return client

    def raw(self, content: bytes) -> bytes:
        """Returns the first bytes of the answer to some bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=200) as line:
            line.sendall(content)
            return line.recv(4096)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        port=0,
        cache=tmp_path_factory.mktemp("cache"),
        admin_token=TOKEN,
        max_body_bytes=300_000,
        max_upload_bytes=500_000,
        asks_per_minute=10_000,
        uploads_per_minute=10_000,
        logins_per_minute=10_000,
    )


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    before = dict(os.environ)
    pixels = Image.MAX_IMAGE_PIXELS
    server.prepare(settings)
    with run(settings, "the model is loading") as port:
        served = Served(port)
        yield served
        served.close()
    os.environ.clear()
    os.environ.update(before)
    Image.MAX_IMAGE_PIXELS = pixels


class run:  # noqa: N801
    """Serves the tiny page from a thread while a `with` block lasts; gives the port."""

    def __init__(self, settings: Settings, missing: str = "") -> None:
        async def build() -> FastAPI:  # inside a loop, where Gradio makes no loops of its own
            return server.build(tiny_page(), settings, lambda: missing)

        host = asyncio.run(build())
        self._door = server.listen(settings)
        config = uvicorn.Config(
            host, log_level="error", proxy_headers=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._door]}, daemon=True
        )

    def __enter__(self) -> int:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self._door.getsockname()[1]

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._door.close()
        assert not self._thread.is_alive()


def ask(client: httpx.Client, session: str, word: str = "word", **more: Any) -> httpx.Response:
    """Returns the answer to joining the queue."""
    body = {"data": [word, None], "fn_index": 0, "session_hash": session, **more}
    return client.post("/gradio_api/queue/join", json=body)


def answer(client: httpx.Client, session: str) -> list[Any]:
    """Returns what the function returned at last."""
    text = client.get("/gradio_api/queue/data", params={"session_hash": session}).text
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return next(event for event in events if event["msg"] == "process_completed")["output"]["data"]


def upload(client: httpx.Client, colour: str = "red") -> str:
    """Returns the server's path of a new picture."""
    content = BytesIO()
    Image.new("RGB", (20, 20), colour).save(content, "PNG")
    sent = client.post("/gradio_api/upload", files={"files": ("x.png", content.getvalue())})
    assert sent.status_code == 200, sent.text
    return sent.json()[0]


def file_data(path: str) -> dict[str, Any]:
    """Returns a reference to a file as Gradio's clients send it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


# --- the page works ------------------------------------------------------------------------------


def test_the_page_answers_and_keeps_its_state(served: Served) -> None:
    client = served.visitor()
    for seen in range(2):
        assert ask(client, "mine").status_code == 200
        assert answer(client, "mine")[0].startswith(f"word {seen} admin=no")


def test_health_and_readiness(served: Served) -> None:
    client = served.client()
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "the model is loading"})


def test_gradios_own_client_works_and_keeps_its_state(served: Served) -> None:
    from gradio_client import Client, handle_file

    client = Client(f"http://127.0.0.1:{served.port}", verbose=False)
    assert client.predict("a", api_name="/count").startswith("a 0")
    assert client.predict("b", api_name="/count").startswith("b 1")
    sample = Path(__file__).with_suffix(".png")
    Image.new("RGB", (9, 9)).save(sample)
    try:
        assert client.predict(handle_file(sample), api_name="/mirror")[1] == str(
            sample.stat().st_size
        )
    finally:
        sample.unlink()
        client.close()


def test_a_program_without_cookies_can_call(served: Served) -> None:
    with served.client() as client:
        started = client.post("/gradio_api/call/count", json={"data": ["plain"]})
        client.cookies.clear()
        text = client.get(f"/gradio_api/call/count/{started.json()['event_id']}").text
    assert "plain 0" in text


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring",
        "/monitoring/summary",
        "/docs",
        "/openapi.json",
        "/gradio_api/runs",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/vibe-code",
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/token",
        "/gradio_api/dev/reload",
        "/gradio_api/stream/a/b/1/playlist.m3u8",
        "/logout",
    ],
)
def test_routes_nobody_needs_are_closed(served: Served, path: str) -> None:
    assert served.client().get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/login", "/gradio_api/process_recording", "/gradio_api/vibe-edit", "/", "/config"]
)
def test_nothing_else_may_be_posted(served: Served, path: str) -> None:
    assert served.client().post(path, json={}).status_code == 404


def test_calls_cannot_go_round_the_queue(served: Served) -> None:
    client = served.visitor()
    body = {"data": ["word", 0], "session_hash": "direct"}
    for route in ("run", "api"):
        reply = client.post(f"/gradio_api/{route}/count", json=body)
        assert reply.status_code == 404


# --- rows 3 and 27: other sites ------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "path",
    ["queue/join", "upload", "cancel", "component_server", "call/count", "run/count", "reset"],
)
def test_other_sites_cannot_post(served: Served, path: str, headers: dict[str, str]) -> None:
    reply = served.client().post(f"/gradio_api/{path}", json={"data": []}, headers=headers)
    assert reply.status_code == 403
    assert "another site" in reply.json()["detail"]
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("path", ["/config", "/gradio_api/info", "/gradio_api/heartbeat/x"])
def test_other_sites_cannot_read(served: Served, path: str) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert served.client().get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_origin_is_ever_mirrored(served: Served, method: str) -> None:
    asked = {
        "origin": "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    for path in ("/", "/config", "/gradio_api/queue/join"):
        reply = served.client().request(method, path, headers=asked)
        assert "access-control-allow-origin" not in reply.headers
        assert "access-control-allow-credentials" not in reply.headers


def test_the_page_itself_may_be_linked_to(served: Served) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert served.client().get("/", headers=headers).status_code == 200


def test_the_page_may_post_to_itself(served: Served) -> None:
    for origin in (f"http://127.0.0.1:{served.port}",):
        headers = {"origin": origin, "sec-fetch-site": "same-origin"}
        assert served.visitor().post("/gradio_api/reset", json={}, headers=headers).status_code in {
            200,
            422,
        }


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:7860", 200),
        ("[::1]:7860", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("127.0.0.1@evil.example", 400),
        ("", 400),
    ],
)
def test_only_known_host_names_are_served(served: Served, name: str, status: int) -> None:
    reply = served.raw(
        f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
    )
    assert int(reply.split()[1]) == status


def test_a_client_cannot_choose_the_pages_address(served: Served) -> None:
    forged = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "1.2.3.4",
        "x-gradio-server": "https://evil.example/",
        "forwarded": "host=evil.example",
    }
    for path in ("/", "/config"):
        reply = served.client().get(path, headers=forged)
        assert reply.status_code == 200
        assert "evil.example" not in reply.text
        assert "https" not in str(re.findall(r'"root":"[^"]*"', reply.text))


# --- headers and cookies -------------------------------------------------------------------------


def test_every_answer_carries_security_headers(served: Served) -> None:
    client = served.client()
    for reply in (client.get("/"), client.get("/nothing"), client.get("/gradio_api/info")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["x-frame-options"] == "SAMEORIGIN"
        policy = reply.headers["content-security-policy"]
        assert "object-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "http" not in policy


def test_the_cookie_is_hidden_from_scripts_and_stays(served: Served) -> None:
    client = served.client()
    cookie = client.get("/").headers["set-cookie"]
    assert re.fullmatch(r"deixis_person=[\w-]{32}; Path=/; HttpOnly; SameSite=Lax", cookie)
    assert "set-cookie" not in client.get("/").headers


# --- rows 4 and 30: two people -------------------------------------------------------------------


def test_another_persons_session_is_refused(served: Served) -> None:
    one, other = served.visitor(), served.visitor()
    assert ask(one, "shared-name").status_code == 200
    assert answer(one, "shared-name")[0].startswith("word 0")
    stranger = served.client()
    for thief in (other, stranger):
        assert ask(thief, "shared-name").status_code == 403
        for path in ("queue/data?session_hash=shared-name", "heartbeat/shared-name"):
            assert thief.get(f"/gradio_api/{path}").status_code == 403
        body = {"session_hash": "shared-name", "fn_index": 0, "event_id": "none"}
        assert thief.post("/gradio_api/cancel", json=body).status_code == 403
        body = {"session_hash": "shared-name", "component_id": 1, "fn_name": "x", "data": 1}
        assert thief.post("/gradio_api/component_server", json=body).status_code == 403
    assert ask(one, "shared-name").status_code == 200
    assert answer(one, "shared-name")[0].startswith("word 1")


def test_another_persons_call_is_refused(served: Served) -> None:
    one, other = served.visitor(), served.visitor()
    started = one.post("/gradio_api/call/count", json={"data": ["secret"]}).json()["event_id"]
    assert other.get(f"/gradio_api/call/count/{started}").status_code == 403
    body = {"session_hash": "other-own", "fn_index": 0, "event_id": started}
    assert other.post("/gradio_api/cancel", json=body).status_code == 403
    assert "secret" in one.get(f"/gradio_api/call/count/{started}").text


def test_another_persons_file_is_refused(served: Served) -> None:
    one, other = served.visitor(), served.visitor()
    path = upload(one, "green")
    own = one.get(f"/gradio_api/file={path}")
    assert own.status_code == 200
    assert "sandbox" in own.headers["content-security-policy"]
    decoy = Path(upload(other, "white"))
    tricks = [
        path,
        path.replace("/", "//"),
        str(decoy.parent / ".." / Path(path).parent.name / "x.png"),
        path.replace(Path(path).parent.name, Path(path).parent.name.upper()),
    ]
    for trick in tricks:
        assert other.get(f"/gradio_api/file={trick}").status_code == 403
        used = {"data": [file_data(trick)], "fn_index": 2, "session_hash": "thief"}
        assert other.post("/gradio_api/queue/join", json=used).status_code == 403
        called = {"data": [file_data(trick)]}
        assert other.post("/gradio_api/call/mirror", json=called).status_code == 403


def test_what_a_person_is_sent_may_be_fetched(served: Served) -> None:
    client = served.visitor()
    body = {"data": [file_data(upload(client, "blue"))], "fn_index": 2, "session_hash": "look"}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    sent = answer(client, "look")[0]["path"]
    assert client.get(f"/gradio_api/file={sent}").status_code == 200
    assert served.visitor().get(f"/gradio_api/file={sent}").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "pyproject.toml",
        "http://127.0.0.1:1/x.png",
        "https://example.org/x.png",
        "file:///etc/passwd",
        "\\\\host\\share\\x.png",
    ],
)
def test_no_path_leads_elsewhere(served: Served, path: str) -> None:
    client = served.visitor()
    body = {"data": [file_data(path)], "fn_index": 2, "session_hash": "elsewhere"}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 403
    assert client.get(f"/gradio_api/file={path}").status_code in {403, 404}


# --- rows 5, 6 and 7: bodies ---------------------------------------------------------------------


@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
@pytest.mark.parametrize(
    "path", ["/gradio_api/queue/join", "/gradio_api/call/count", "/gradio_api/component_server"]
)
def test_long_json_bodies_are_cut_off(served: Served, path: str, declared: bool) -> None:
    picture = "data:image/png;base64," + "A" * 400_000
    content = json.dumps({"data": [picture], "fn_index": 0, "session_hash": "big"}).encode()
    pieces = content if declared else iter([content[:1000], content[1000:350_000]])
    reply = served.visitor().post(
        path, content=pieces, headers={"content-type": "application/json"}
    )
    assert reply.status_code == 413
    assert "longer than 0.3 MB" in reply.json()["detail"]


@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
def test_long_uploads_are_cut_off(served: Served, declared: bool, settings: Settings) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
    content = head + bytes(700_000) + b"\r\n--b--\r\n"
    pieces = content if declared else iter([content[i : i + 9999] for i in range(0, 700_000, 9999)])
    reply = served.visitor().post(
        "/gradio_api/upload",
        content=pieces,
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert reply.status_code == 413
    left = [path for path in settings.cache.rglob("*") if path.is_file()]
    assert all(path.stat().st_size < 700_000 for path in left)


@pytest.mark.parametrize("declared", [b"-1", b"1e3", b"99999999999999999999", b"x"])
def test_impossible_lengths_are_refused(served: Served, declared: bytes) -> None:
    reply = served.raw(
        b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: " + declared + b"\r\n\r\n{}"
    )
    assert reply.split()[1] in {b"400", b"413"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"data": [NaN], "session_hash": "n", "fn_index": 0}', 400),
        (b'{"data": [1e999], "session_hash": "n", "fn_index": 0}', 400),
        (b'{"data": [{"box": [-Infinity]}], "session_hash": "n", "fn_index": 0}', 400),
        (b"[" * 100_000, 400),
        (b"1" * 100_000, 400),
        (b"not json", 400),
        (b'{"data": [' + b"0," * 140_000 + b"0]}", 400),
        (b"\xff\xfe", 400),
        (b"", 422),
        (b"[]", 422),
    ],
    ids=lambda value: str(value)[:20],
)
def test_odd_json_is_refused_at_the_door(served: Served, content: bytes, status: int) -> None:
    client = served.visitor()
    content = content.replace(b'"n"', f'"{client.cookies["deixis_person"]}"'.encode())
    reply = client.post(
        "/gradio_api/queue/join", content=content, headers={"content-type": "application/json"}
    )
    assert reply.status_code == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(served: Served, kind: str) -> None:
    body = json.dumps({"data": ["word", None], "fn_index": 0, "session_hash": "typed"})
    reply = served.visitor().post(
        "/gradio_api/queue/join", content=body, headers={"content-type": kind}
    )
    assert reply.status_code == 400


def test_a_page_behind_the_guards_survives_all_this(served: Served) -> None:
    client = served.visitor()
    assert ask(client, "after").status_code == 200
    assert answer(client, "after")[0].startswith("word 0")


@pytest.mark.parametrize(
    "cookie", ["a,b=1; =;;", 'deixis_person="', "deixis_person=\xe4", "=" * 99]
)
def test_odd_cookies_are_survived(served: Served, cookie: str) -> None:
    headers = [("Cookie", cookie.encode("latin-1"))]
    with served.client(headers=headers) as client:
        assert client.get("/").status_code == 200
        assert ask(client, f"odd {cookie!r}").status_code == 200


# --- row 28 and 29: the admin, floods ------------------------------------------------------------


def test_only_the_admins_token_makes_an_admin(served: Served) -> None:
    client = served.visitor()
    assert "password" in client.get("/admin").text
    for wrong in ("", "guess", TOKEN + " ", TOKEN[:-1]):
        assert client.post("/admin", json={"token": wrong}).status_code == 403
    assert client.post("/admin", content=b"[]").status_code == 403
    forged = {ADMIN_HEADER: "yes", "x-deixis-admin": "yes", "X-Deixis-Admin": "yes"}
    client.post(
        "/gradio_api/queue/join",
        json={"data": ["word", None], "fn_index": 0, "session_hash": "adm"},
        headers=forged,
    )
    assert "admin=no" in answer(client, "adm")[0]
    done = client.post("/admin", data={"token": TOKEN})
    assert done.status_code == 303
    assert "HttpOnly" in done.headers["set-cookie"]
    ask(client, "adm")
    assert "admin=yes" in answer(client, "adm")[0]


def test_who_mistypes_the_token_stands_before_the_form_again(served: Served) -> None:
    for client, why in (
        (served.visitor(), words.ADMIN_WRONG),
        (served.client(), words.ADMIN_NO_COOKIE),
    ):
        refused = client.post("/admin", data={"token": "guess"})
        assert refused.headers["content-type"].startswith("text/html")
        assert f'<p role="alert">{why}</p>' in refused.text
        assert 'type="password"' in refused.text


def test_an_admins_cookie_is_worth_nothing_to_others(served: Served) -> None:
    admin, thief = served.visitor(), served.visitor()
    assert admin.post("/admin", json={"token": TOKEN}).status_code == 200
    thief.cookies.set("deixis_admin", admin.cookies["deixis_admin"])
    ask(thief, "thief-adm")
    assert "admin=no" in answer(thief, "thief-adm")[0]


def test_logging_in_needs_the_cookie_of_the_page(served: Served) -> None:
    assert served.client().post("/admin", json={"token": TOKEN}).status_code == 400


def test_floods_are_slowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = partial(RateLimit, rates=Rates(lambda: 0.0))
    monkeypatch.setattr(server, "RateLimit", still)
    settings = Settings(
        port=0, cache=tmp_path, asks_per_minute=3, uploads_per_minute=2, logins_per_minute=2
    )
    with run(settings) as port:
        served = Served(port)
        client = served.visitor()
        asked = [ask(client, "flood").status_code for _ in range(5)]
        assert asked == [200, 200, 200, 429, 429]
        assert ask(served.visitor(), "calm").status_code == 200
        sent = [client.post("/gradio_api/upload", files={"files": b"x"}) for _ in range(3)]
        assert [reply.status_code for reply in sent] == [200, 200, 429]
        assert sent[-1].headers["retry-after"] == "10"
        tried = [client.post("/admin", json={"token": "x"}).status_code for _ in range(4)]
        assert tried == [403, 403, 429, 429]
        assert served.visitor().post("/admin", json={"token": "x"}).status_code == 429
        served.close()


# --- where it may run ----------------------------------------------------------------------------


def test_a_space_may_show_the_page_in_a_frame(tmp_path: Path) -> None:
    environment = {"SPACE_ID": "me/deixis", "SPACE_HOST": "me-deixis.hf.space"}
    space = Settings.read(
        ["--cache", str(tmp_path), "--host", "127.0.0.1", "--port", "0"], environment
    )
    with run(space) as port:
        served = Served(port)
        client = served.client(headers={"host": "me-deixis.hf.space"})
        inside = {
            "x-forwarded-proto": "https",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-host": "me-deixis.hf.space",
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "iframe",
        }
        page = client.get("/", headers=inside)
        assert page.status_code == 200
        assert '"root":"https://me-deixis.hf.space"' in page.text
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'self' https://huggingface.co" in policy
        assert "x-frame-options" not in page.headers
        assert "Secure; SameSite=None; Partitioned" in page.headers["set-cookie"]
        own = {"x-forwarded-proto": "https", "origin": "https://me-deixis.hf.space"}
        cookie = page.headers["set-cookie"].partition(";")[0]
        body = {"data": ["word", None], "fn_index": 0, "session_hash": "space"}
        joined = client.post("/gradio_api/queue/join", json=body, headers={**own, "cookie": cookie})
        assert joined.status_code == 200
        forged = client.get("/config", headers={"x-forwarded-host": "evil.example"})
        assert "evil.example" not in forged.text
        served.close()


def test_a_taken_port_is_named() -> None:
    with server.listen(Settings(port=0)) as door:
        port = door.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .*choose another"):
            server.listen(Settings(port=port))
    with pytest.raises(ConfigError, match="Cannot listen on no such host"):
        server.listen(Settings(host="no such host", port=0))


def test_no_answer_waits_for_the_receipt_of_its_head() -> None:
    with server.listen(Settings(port=0)) as door, socket.create_connection(door.getsockname()):
        connection, _ = door.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_main_says_why_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIXIS_PORT", "many")
    with pytest.raises(SystemExit, match="Deixis cannot start: DEIXIS_PORT is 'many'"):
        server.main([])


def test_readiness_follows_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[str, str]] = []

    def open_backend(name: str, device: str, *, progress: Callable[[str], None]) -> object:
        opened.append((name, device))
        progress(f"Loading {name}")
        if name == "broken":
            raise CheckpointError("The file model.safetensors is cut short.")
        return model

    monkeypatch.setattr(server, "open_backend", open_backend)
    model = FakeBackend()
    loader = server.Loader(Settings(model="some", device="cpu", teaching=tmp_path))
    assert loader.missing == "the model is loading"
    assert loader() is model
    assert loader.missing == ""
    assert model.card.cost is not None
    broken = server.Loader(Settings(model="broken", teaching=tmp_path))
    with pytest.raises(CheckpointError):
        broken()
    assert broken.told == "Loading broken"
    assert broken.missing == "the model could not be loaded"
    assert opened == [("some", "cpu"), ("broken", "auto")]


def test_programs_may_call_as_tools(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason="gradio[mcp] is not installed")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def call(port: int) -> tuple[list[str], str]:
        url = f"http://127.0.0.1:{port}/gradio_api/mcp/"
        async with (
            streamable_http_client(url) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            names = [tool.name for tool in (await session.list_tools()).tools]
            (shout,) = [name for name in names if name.endswith("shout")]
            heard = await session.call_tool(shout, {"word": "a tool calls"})
            return names, str(heard.content)

    settings = Settings(port=0, cache=tmp_path, mcp=True)
    with run(settings) as port:
        names, said = asyncio.run(call(port))
    assert len(names) == 3
    assert "A TOOL CALLS" in said
