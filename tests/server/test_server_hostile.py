"""Clients that mean no good: bodies, headers, tokens, names, keys, connections."""

from __future__ import annotations

import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from served import (
    IMPORT,
    STATUS,
    TOKEN,
    Api,
    Origin,
    batch,
    client,
    image,
    picture,
    raw,
    served,
    until,
)

from ldimport.engine import access_tokens
from ldimport.engine.access_tokens import TokenScope
from ldimport.model import Json
from ldimport.server.media import disposition

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


# -- tokens -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic dTpw", b"Bearer a b", "Bearer tök".encode()]
)
def test_no_token_at_all(quiet: Api, header: bytes) -> None:
    with client(quiet.url, None) as http:
        answer = http.get(STATUS, params={"id": "x"}, headers={"Authorization": header})
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")


def test_tokens_are_stored_hashed(quiet: Api) -> None:
    assert quiet.engine is not None
    folder = quiet.engine.folder
    token = access_tokens.create(folder, "hashed", [TokenScope.READ], None, now=time.time())
    assert token.startswith("ldi_") and len(token) >= 47
    stored = b"".join(path.read_bytes() for path in folder.glob("catalogue.sqlite*"))
    assert token.encode() not in stored and token.removeprefix("ldi_").encode() not in stored


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
        for form in ("?format=auto", "&format=auto", "&w=100"):
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


def test_requests_are_told_without_their_query(quiet: Api) -> None:
    quiet.get("/api/v1/images/slug", id="secret-looking")
    told = until(lambda: [e for e in quiet.events if getattr(e, "path", "").endswith("/slug")])
    assert "secret-looking" not in str(told)
