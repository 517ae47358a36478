"""The token shows up nowhere: not in logs, errors, tracebacks, reprs or pickles."""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from scripted_server import Reply, ScriptedServer, hang_up, not_http, reset, silent

from ldimport import wire
from ldimport.client import LivingdocsClient
from ldimport.credentials import MASK, Secret, expires
from ldimport.errors import AuthError, LdimportError
from ldimport.model import Image, ImportRequest

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.Tok3nS1gnature"
REQUEST = ImportRequest("sys", (Image("1", "https://a.example/1.png", "one", {}),))


def echo(handler: Any) -> None:
    """A server that sends the request's headers back, in its own headers and words."""
    secret = handler.headers["Authorization"]
    body = b'{"error_details": {"message": "I got %s"}}' % secret.encode()
    head = f"HTTP/1.1 400 Bad Request\r\nX-Request-Id: {secret}\r\nX-Echo: {secret}\r\n"
    handler.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def details(text: str) -> dict[str, Any]:
    return {"error": text, "error_details": {"message": text}}


EVERY_TROUBLE = [
    *(Reply(status, details(f"no {TOKEN}")) for status in (400, 401, 403, 404, 409, 410, 413, 422)),
    *(Reply(status, b"<html>") for status in (200, 302, 401, 403, 404, 418, 429, 500, 503)),
    Reply(429, wire.quota_to_json(1, 1, 1)),
    Reply(302, b"", {"Location": f"https://x.example/{TOKEN}"}),
    Reply(200, b""),
    Reply(200, {"nothing": TOKEN}),
    Reply(200, b"{", promised=900),
    *(Reply(act=act) for act in (reset, hang_up, not_http, silent, echo)),
]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Every log line of every library, at the lowest level, as a handler would print it."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {record.args!r} {record.msg!r}")

    handler = Collect(0)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


def everything(error: BaseException, *, local_variables: bool = True) -> str:
    """The error as the greediest tool would print it: chain, attributes, all local variables
    of the frames below the test's own."""
    own = error.__traceback__
    assert own is not None
    told = traceback.TracebackException(
        type(error), error, own.tb_next, capture_locals=local_variables
    )
    return "".join(told.format()) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("trouble", EVERY_TROUBLE, ids=lambda r: r.act and r.act.__name__)
def test_no_trouble_shows_the_token(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    logged: list[str],
    trouble: Reply,
) -> None:
    client = make_client(token=Secret(TOKEN, "environment LDIMPORT_TOKEN"), timeout=0.2, patience=1)
    server.script(trouble)
    with pytest.raises(LdimportError) as caught:
        client.submit(REQUEST, "key")
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    sent_back_as_an_answer = trouble.status == 200 and TOKEN.encode() in trouble.content
    shown = everything(caught.value, local_variables=not sent_back_as_an_answer)
    assert TOKEN not in shown
    assert "Tok3nS1gnature" not in shown
    assert any("httpcore" in line or "send_request_headers" in line for line in logged)
    assert not [line for line in logged if "Tok3nS1gnature" in line]


def test_an_unreachable_server_shows_no_token(
    make_client: Callable[..., LivingdocsClient], logged: list[str]
) -> None:
    client = make_client(token=TOKEN, address="http://127.0.0.1:1", patience=1)
    with pytest.raises(LdimportError) as caught:
        client.status("x")
    assert "Tok3nS1gnature" not in everything(caught.value) + "".join(logged)


def test_frames_that_hold_the_headers_are_emptied(
    make_client: Callable[..., LivingdocsClient],
) -> None:
    def break_while_writing(request: httpx.Request) -> httpx.Response:
        line = f"Authorization: {request.headers['authorization']}"
        raise httpx.WriteError(f"{len(line)} bytes to go")

    client = make_client(token=TOKEN, transport=httpx.MockTransport(break_while_writing))
    with pytest.raises(LdimportError) as caught:
        client.status("x")
    assert "bytes to go" in everything(caught.value)
    assert "Tok3nS1gnature" not in everything(caught.value)


def test_a_server_that_sends_the_token_back_is_masked(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    server.script(Reply(act=echo))
    with pytest.raises(LdimportError) as caught:
        make_client(token=TOKEN).submit(REQUEST)
    assert f"I got Bearer {MASK}" in caught.value.message
    assert caught.value.facts["request id"] == f"Bearer {MASK}"


@pytest.mark.parametrize("token", ["", "  ", "two words", "ümlaut", "line\r\nX-Evil: 1", "nul\0"])
def test_a_text_that_is_no_token_is_never_sent_nor_quoted(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer, token: str
) -> None:
    server.script(Reply(body={"id": "x"}))
    with pytest.raises(AuthError) as caught:
        make_client(token=token).submit(REQUEST)
    assert caught.value.code == "bad-token"
    assert server.seen == []
    if token.strip():
        assert token not in everything(caught.value)


def test_the_filter_goes_with_the_client(make_client: Callable[..., LivingdocsClient]) -> None:
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore.http11")]
    before = [list(each.filters) for each in loggers]
    make_client(token=TOKEN).close()
    assert [each.filters for each in loggers] == before


# -- Secret ---------------------------------------------------------------------------------


def test_a_secret_is_masked_wherever_it_is_printed() -> None:
    secret = Secret(TOKEN)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{[secret]}",
    ]
    assert not [text for text in shown if "Tok3n" in text]
    assert copy.deepcopy(secret) is secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_is_read_once_and_only_when_needed() -> None:
    calls: list[int] = []

    def read() -> str:
        calls.append(1)
        return f" Bearer {TOKEN}\n"

    secret = Secret(read)
    assert calls == []
    assert secret.reveal() == secret.reveal() == TOKEN
    assert calls == [1]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [(b'{"exp": 5}', 5.0), (b'{"exp": 5.5}', 5.5), (b'{"exp": true}', None),
     (b'{"exp": "5"}', None), (b'{"exp": 0}', None), (b'{"exp": 1e11}', None),
     (b"{}", None), (b"[]", None), (b"x", None)],
)  # fmt: skip
def test_when_a_token_expires_is_read_where_it_says(claims: bytes, expected: float | None) -> None:
    token = f"eyJ.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"
    assert expires(token) == expected


@pytest.mark.parametrize("token", ["opaque", "a.b", "ü.ü.ü", "a.W10.x"])
def test_what_is_no_jwt_says_nothing(token: str) -> None:
    assert expires(token) is None
