"""A network that fails: what is tried again, how often, and what is said in the end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_server import (
    FakeTime,
    Reply,
    ScriptedServer,
    hang_up,
    not_http,
    reset,
    running,
    silent,
)

from ldimport.client import LivingdocsClient, patience, transport
from ldimport.errors import ConfigError, ExitCode, LdimportError, TemporaryError
from ldimport.model import Image, ImportRequest, Notice, Silence

CERTIFICATES = Path(__file__).parent / "certificates"
REQUEST = ImportRequest("sys", (Image("1", "https://a.example/1.png", "one", {}),))
OK = Reply(body={"id": "job"})


def failure(client: LivingdocsClient) -> LdimportError:
    with pytest.raises(LdimportError) as caught:
        client.submit(REQUEST, "key")
    return caught.value


def gzip_bomb(handler: Any) -> None:
    """Promise gzip and send something else."""
    head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"
    handler.wfile.write(head.encode())


TEMPORARY = [
    Reply(500, {"status": 500, "error": "Internal Server Error"}),  # T43: no error_details
    Reply(500, b""),
    Reply(502, b"<html>Bad Gateway</html>"),
    Reply(503, b""),
    Reply(504, b"<html>"),
    Reply(599, b""),
    Reply(408, b""),
    Reply(425, b""),
    Reply(429, b"<html>Too Many Requests</html>"),
    Reply(429, {"error": "slow down"}),
    Reply(200, b""),
    Reply(200, b'{"id": "jo', {"Content-Type": "application/json"}),
    Reply(200, b'{"id": "jo', promised=500),
    Reply(act=reset),
    Reply(act=hang_up),
    Reply(act=not_http),
    Reply(act=gzip_bomb),
]


@pytest.mark.parametrize("trouble", TEMPORARY, ids=lambda r: r.act.__name__ if r.act else r.status)
def test_what_is_temporary_is_tried_again_with_the_same_key(
    client: LivingdocsClient, server: ScriptedServer, time: FakeTime, trouble: Reply
) -> None:
    server.script(trouble, trouble, OK)
    assert client.submit(REQUEST, "key") == "job"
    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["key"] * 3
    assert len({seen.body for seen in server.seen}) == 1
    assert len(time.naps) == 2


@pytest.mark.parametrize("trouble", TEMPORARY, ids=lambda r: r.act.__name__ if r.act else r.status)
def test_it_gives_up_after_its_patience_and_says_how_often_it_tried(
    client: LivingdocsClient, server: ScriptedServer, time: FakeTime, trouble: Reply
) -> None:
    server.script(trouble)
    error = failure(client)
    assert type(error) is TemporaryError
    assert error.exit_code is ExitCode.TEMPORARY
    assert f"{len(server.seen)} tries in" in error.message
    assert error.hint
    assert 2 <= len(server.seen) <= transport.TRIES
    assert sum(time.naps) < 120


def test_without_patience_there_is_one_try(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer, time: FakeTime
) -> None:
    server.script(Reply(503, b"", {"Retry-After": "0"}))
    error = failure(make_client(patience=0))
    assert isinstance(error, TemporaryError)
    assert "tries" not in error.message
    assert sum(time.naps) <= 0.1 and len(server.seen) == len(time.naps) + 1


@pytest.mark.parametrize(
    ("header", "nap"),
    [("7", 7.0), ("600", transport.MAX_WAIT), ("Fri, 15 Jan 2027 08:00:09 GMT", 9.0)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_and_capped(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    time: FakeTime,
    header: str,
    nap: float,
    status: int,
) -> None:
    server.script(Reply(status, b"", {"Retry-After": header}), OK)
    client = make_client(now=lambda: 1_800_000_000.0)
    assert client.submit(REQUEST, "key") == "job"
    assert time.naps == [nap]


@pytest.mark.parametrize("header", ["100000000000", "-1 abc", "", "soon"])
def test_a_bad_retry_after_gives_way_to_our_own_backoff(
    client: LivingdocsClient, server: ScriptedServer, time: FakeTime, header: str
) -> None:
    server.script(Reply(503, b"", {"Retry-After": header}), OK)
    assert client.submit(REQUEST, "key") == "job"
    assert len(time.naps) == 1
    assert 0 <= time.naps[0] <= 30


def test_a_patch_that_may_have_arrived_is_not_repeated(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    for trouble in (Reply(500, b""), Reply(act=reset), Reply(200, b"")):
        server.seen.clear()
        server.script(trouble, Reply(body={"status": 200}))
        with pytest.raises(TemporaryError):
            client.patch_media("m", [])
        assert len(server.seen) == 1
    server.script(Reply(503, b""), Reply(body={"status": 200}))
    client.patch_media("m", [])


def test_a_refused_connection_is_named(make_client: Callable[..., LivingdocsClient]) -> None:
    error = failure(make_client(address="http://127.0.0.1:1/proxy/api"))
    assert error.code == "unreachable"
    expected = "http://127.0.0.1:1/proxy/api did not answer: connection refused, "
    assert error.message.startswith(expected)


def test_an_unknown_host_is_named(make_client: Callable[..., LivingdocsClient]) -> None:
    def unknown(request: httpx.Request) -> httpx.Response:
        import socket

        try:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        except socket.gaierror as error:
            raise httpx.ConnectError(str(error), request=request) from error

    client = make_client(address="https://no.example", transport=httpx.MockTransport(unknown))
    assert "its name is not known to the DNS" in failure(client).message


def test_a_silent_server_is_given_up(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    server.script(Reply(act=silent))
    error = failure(make_client(timeout=0.1, patience=0))
    assert isinstance(error, TemporaryError)
    assert "silent for 0.1 s" in error.message


def test_an_answer_that_trickles_is_cut_by_the_clock(
    make_client: Callable[..., LivingdocsClient], time: FakeTime
) -> None:
    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                time.at += 1
                yield b" "

    client = make_client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle())),
        timeout=2, patience=0,
    )  # fmt: skip
    error = failure(client)
    assert isinstance(error, TemporaryError)
    assert "more than 20 s for one answer" in error.message


def test_nothing_is_waited_for_after_the_deadline(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer, time: FakeTime
) -> None:
    server.script(*[Reply(act=silent)] * 3)
    error = failure(make_client(deadline=0.1))
    assert isinstance(error, TemporaryError)
    assert f"silent for {transport.LEAST_SILENCE} s" in error.message
    assert sum(time.naps) <= 0.1 and len(server.seen) == len(time.naps) + 1


def test_an_endless_answer_is_cut(make_client: Callable[..., LivingdocsClient]) -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                yield bytes(8_000_000)

    network = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    error = failure(make_client(transport=network))
    assert (type(error), error.code) == (ConfigError, "unexpected-answer")


def test_one_connection_serves_many_requests(
    client: LivingdocsClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    accept = server.get_request

    def counted() -> Any:
        opened.append(1)
        return accept()

    monkeypatch.setattr(server, "get_request", counted)
    server.script(OK)
    for _ in range(5):
        client.submit(REQUEST)
    assert len(opened) == 1


# -- proxies --------------------------------------------------------------------------------


def test_no_proxy_leads_to_this_machine(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.script(OK)
    assert make_client().submit(REQUEST) == "job"
    localhost = make_client(address=f"http://localhost:{server.server_port}")
    assert localhost.submit(REQUEST) == "job"


@pytest.mark.parametrize("proxy", ["socks5://usr:S3CRET@a.test", "ftp://usr:S3CRET@a.test"])
def test_a_proxy_that_cannot_be_used_is_explained(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match="proxy that the environment names") as caught:
        LivingdocsClient("https://a.test", "t")
    assert "ALL_PROXY" in str(caught.value.hint) and "S3CRET" not in str(caught.value)


def test_any_other_host_is_reached_through_the_proxy(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    server.script(OK)
    assert make_client(address="http://livingdocs.example").submit(REQUEST) == "job"
    assert server.seen[0].path == "http://livingdocs.example/api/v1/import/images"


# -- TLS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "trusted", "words"),
    [
        ("valid", False, "self-signed certificate"),
        ("expired", True, "certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_explained_and_not_retried(
    make_client: Callable[..., LivingdocsClient],
    time: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
    certificate: str,
    trusted: bool,
    words: str,
) -> None:
    path = CERTIFICATES / f"{certificate}.pem"
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with running(path) as server:
        server.script(OK)
        error = failure(make_client(address=server.url))
    assert isinstance(error, ConfigError)
    assert error.code == "tls"
    assert words.replace("-", " ") in error.message.replace("-", " ")
    assert "insecure" not in f"{error.message} {error.hint}"
    assert time.naps == []


def test_a_file_of_certificates_counts_instead_of_the_environments(
    make_client: Callable[..., LivingdocsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    path = CERTIFICATES / "valid.pem"
    with running(path) as server:
        server.script(OK)
        hint = failure(make_client(address=server.url)).hint or ""
        assert "caFile" in hint and "SSL_CERT_FILE" in hint
        assert make_client(address=server.url, ca_file=str(path)).submit(REQUEST) == "job"


def test_a_file_without_certificates_is_named(
    make_client: Callable[..., LivingdocsClient], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ConfigError, match="which holds no certificates"):
        make_client(address="https://livingdocs.example", ca_file=str(tmp_path / "ca.pem"))


def test_a_certificate_for_another_name_is_explained(
    make_client: Callable[..., LivingdocsClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "valid.pem"))
    with running(CERTIFICATES / "valid.pem") as server:
        server.script(OK)
        assert make_client(address=server.url).submit(REQUEST) == "job"
        error = failure(make_client(address=f"https://localhost:{server.server_port}"))
    assert "not valid for 'localhost'" in error.message


def test_insecure_skips_the_check(make_client: Callable[..., LivingdocsClient]) -> None:
    with running(CERTIFICATES / "expired.pem") as server:
        server.script(OK)
        assert make_client(address=server.url, insecure=True).submit(REQUEST) == "job"


def test_plain_http_behind_an_https_address_is_explained(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    server.script(OK)
    error = failure(make_client(address=server.url.replace("http:", "https:")))
    assert error.code == "tls"
    assert "http://" in (error.hint or "")


def test_a_missing_ca_bundle_is_explained(
    make_client: Callable[..., LivingdocsClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE") as caught:
        make_client(address="https://livingdocs.example")
    assert caught.value.code == "tls"


# -- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "server.livingdocs.io", "ftp://a", "https://user:secret@a", "https://a/?x=1", "https://",
     "https://a/api/v1", "https://a/proxy/api/api/2025-03/import/images", "http://a b"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LivingdocsClient(address, None)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("version", ["", "v", "beta", "2025-13", "../v1", "v1/"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigError):
        LivingdocsClient("https://a.example", None, api_version=version)


def test_closing_twice_is_harmless(client: LivingdocsClient) -> None:
    client.close()
    client.close()


# -- while it is waited for ------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TEMPORARY, ids=lambda r: r.act.__name__ if r.act else r.status)
def test_a_server_that_fails_is_told_of_at_once_and_when_it_answers_again(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    time: FakeTime,
    trouble: Reply,
) -> None:
    told: list[Silence] = []
    client = make_client(tell=told.append, now=time.clock)
    server.script(trouble, trouble, OK, OK)
    client.submit(REQUEST, "key")
    first, second, end = told
    assert first.why and first.place == client.base_url
    assert (first.tries, second.tries) == (1, 2)
    assert first.next_try == pytest.approx(1000.0 + time.naps[0])
    assert (end.over, end.place) == (True, client.base_url)
    client.submit(REQUEST, "key")
    assert len(told) == 3, "a server that answers is not worth a word"


def test_a_refused_connection_is_told_with_its_reason(
    make_client: Callable[..., LivingdocsClient],
) -> None:
    told: list[Silence] = []
    failure(make_client(address="http://127.0.0.1:1", tell=told.append))
    assert "connection refused" in told[0].why and told[0].next_try is not None


def test_a_server_that_lets_us_wait_is_told_of_while_we_wait(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "LATE", 0.05)
    answer, told = threading.Event(), []

    def tell(silence: Silence) -> None:
        told.append(silence)
        answer.set()

    def late(handler: Any) -> None:
        answer.wait()
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"id": "j"}')

    server.script(Reply(act=late))
    assert make_client(tell=tell).submit(REQUEST, "key") == "j"
    assert [each.over for each in told] == [False, True]
    assert "has not answered" in told[0].why and told[0].next_try is None


def test_a_refusal_is_an_answer(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    told: list[Silence] = []
    server.script(Reply(503, b""), Reply(401, {"error": "no"}))
    failure(make_client(tell=told.append))
    assert [each.over for each in told] == [False, True]


OCTOBER = 1_792_000_000.0


@pytest.mark.parametrize(
    ("headers", "version", "told"),
    [
        ({"Deprecation": "@1788220800", "Sunset": "Mon, 01 Mar 2027 00:00:00 GMT"}, "v1",
         "API version v1 ends on 2027-03-01; take apiVersion 2026-07"),
        ({"Deprecation": "true"}, "2025-03",
         "API version 2025-03 is deprecated; take apiVersion 2026-07"),
        ({"Sunset": "@1809216000"}, "2026-07", "API version 2026-07 ends on 2027-05-02"),
        ({"Warning": '299 - "use a dated version"'}, "v1",
         "the server warns of API version v1 (“use a dated version”); take apiVersion 2026-07"),
        ({"Sunset": "some day", "Warning": "199 is no warning"}, "v1", None),
        ({}, "v1", None),
    ],
)  # fmt: skip
def test_the_end_of_a_version_is_told_once_with_the_version_to_take(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    headers: dict[str, str],
    version: str,
    told: str | None,
) -> None:
    heard: list[Notice] = []
    client = make_client(tell=heard.append, now=lambda: OCTOBER, api_version=version)
    server.script(*[Reply(200, {"id": "j"}, headers=headers)] * 2)
    for key in ("one", "two"):
        client.submit(REQUEST, key)
    assert [each.text for each in heard] == ([] if told is None else [told])
