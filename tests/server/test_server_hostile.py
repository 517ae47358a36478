"""Clients that mean no good: bodies, headers, tokens, names, keys, connections."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from served import (
    IMPORT,
    STATUS,
    TOKEN,
    Api,
    Origin,
    an_origin,
    batch,
    client,
    image,
    picture,
    raw,
    served,
    until,
)
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ldimport.engine import access_tokens, addresses
from ldimport.engine.access_tokens import TokenScope
from ldimport.model import Json
from ldimport.server.contract import RequestAnswered, ServeOptions
from ldimport.server.media import disposition
from ldimport.server.protocol import BoundedProtocol, protocol

GOOD = image("1", "https://images.example/1.jpg")
BODY = json.dumps(batch(GOOD)).encode()


def send(api: Api, body: bytes, **headers: str) -> httpx.Response:
    given = {
        "Content-Type": "application/json",
        **{k.replace("_", "-"): headers[k] for k in headers},
    }
    return api.http.post(IMPORT, content=body, headers=given)


# -- bodies -----------------------------------------------------------------------------

BODIES = {
    "not JSON": b"systemName=a",
    "empty": b"",
    "cut off": BODY[:-1],
    "two documents": BODY + BODY,
    "NaN": BODY.replace(b'"metadata": {}', b'"metadata": {"shot": NaN}'),
    "1e999": BODY.replace(b'"metadata": {}', b'"metadata": {"shot": 1e999}'),
    "-4.3e16": BODY.replace(b'"metadata": {}', b'"metadata": {"shot": -4.3e16}'),
    "2**53": BODY.replace(b'"metadata": {}', b'"metadata": {"shot": 9007199254740992}'),
    "a long integer": BODY.replace(b'"metadata": {}', b'"metadata": {"shot": %s}' % (b"9" * 5000)),
    "a key twice": BODY.replace(b'"id": "1"', b'"id": "0", "id": "1"'),
    "half a surrogate pair": BODY.replace(b'"Picture 1"', b'"\\ud83d"'),
    "not UTF-8": BODY.replace(b"Picture 1", b"\xff\xfe"),
    "UTF-16": BODY.decode().encode("utf-16"),
    "deep": b"[" * 200_000,
    "deep and right": BODY.replace(b'{}', b'{"a": %s1%s}' % (b"[" * 500, b"]" * 500)),
    "an integer as a text": BODY.replace(b'"id": "1"', b'"id": 1'),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body_is_refused_and_nothing_accepted(quiet: Api, name: str) -> None:
    assert quiet.engine is not None
    before = len(quiet.engine.jobs(1000))
    answer = send(quiet, BODIES[name])
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert len(quiet.engine.jobs(1000)) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "application/json; charset=utf-16"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Content_Encoding": "br"}, 415),
        ({"Content_Type": "application/json; charset=UTF-8"}, 200),
    ],
)
def test_only_plain_json_is_read(quiet: Api, headers: dict[str, str], status: int) -> None:
    body = gzip.compress(BODY) if headers.get("Content_Encoding") else BODY
    assert send(quiet, body, **headers).status_code == status


def test_a_body_announced_as_a_gigabyte_is_refused_before_it_comes(quiet: Api) -> None:
    head = request_head("Content-Length: 1000000000")
    answer = raw(quiet.port, head)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"status":413' in answer


def test_an_endless_chunked_body_is_cut_off(quiet: Api) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", quiet.port), timeout=60) as connection:
        connection.sendall(request_head("Transfer-Encoding: chunked"))
        with pytest.raises(OSError):
            for _ in range(2_000):  # 130 MB, if it were taken
                connection.sendall(chunk)
    assert quiet.get(STATUS, id="x").status_code == 200


def request_head(*lines: str, path: str = IMPORT) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}",
            "Content-Type: application/json", *lines]  # fmt: skip
    return "\r\n".join([*head, "", ""]).encode()


MARKS = "a" + "\u0300\u031d" * 60_000
LONG = {
    "systemName": ("systemName", {"systemName": "n" * 1_001}),
    "webhook": ("webhook", {"webhook": "https://h.example/" + "x" * 8_192}),
    "id": ("images.0.id", {"id": "i" * 8_193}),
    "url": ("images.0.url", {"url": "https://h.example/" + "x" * 8_192}),
    "fileName": ("images.0.fileName", {"fileName": "f" * 1_001}),
    "a fileName of marks": ("images.0.fileName", {"fileName": MARKS}),
    "mediaType": ("images.0.mediaType", {"mediaType": "m" * 1_001}),
    "a metadata text": ("images.0.metadata.caption", {"metadata": {"caption": "c" * 65_537}}),
    "a metadata list": ("images.0.metadata.caption", {"metadata": {"caption": ["c"] * 20_000}}),
    "a metadata name": ("images.0.metadata", {"metadata": {"n" * 1_001: "x"}}),
}


@pytest.mark.parametrize("name", LONG)
def test_every_text_of_a_request_has_a_bound(quiet: Api, name: str) -> None:
    path, change = LONG[name]
    frame = {key: change[key] for key in ("systemName", "webhook") if key in change}
    body = {**batch({**GOOD, **{k: v for k, v in change.items() if k not in frame}}), **frame}
    answer = quiet.http.post(IMPORT, content=json.dumps(body, ensure_ascii=False).encode(),
                             headers={"Content-Type": "application/json"})  # fmt: skip
    assert answer.status_code == 400
    assert "the limit is" in answer.json()["error_details"][path]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{STATUS}?id=", "id"),
        ("/api/v1/mediaLibrary?systemName=a&externalId=", "externalId"),
        ("/health?any=", "any"),
    ],
)
def test_a_parameter_of_a_query_has_a_bound(quiet: Api, path: str, name: str) -> None:
    answer = quiet.get(path + "%C3%A9" * 8_193)
    assert answer.status_code == 400
    assert answer.json()["error_details"] == {name: "has more than 8,192 characters"}
    assert quiet.get(path + "%C3%A9" * 8_192).status_code == 200


def test_of_thousands_of_unknown_keys_some_are_named(quiet: Api) -> None:
    keys = {f"k{n}": n for n in range(20_000)}
    for body in ({**batch(GOOD), **keys}, batch({**GOOD, **keys})):
        answer = quiet.post(body)
        assert answer.status_code == 400 and len(answer.json()["error_details"]) == 100


def test_texts_up_to_their_bounds_are_accepted(quiet: Api) -> None:
    longest = image("i" * 8_192, "https://h.example/" + "x" * 8_174, fileName="\U0001f600" * 1_000,
                    metadata={"caption": "c" * 65_536})  # fmt: skip
    assert quiet.post(batch(longest, system_name="n" * 1_000)).status_code == 200


def test_an_address_made_of_a_name_takes_no_longer_for_a_longer_name() -> None:
    with mock.patch("unicodedata.normalize", side_effect=lambda form, text: text) as normalize:
        assert addresses.slug(MARKS) == "a"
    assert len(normalize.call_args.args[1]) <= 300


HALVES = {
    b"systemName": BODY.replace(b'"archive"', b'"\\udc00"'),
    b"images.0.id": BODY.replace(b'"1"', b'"\\ud800"'),
    b"images.0.fileName": BODY.replace(b"Picture", b"\\uDFFF\\uD800"),
    b"images.0.metadata.title": BODY.replace(b"{}", b'{"title": "\\udead"}'),
    b"images.0.metadata.a.1.b": BODY.replace(b"{}", b'{"a": [0, {"b": "\\uDBFF"}]}'),
    b"images.0.metadata.?": BODY.replace(b"{}", b'{"\\udc00": 1}'),
    b"context.k?": BODY.replace(b'"images"', b'"context": {"k\\ud83d": 1}, "images"'),
    b"?": BODY.replace(b'"images"', b'"\\udc00": 1, "images"'),
}


@pytest.mark.parametrize("path", HALVES)
def test_half_of_a_surrogate_pair_is_refused_by_path(quiet: Api, path: bytes) -> None:
    answer = send(quiet, HALVES[path])
    assert answer.status_code == 400
    assert answer.json()["error_details"] == {path.decode(): "must be valid Unicode"}
    whole = HALVES[path].replace(b"\\ud83d", b"\\ud83d\\ude00")
    assert b"\\ud83d" not in whole or send(quiet, whole).status_code == 200


PATCHES = {
    "patches.0.value": b'{"patches": [{"operation": "x", "value": "\\udc00"}]}',
    "patches.0.propertyName": b'{"patches": [{"propertyName": "\\ud800"}]}',
    "patches.0.?": b'{"patches": [{"\\udfff": 1}]}',
    "version": b'{"version": "\\udc00", "patches": [1]}',
}


@pytest.mark.parametrize("path", PATCHES)
def test_a_patch_with_half_of_a_surrogate_pair_is_refused_by_path(quiet: Api, path: str) -> None:
    found = quiet.http.patch("/api/v1/mediaLibrary/x", content=PATCHES[path],
                             headers={"Content-Type": "application/json"})  # fmt: skip
    assert found.status_code == 400
    assert found.json()["error_details"] == {path: "must be valid Unicode"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/mediaLibrary/%ED%A0%80", "url"),
        ("/api/v1/images/%ff?id=x", "url"),
        ("/api/v1/import/images/status?id=%ED%B0%80", "id"),
        ("/api/v1/mediaLibrary?systemName=a&externalId=caf%E9", "externalId"),
    ],
)
def test_addresses_hold_unicode_too(quiet: Api, path: str, name: str) -> None:
    answer = quiet.get(path)
    assert answer.status_code == 400
    assert answer.json()["error_details"] == {name: "must be valid Unicode"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{STATUS}?id=a&id=b", "id"),
        (f"{STATUS}?id=a&%69d=b", "id"),
        (f"{STATUS}?x&x&id=a", "x"),
        ("/api/v1/mediaLibrary?ids=a&ids=b", "ids"),
        ("/api/v1/mediaLibrary?systemName=a&externalId=b&systemName=a", "systemName"),
        ("/api/v1/images/x?id=a&format=auto&id=b", "id"),
    ],
)
def test_a_parameter_of_a_query_stands_once(quiet: Api, path: str, name: str) -> None:
    answer = quiet.get(path)
    assert answer.status_code == 400
    assert answer.json()["error_details"] == {name: "must stand once"}


def test_an_image_with_thousands_of_faults_names_some_of_them(api: Api, origin: Origin) -> None:
    faulty = image("1", origin.url("1.jpg"), metadata={f"none{n}": n for n in range(20_000)})
    (found,) = api.ended(api.start(faulty))["images"]
    assert "none0" in found["reason"] and "none19" in found["reason"]
    assert len(found["reason"]) < 2_000


def test_a_look_up_and_a_patch_are_of_a_bounded_number(quiet: Api) -> None:
    assert quiet.get("/api/v1/mediaLibrary", ids=",".join("a" * 100)).status_code == 200
    answer = quiet.get("/api/v1/mediaLibrary", ids=",".join("a" * 101))
    assert answer.status_code == 400 and "1 to 100" in answer.json()["error_details"]["ids"]
    operation = {"operation": "setMetadataProperty", "propertyName": "title", "value": "x"}
    many = quiet.http.patch("/api/v1/mediaLibrary/x", json={"patches": [operation] * 201})
    assert many.status_code == 400 and "limit is 200" in many.json()["error_details"]["patches"]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
    | st.text(max_size=20) | st.sampled_from(["setMetadataProperty", "title", "https://a.b/c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "url", "metadata", "value", "propertyName", "title"]) | st.text(
            max_size=5), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["systemName", "webhook", "context", "images", "images.0", "id", "url",
                        "fileName", "metadata", "mediaType", "caption", ""]), values)  # fmt: skip
def test_any_json_in_any_place_of_a_batch_is_accepted_or_refused(
    quiet: Api, place: str, value: Json
) -> None:
    picture_: Json = {**GOOD, "metadata": {"caption": value}} if place == "caption" else GOOD
    if place in GOOD:
        picture_ = {**GOOD, place: value}
    body: Json = batch(value if place == "images.0" else picture_)
    if place in ("systemName", "webhook", "context", "images"):
        body = {**batch(GOOD), place: value}
    answer = send(quiet, json.dumps(value if place == "" else body).encode())
    assert answer.status_code in (200, 400), answer.text


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["", "version", "patches", "patches.0", "preserveUpdatedAt", "operation",
                        "propertyName", "value", "more"]), values)  # fmt: skip
def test_any_json_in_any_place_of_a_patch_is_accepted_or_refused(
    known: tuple[Api, str], place: str, value: Json
) -> None:
    api, path = known
    operation: Json = {"operation": "setMetadataProperty", "propertyName": "title", "value": "x"}
    if place in ("operation", "propertyName", "value", "more"):
        operation = {**operation, place: value}  # type: ignore[dict-item]
    body: Json = {"patches": [value if place == "patches.0" else operation]}
    if place in ("version", "patches", "preserveUpdatedAt"):
        body = {**body, place: value}  # type: ignore[dict-item]
    answer = api.http.patch(path, content=json.dumps(value if place == "" else body).encode(),
                            headers={"Content-Type": "application/json"})  # fmt: skip
    assert answer.status_code in (200, 400, 409), answer.text


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    """A served engine, and the path of an entry that it has."""
    folder = tmp_path_factory.mktemp("known")
    with an_origin() as origin, served(folder / "engine", allow=(origin.host,)) as api:
        found = api.ended(api.start(image("1", origin.url("1.jpg"))))["images"][0]["image"]
        yield api, f"/api/2026-05/mediaLibrary/{found['mediaId']}"


# -- heads ------------------------------------------------------------------------------


def get(*lines: bytes, path: bytes = b"/health", version: bytes = b"1.1") -> bytes:
    head = [b"GET " + path + b" HTTP/" + version, b"Host: a", b"Connection: close", *lines]
    return b"\r\n".join([*head, b"", b""])


TOKEN_LINE = f"Authorization: Bearer {TOKEN}".encode()
SPLIT = b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n"
HEADS = {
    "two tokens": (get(TOKEN_LINE, b"Authorization: Bearer x", path=b"/api/v1/projectConfig"), 400),
    "a token twice": (get(TOKEN_LINE, TOKEN_LINE, path=b"/api/v1/projectConfig"), 400),
    "two hosts": (get(b"Host: b"), 400),
    "two keys": (request_head("Idempotency-Key: a", "Idempotency-Key: b"), 400),
    "two encodings": (request_head("Content-Encoding: identity", "Content-Encoding: gzip",
                                   "Content-Length: 0"), 400),
    "two kinds": (request_head("Content-Type: text/plain", "Content-Length: 0"), 400),
    "two lengths": (request_head("Content-Length: 1", "Content-Length: 2") + b"xx", 400),
    "a length and chunks": (request_head("Content-Length: 5", "Transfer-Encoding: chunked")
                            + SPLIT, 400),
    "chunks and a length": (request_head("Transfer-Encoding: chunked", "Content-Length: 5")
                            + SPLIT, 400),
    "chunks in HTTP/1.0": (request_head("Transfer-Encoding: chunked").replace(b"1.1", b"1.0", 1)
                           + SPLIT, 400),
    "gzip, chunked": (request_head("Transfer-Encoding: gzip, chunked") + SPLIT, 501),
    "70 kB at once": (get(b"X: " + b"x" * 70_000), 431),
    "200 kB at once": (get(b"X: " + b"x" * 200_000), 431),
    "70 kB of path": (get(path=b"/health?x=" + b"x" * 70_000), 431),
    "20,000 lines": (get(*[b"X: y"] * 20_000), 431),
    "1,100 lines of 6 kB": (get(*[b"X: y"] * 1_100), 431),
    "lines folded": (get(b"X: y", *[b" z"] * 1_100), 431),
    "66 kB of a method": (get().replace(b"GET", b"G" * 66_000), 431),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_can_be_read_in_two_ways_or_is_too_large_is_refused_and_ends(
    quiet: Api, name: str
) -> None:
    head, status = HEADS[name]
    answer = raw(quiet.port, head)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "nothing behind it is taken for a request"


@pytest.mark.parametrize(
    "path",
    ["//evil.example/openapi.json", "/%2Fevil.example/openapi.json", "%2f%2Fevil.example/health",
     "http://evil.example/openapi.json", "HTTPS://evil.example:99/openapi.json", "//evil.example/x",
     "///evil.example//openapi.json", "/\\evil.example/openapi.json"],
)  # fmt: skip
def test_no_answer_leads_to_a_server_that_a_path_names(quiet: Api, path: str) -> None:
    answer = raw(quiet.port, get(b"X-Forwarded-Host: evil.example", path=path.encode()))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"evil" not in head
    found = json.loads(body)
    for server in found.get("servers", ()):
        assert server["url"].startswith("/") and not server["url"].startswith(("//", "/\\"))


def test_a_whole_address_in_a_request_is_its_path(quiet: Api) -> None:
    answer = raw(quiet.port, get(path=b"http://127.0.0.1/openapi.json"))
    assert answer.startswith(b"HTTP/1.1 200 ")


# -- connections ------------------------------------------------------------------------


def test_slow_heads_and_idle_connections_end_and_others_are_served(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0, header_seconds=0.5, body_seconds=0.5) as api:
        assert b" 408 " in raw(api.port, b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow:")
        assert raw(api.port, b"") == b""
        answer = raw(api.port, request_head("Content-Length: 100") + b'{"systemName"')
        assert answer.startswith(b"HTTP/1.1 408 ") and b'"status":408' in answer
        assert api.get(STATUS, id="x").status_code == 200


def test_a_flood_of_idle_connections_does_not_keep_others_out(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0, connections=20) as api:
        flood = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(80)]
        try:
            with client(api.url) as fresh:
                assert fresh.get(STATUS, params={"id": "x"}).status_code == 200
        finally:
            for each in flood:
                each.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1_000_000, 431),
        (b"NOT HTTP AT ALL\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400),
        (b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_heads_that_are_none(quiet: Api, head: bytes, status: int) -> None:
    answer = raw(quiet.port, head)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status


def test_methods_that_are_not_there(quiet: Api) -> None:
    answer = quiet.http.request("DELETE", IMPORT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"] == "Method Not Allowed"
    assert quiet.get("/api/v1/import/images/").status_code == 404


def noise(api: Api, origin: Origin) -> bytes:
    """The path of an original that no buffer holds."""
    out = io.BytesIO()
    Picture.frombytes("RGB", (900, 900), os.urandom(900 * 900 * 3)).save(out, "PNG")
    return stored(api, origin, "noise", out.getvalue(), "image/png").encode()


def unread(port: int, path: bytes) -> socket.socket:
    """A connection that has asked, and reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    return sock


def test_who_does_not_read_is_cut_off(tmp_path: Path, origin: Origin) -> None:
    with served(tmp_path / "engine", allow=(origin.host,), write_seconds=0.2) as api:
        path = noise(api, origin)
        with unread(api.port, path):
            until(lambda: [e for e in api.events if getattr(e, "path", "").endswith("/noise")])
        assert len(api.http.get(path.decode()).content) > 2_000_000, "who reads gets it whole"


def test_a_crowd_that_does_not_read_keeps_nobody_out(tmp_path: Path, origin: Origin) -> None:
    with served(tmp_path / "engine", allow=(origin.host,), connections=20) as api:
        path = noise(api, origin)
        crowd = [unread(api.port, path) for _ in range(100)]
        try:
            for _ in range(5):
                with client(api.url) as fresh:
                    assert fresh.get("/health").status_code == 200
                    assert fresh.get(STATUS, params={"id": "x"}).status_code == 200
        finally:
            for each in crowd:
                each.close()


def test_nobody_is_read_for_long_while_others_wait(
    quiet: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body in chunks of a byte costs thousands of steps in what is read at once."""
    sizes: list[int] = []
    before = BoundedProtocol.data_received

    def counted(self: BoundedProtocol, data: bytes) -> None:
        sizes.append(len(data))
        before(self, data)

    monkeypatch.setattr(BoundedProtocol, "data_received", counted)
    head = request_head("Transfer-Encoding: chunked", "Connection: close")
    answer = raw(quiet.port, head + b"1\r\n \r\n" * 30_000 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and sum(sizes) > 180_000
    assert max(sizes) <= 4_096


def test_the_lines_of_a_body_do_not_count_as_those_of_a_head(quiet: Api) -> None:
    body = json.dumps(batch(GOOD)).encode() + b"\n" * 3_000
    head = request_head(f"Content-Length: {len(body)}", "Connection: close")
    assert raw(quiet.port, head + body).startswith(b"HTTP/1.1 200 ")
    assert raw(quiet.port, get(*[b"X: y"] * 900)).startswith(b"HTTP/1.1 200 ")


@dataclass(eq=False)
class Line:
    """What a protocol sees of a connection: a transport, and a loop whose clock stands still."""

    host: str = "203.0.113.1"
    unsent: int = 0
    max_size: int = 0
    now: float = 100.0
    open: bool = True
    timers: dict[object, tuple[float, Callable[[], None]]] = field(default_factory=dict)

    def get_extra_info(self, name: str) -> object:
        return (self.host, 4711) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0, "whatever is not taken counts"

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self.open = False

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> mock.Mock:
        timer = mock.Mock(cancel=lambda: self.timers.pop(timer))
        self.timers[timer] = seconds, call
        return timer


async def nothing(scope: object, receive: object, send: object) -> None:
    """An application that is never asked."""


def connected(kind: type[H11Protocol], state: ServerState, line: Line) -> H11Protocol:
    made = kind(uvicorn.Config(nothing), state, {}, line)  # type: ignore[arg-type]
    made.connection_made(line)  # type: ignore[arg-type]
    return made


def test_a_piece_of_an_answer_has_to_be_taken_in_time() -> None:
    line, options = Line(), ServeOptions(Path(), write_seconds=20)
    made = connected(protocol(options, 10), ServerState(), line)
    line.timers.clear()
    for unsent, seconds in ((1, 20), (65_536, 20), (655_360, 200)):
        line.unsent = unsent
        made.pause_writing()
        ((at, call),) = line.timers.values()
        assert at == seconds
        made.resume_writing()
        assert not line.timers and line.open
    made.pause_writing()
    call()
    assert not line.open


def crowd_of(*hosts: str, room: int = 4, later: float = 10.0) -> list[Line]:
    """Connections of these hosts, one after the other, with room for some."""
    kind, state = protocol(ServeOptions(Path()), room), ServerState()
    lines = []
    for n, host in enumerate(hosts):
        lines.append(Line(host, now=100.0 + n * later))
        for before in lines:
            before.now = lines[-1].now
        connected(kind, state, lines[-1])
        assert sum(line.open for line in lines) == len(state.connections) <= room
    return lines


@pytest.mark.parametrize(
    ("hosts", "dropped"),
    [
        (["203.0.113.1"] * 2, []),
        (["203.0.113.1"] * 4, [0, 1]),
        (["203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.2", "203.0.113.3"], [0]),
        (["203.0.113.9", "203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.3"], [1]),
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"], [0]),
        (["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"], []),
        (["::ffff:203.0.113.1", "::ffff:203.0.113.2", "::ffff:203.0.113.3"], []),
        (["::ffff:203.0.113.1", "203.0.113.1", "::ffff:203.0.113.1"], [0]),
    ],
)
def test_room_is_made_by_whoever_has_most_and_waits_longest(
    hosts: list[str], dropped: list[int]
) -> None:
    lines = crowd_of(*hosts)
    assert [n for n, line in enumerate(lines) if not line.open] == dropped


def test_the_cap_holds_for_connections_that_all_come_in_one_moment() -> None:
    lines = crowd_of(*(f"198.51.100.{n}" for n in range(50)), room=8, later=0)
    assert sum(line.open for line in lines) == 8 and lines[-1].open
    lines = crowd_of(*["198.51.100.1"] * 50, room=8, later=0)
    assert sum(line.open for line in lines) == 4 and lines[-1].open, "half of it for one address"


def test_the_more_there_are_the_less_is_read_of_each_in_turn() -> None:
    kind, state = protocol(ServeOptions(Path()), 1_000), ServerState()
    lines = [Line(f"198.51.100.{n}") for n in range(200)]
    made = [connected(kind, state, each) for each in lines]
    assert 4_096 >= lines[0].max_size >= lines[-1].max_size >= 1
    for each in made:
        each.data_received(b"G")
    assert sum(each.max_size for each in lines) < 70_000


# -- tokens -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic dTpw", b"Bearer a b", "Bearer tök".encode()]
)
def test_no_token_at_all(quiet: Api, header: bytes) -> None:
    with client(quiet.url, None) as http:
        answer = http.get(STATUS, params={"id": "x"}, headers={"Authorization": header})
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")


ROUTES = [
    ("POST", IMPORT, TokenScope.WRITE), ("GET", f"{STATUS}?id=x", TokenScope.WRITE),
    ("GET", "/api/v1/projectConfig", TokenScope.CONFIG_READ),
    ("GET", "/api/v1/mediaLibrary?ids=x", TokenScope.READ),
    ("GET", "/api/v1/mediaLibrary/x", TokenScope.READ),
    ("PATCH", "/api/v1/mediaLibrary/x", TokenScope.WRITE),
    ("GET", "/api/v1/images/x?id=x", None),
    ("GET", "/health", None), ("GET", "/openapi.json", None),
]  # fmt: skip
CREDENTIALS: dict[str, tuple[list[str], int]] = {
    "none": ([], 401),
    "empty": ([""], 401),
    "unknown": (["Bearer ldi_unknown"], 401),
    "expired": (["Bearer {old}"], 401),
    "revoked": (["Bearer {revoked}"], 401),
    "another scope": (["Bearer {other}"], 403),
    "another scheme": (["Basic {right}"], 401),
    "no scheme": (["{right}"], 401),
    "with something behind": (["Bearer {right}, Bearer x"], 401),
    "two headers": (["Bearer {right}", "Bearer {right}"], 400),
    "two headers, the second one right": (["Bearer x", "Bearer {right}"], 400),
    "right": (["Bearer {right}"], 200),
    "in small letters": (["bearer {right}"], 200),
    "with blanks": (["BEARER   {right}"], 200),
    "in the query": ([], 401),
}


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_each_route_with_each_kind_of_credential(
    quiet: Api, method: str, path: str, scope: TokenScope | None, name: str
) -> None:
    assert quiet.engine is not None
    folder, now = quiet.engine.folder, time.time()
    create = functools.partial(access_tokens.create, folder)
    held = scope or TokenScope.READ
    tokens = {
        "right": create("right", [held], None, now=now),
        "other": create("other", [each for each in TokenScope if each is not held], None, now=now),
        "old": create("old", list(TokenScope), 1, now=1e9),
        "revoked": create(f"{name} {method} {path}", list(TokenScope), None, now=now),
    }
    revoked = next(t for t in access_tokens.tokens(folder) if t.name == f"{name} {method} {path}")
    assert access_tokens.revoke(folder, revoked.id, now=now)
    headers, status = CREDENTIALS[name]
    if name == "in the query":
        path += f"{'&' if '?' in path else '?'}access_token={tokens['right']}"
    given = [("Authorization", each.format(**tokens)) for each in headers]
    body = BODY if method == "POST" else b'{"patches": [{}]}' if method == "PATCH" else b""
    with client(quiet.url, None) as http:
        answer = http.request(method, path, headers=[*given, ("Content-Type", "application/json")],
                              content=body)  # fmt: skip
    if status == 200 or (scope is None and status != 400):
        assert answer.status_code in (200, 400, 404, 503)  # nobody works here: health may say so
    else:
        assert answer.status_code == status
    for token in tokens.values():
        assert token not in answer.text + str(answer.headers)


def test_tokens_are_stored_hashed(quiet: Api) -> None:
    assert quiet.engine is not None
    folder = quiet.engine.folder
    token = access_tokens.create(folder, "hashed", [TokenScope.READ], None, now=time.time())
    assert token.startswith("ldi_") and len(token) >= 47
    stored = b"".join(path.read_bytes() for path in folder.glob("catalogue.sqlite*"))
    assert token.encode() not in stored and token.removeprefix("ldi_").encode() not in stored


# -- what the guard says ---------------------------------------------------------


def test_what_a_refused_address_leads_to_is_told_to_the_log_alone(api: Api) -> None:
    hosts = ("10.1.2.3", "127.0.0.1", "169.254.169.254", "[fd00::1]", "[64:ff9b::a00:1]")
    job = api.start(*(image(str(n), f"http://{host}/x") for n, host in enumerate(hosts)))
    said = [each["reason"] for each in api.ended(job)["images"]]
    for host, reason in zip(hosts, said, strict=True):
        assert reason == f"address not allowed: {host}; --allow-host {host} makes an exception"
    assert api.engine is not None
    kinds = [str(each.reason) for each in api.engine.status(job).results]
    assert "a private network" in kinds[0] and "this machine" in kinds[1]
    noted = until(lambda: [e for e in api.events if "leads to" in getattr(e, "note", "")])
    assert noted[0].note in kinds and not noted[0].is_poll


# -- what is served, and its name ------------------------------------------------


def stored(api: Api, origin: Origin, name: str, data: bytes, kind: str) -> str:
    """The address of an original, without its host."""
    job = api.start(image("1", origin.put("it", data, kind), fileName=name))
    url: str = api.ended(job)["images"][0]["image"]["originalUrl"]
    return url.removeprefix(api.url)


def test_an_original_with_its_headers(api: Api, origin: Origin) -> None:
    data = picture()
    path = stored(api, origin, "Rheinfall bei Schaffhausen, Früh.jpg", data, "image/jpeg")
    with client(api.url, None) as public:
        found = public.get(path)
        for form in ("?format=auto", "&format=auto", "&auto=format", "&v=100"):
            assert public.get(path + form).content == data
    assert (found.status_code, found.content) == (200, data)
    headers = found.headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox")  # fmt: skip
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["content-disposition"].startswith("inline; filename=")
    assert f"filename*=UTF-8''{quote('Rheinfall bei Schaffhausen, Früh.jpg')}" in headers[
        "content-disposition"]  # fmt: skip
    assert "set-cookie" not in headers


def test_an_svg_is_a_download(api: Api, origin: Origin) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0"/></svg>'
    found = api.get(stored(api, origin, "Drawing", svg, "image/svg+xml"))
    assert found.headers["content-type"] == "image/svg+xml"
    assert found.headers["content-disposition"].startswith('attachment; filename="Drawing.svg"')


def test_etag_and_ranges(api: Api, origin: Origin) -> None:
    data = picture(size=(200, 100))
    path = stored(api, origin, "x", data, "image/jpeg")
    etag = api.get(path).headers["etag"]

    def get(**headers: str) -> httpx.Response:
        return api.http.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    same = get(If_None_Match=f'"other", {etag}')
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    part = get(Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(data)}"
    assert get(Range="bytes=-5").content == data[-5:]
    assert get(Range="bytes=10-").content == data[10:]
    beyond = get(Range=f"bytes={len(data)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    for ignored in ("bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=x", "bytes=" + "9" * 400):
        assert (get(Range=ignored).status_code, len(get(Range=ignored).content)) == (200, len(data))
    assert get(Range="bytes=0-4", If_Range='"other"').content == data
    assert api.http.head(path).headers["content-length"] == str(len(data))


def test_when_an_original_was_stored(api: Api, origin: Origin) -> None:
    data, before = picture(size=(200, 100)), int(time.time())
    path = stored(api, origin, "x", data, "image/jpeg")
    headers = api.get(path).headers
    modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
    assert before <= modified <= time.time()
    assert headers["last-modified"].endswith(" GMT")

    def status(**headers: str) -> int:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return api.http.get(path, headers=named).status_code

    now, earlier = headers["last-modified"], formatdate(modified - 1, usegmt=True)
    later = time.asctime(time.gmtime(modified + 1))  # an old form, always GMT
    assert [status(If_Modified_Since=each) for each in (now, later, earlier)] == [304, 304, 200]
    assert {status(If_Modified_Since=each) for each in ("", "soon", "9" * 400)} == {200}
    assert status(If_Modified_Since=now, If_None_Match='"other"') == 200, "the ETag decides"
    assert status(If_Modified_Since=earlier, If_None_Match=headers["etag"]) == 304
    assert status(Range="bytes=0-4", If_Range=now) == 206
    assert status(Range="bytes=0-4", If_Range=earlier) == 200


@pytest.mark.parametrize(
    "key", ["", "nope", "MQ==", "../../catalogue.sqlite", "2024/01/01/../../x", "%00", "a" * 5000]
)
def test_ids_that_lead_nowhere(quiet: Api, key: str) -> None:
    answer = quiet.get("/api/v1/images/slug", id=key)
    assert answer.status_code == (404 if key else 400)
    assert answer.headers["content-type"] == "application/json"


NAMES = [
    "../../etc/passwd", "..\\..\\windows", "/abs", "C:\\x", "CON", "a\nb", "a\rSet-Cookie: x=1",
    "a\x00b", 'quo"te', "semi;colon", "<script>", "ünïcode", "日本語", "\u202egnp.exe", "a" * 300,
    ".hidden", "trailing.", " ", "%2e%2e%2f", "name.jpg.exe", "\u2028", "e\u0301",
]  # fmt: skip


def test_a_file_name_is_only_data(api: Api, origin: Origin) -> None:
    url = origin.put("it", picture())
    job = api.start(*(image(str(n), url, fileName=name) for n, name in enumerate(NAMES)))
    found = api.ended(job)["images"]
    assert [each["status"] for each in found] == ["success"] * len(NAMES)
    for each in found:
        path = each["image"]["originalUrl"].removeprefix(api.url)
        assert api.get(path).content == picture()
        slug = path.removeprefix("/api/v1/images/").partition("?")[0]
        assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert api.engine is not None
    files = [each for each in (api.engine.folder / "blobs").rglob("*") if each.is_file()]
    assert files and all(set(each.name) <= set("0123456789abcdef") for each in files)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name, "image/png")
    assert header.isascii() and header.isprintable()
    plain = header.partition('filename="')[2].partition('"')[0]
    assert plain.endswith(".png") and not set(plain) & set('/\\";%')


# -- job ids and keys ------------------------------------------------------------


def test_job_ids_cannot_be_guessed(quiet: Api) -> None:
    ids = {quiet.start(GOOD) for _ in range(5)}
    assert len(ids) == 5 and all(len(each) >= 12 for each in ids)


def test_an_idempotency_key(quiet: Api) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = quiet.post(batch(GOOD), **key)
    again = quiet.post(batch(GOOD), **key)
    other = quiet.post(batch(image("2", "https://images.example/2.jpg")), **key)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]) == (409, "Conflict")
    assert quiet.post(batch(GOOD), **{"Idempotency-Key": "x" * 256}).status_code == 400


def test_the_same_key_in_flight_waits_for_the_same_answer(quiet: Api) -> None:
    body: Json = batch(*(image(str(n), "https://images.example/x.jpg") for n in range(300)))
    assert quiet.engine is not None
    before = len(quiet.engine.jobs(1000))
    with ThreadPoolExecutor(8) as pool:
        keyed = [pool.submit(quiet.post, body, **{"Idempotency-Key": "k2"}) for _ in range(8)]
        ids = {each.result().json()["id"] for each in keyed}
    assert len(ids) == 1
    assert len(quiet.engine.jobs(1000)) == before + 1


def test_a_request_is_told_in_few_words(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        assert raw(api.port, get(path=b"/" + b"a" * 60_000)).startswith(b"HTTP/1.1 404 ")
        assert raw(api.port, get().replace(b"GET", b"G" * 60_000)).startswith(b"HTTP/1.1 405 ")
        until(lambda: sum(isinstance(each, RequestAnswered) for each in api.events) == 2)
        assert all(len(repr(each)) < 1_500 for each in api.events)


def test_what_is_told_of_a_request_keeps_no_half_of_a_password(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        raw(api.port, get(path=b"/a/https://usr:" + b"S3CRET" * 100 + b"@a.test/b"))
        told = until(lambda: [e for e in api.events if isinstance(e, RequestAnswered)])
    assert "S3CRET" not in str(told) and "a.test/b" in str(told)


def test_requests_are_told_without_their_query(quiet: Api) -> None:
    quiet.get("/api/v1/images/slug", id="secret-looking")
    told = until(lambda: [e for e in quiet.events if getattr(e, "path", "").endswith("/slug")])
    assert "secret-looking" not in str(told)


def test_of_a_crowd_those_go_first_who_keep_us_waiting() -> None:
    """And last the one that we are at work for, however long; who came just now may have asked."""
    clock = SimpleNamespace(time=lambda: 100.0)
    ages = {
        "waits for long": (True, 9.0),
        "waits for longer": (True, 10.0),
        "waits": (True, 0.5),
        "just came": (True, 0.1),
        "at work": (False, 9.0),
        "at work, new": (False, 0.1),
    }
    crowd = {
        name: SimpleNamespace(waits=waits, loop=clock, _since=100.0 - age)
        for name, (waits, age) in ages.items()
    }
    order = BoundedProtocol.patience.fget
    assert order is not None
    assert sorted(crowd, key=lambda name: order(crowd[name])) == [
        "waits for longer", "waits for long", "waits", "just came", "at work, new", "at work",
    ]  # fmt: skip
