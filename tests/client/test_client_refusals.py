"""What the client makes of refusals and of answers that are none of the API's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from scripted_server import FakeTime, Reply, ScriptedServer

from ldimport import wire
from ldimport.client import LivingdocsClient
from ldimport.credentials import Secret
from ldimport.errors import (
    AuthError,
    ConfigError,
    ExitCode,
    InvalidRequestError,
    KeyConflictError,
    LdimportError,
    QuotaError,
    RefusedError,
    TooLargeError,
)
from ldimport.model import Image, ImportRequest

REQUEST = ImportRequest("sys", (Image("1", "https://a.example/1.png", "one", {}),))
NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC


def jwt(**claims: Any) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


def envelope(status: int, error: str, **details: Any) -> dict[str, Any]:
    return {"status": status, "error": error, "error_details": details}


def refused(client: LivingdocsClient, server: ScriptedServer, *replies: Reply) -> LdimportError:
    server.script(*replies)
    with pytest.raises(LdimportError) as caught:
        client.submit(REQUEST, "key")
    return caught.value


EXPIRED = Reply(401, envelope(401, "Unauthorized", access_token="The access token expired."))


# -- token ----------------------------------------------------------------------------------


def test_an_expired_token_names_its_end_its_place_and_the_way_out(  # T13
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    token = Secret(jwt(exp=NOW - 60), "environment LDIMPORT_TOKEN")
    error = refused(make_client(token=token, now=lambda: NOW), server, EXPIRED)
    assert isinstance(error, AuthError)
    assert (error.code, error.exit_code) == ("unauthorized", ExitCode.CONFIG)
    assert "refused the token (401 Unauthorized)" in error.message
    assert error.hint is not None
    assert error.hint.startswith("token expired: it ended 2027-01-15 07:59 UTC; make a new one")
    assert "public-api:write" in error.hint
    expected = "the token expired 2027-01-15 07:59 UTC · read from environment LDIMPORT_TOKEN"
    assert error.facts["why"] == expected
    assert error.facts["where"] == f"POST {server.url}/api/v1/import/images"
    assert len(server.seen) == 1, "a refused token is never tried again"


@pytest.mark.parametrize(
    "token", ["opaque", jwt(sub="x"), "a.%%%.b", jwt(exp="soon"), jwt(exp=1e99)]
)
def test_without_an_end_in_the_token_the_server_has_the_word(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer, token: str
) -> None:
    error = refused(make_client(token=token), server, EXPIRED)
    assert (error.hint or "").startswith("token expired: make a new one")
    assert error.facts["why"] == "the server says: The access token expired."


@pytest.mark.parametrize("body", [b"", b"<h1>401</h1>", envelope(401, "Unauthorized")])
def test_a_token_that_still_holds_is_not_called_expired(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer, body: Any
) -> None:
    client = make_client(token=jwt(exp=NOW + 60), now=lambda: NOW)
    error = refused(client, server, Reply(401, body))
    assert isinstance(error, AuthError)
    assert "expired" not in f"{error.hint} {error.facts}"


def test_a_missing_token_says_where_to_put_one(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    error = refused(make_client(token=None), server, EXPIRED)
    assert isinstance(error, AuthError)
    assert "LDIMPORT_TOKEN" in (error.hint or "")


@pytest.mark.parametrize(
    ("ask", "scope"),  # T14, T15
    [
        (lambda c: c.submit(REQUEST), "public-api:write"),
        (lambda c: c.status("x"), "public-api:write"),
        (lambda c: c.patch_media("m", []), "public-api:write"),
        (lambda c: c.project_config(), "public-api:config:read"),
        (lambda c: c.find("s", "x"), "public-api:read"),
    ],
)
def test_a_missing_scope_is_named(
    client: LivingdocsClient, server: ScriptedServer, ask: Callable[..., Any], scope: str
) -> None:
    text = "The request requires higher privileges"
    server.script(Reply(403, envelope(403, "Forbidden", access_token=text)))
    with pytest.raises(AuthError) as caught:
        ask(client)
    assert caught.value.code == "forbidden"
    assert caught.value.message == f"The token lacks the scope {scope} (403)"
    assert caught.value.facts["why"] == text
    assert len(server.seen) == 1


def test_a_firewall_in_front_is_not_mistaken_for_a_missing_scope(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    error = refused(client, server, Reply(403, b"<html>Access denied, ray 7f3a</html>"))
    assert not isinstance(error, AuthError)
    assert (error.code, error.exit_code) == ("blocked", ExitCode.CONFIG)


# -- quota ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["array", "object"])  # T11, T12
def test_the_quota_is_read_from_both_shapes_and_never_retried(
    client: LivingdocsClient, server: ScriptedServer, time: FakeTime, shape: str
) -> None:
    body = wire.quota_to_json(100, 99, 10)
    reply = Reply(429, body if shape == "array" else body[0], {"Retry-After": "3"})
    error = refused(client, server, reply)
    assert isinstance(error, QuotaError)
    assert (error.limit, error.used, error.trying) == (100, 99, 10)
    assert (error.retry_after, error.exit_code) == (3.0, ExitCode.QUOTA)
    assert (len(server.seen), time.naps) == (1, [])


def test_a_quota_without_numbers_is_still_a_quota(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    reply = Reply(429, [envelope(429, "Usage Limit Exceeded", message="Enough for today.")])
    error = refused(client, server, reply)
    assert isinstance(error, QuotaError)
    assert (error.limit, error.used, error.retry_after) == (None, None, None)


# -- the request ----------------------------------------------------------------------------


def test_a_bad_request_keeps_its_dotted_paths(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    details = {"images.0.url": "not a valid URL", "systemName": "Missing required property"}
    headers = {"X-Request-Id": "7f3a"}
    error = refused(client, server, Reply(400, envelope(400, "Bad Request", **details), headers))
    assert isinstance(error, InvalidRequestError)
    assert error.details == details
    assert "refused the batch (400): images.0.url: not a valid URL" in error.message
    assert error.facts["request id"] == "7f3a"
    assert (error.exit_code, len(server.seen)) == (ExitCode.REFUSED, 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"<h1>Bad Request</h1>", {"status": 400}, [], "no", {"error_details": 5},
     {"error": "Bad Request", "error_details": {"errors": [{"metadataProperty": "title"}]}}],
)  # fmt: skip
def test_a_bad_request_of_any_shape_is_refused(
    client: LivingdocsClient, server: ScriptedServer, body: Any
) -> None:
    error = refused(client, server, Reply(400, body))
    assert isinstance(error, InvalidRequestError)
    assert "refused the batch (400)" in error.message


def test_the_servers_words_are_one_clean_line(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    said = "no\x1b[31m way\n   at \u202eall " + "x" * 5000
    error = refused(client, server, Reply(400, envelope(400, "Bad Request", message=said)))
    assert "no[31m way at all xxx" in error.message
    assert error.message.isprintable()
    assert len(error.message) < 700


def test_a_key_used_for_another_body_is_a_conflict(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    error = refused(client, server, Reply(409, envelope(409, "Conflict", message="other body")))
    assert isinstance(error, KeyConflictError)
    assert "other body" in error.message


@pytest.mark.parametrize("body", [b"", b"<html>nginx</html>", envelope(413, "Too Large")])  # T44
def test_a_body_that_is_too_large_says_how_large_it_was(
    client: LivingdocsClient, server: ScriptedServer, body: Any
) -> None:
    error = refused(client, server, Reply(413, body))
    assert isinstance(error, TooLargeError)
    assert isinstance(error, RefusedError)
    assert error.code == "too-large"
    assert error.size == len(server.seen[0].body) > 0


def test_a_removed_version_names_itself(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:  # T17
    error = refused(make_client(api_version="2025-03"), server, Reply(410, b""))
    assert (error.code, error.exit_code) == ("api-gone", ExitCode.REFUSED)
    assert error.message == "API 2025-03 has been removed from this server (410)"


def test_a_teapot_is_refused_with_its_words(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    error = refused(client, server, Reply(418, {"error": "short and stout"}))
    assert isinstance(error, RefusedError)
    assert "418 I'm a Teapot): short and stout" in error.message


# -- not the API ----------------------------------------------------------------------------


def test_an_unknown_route_hints_at_the_address(  # T16
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    error = refused(client, server, Reply(404, envelope(404, "Not Found", url="/api/v1/foo")))
    assert (error.code, error.exit_code) == ("no-such-route", ExitCode.CONFIG)
    assert "/proxy/api" in (error.hint or "")
    with pytest.raises(ConfigError):
        client.status("x")


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_page_instead_of_json_hints_at_the_proxy_path(
    client: LivingdocsClient, server: ScriptedServer, status: int
) -> None:
    error = refused(client, server, Reply(status, b"<!doctype html><title>Sign in</title>"))
    assert isinstance(error, ConfigError)
    assert error.code == "not-json"
    assert f"answered with a web page, not with the API ({status} text/html)" in error.message
    assert error.hint == "is /proxy/api missing in the address?"
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [b"hello", b"\x00\xff\xfe" * 9, b"[" * 100_000])
def test_other_content_is_no_api_either(
    client: LivingdocsClient, server: ScriptedServer, body: bytes
) -> None:
    error = refused(client, server, Reply(200, body, {"Content-Type": "text/plain"}))
    assert error.code == "not-json"


@pytest.mark.parametrize(
    ("status", "location"),
    [(301, "https://edit.example.com/login?token=abc"), (302, ""), (308, "/elsewhere")],
)
def test_redirects_are_not_followed(
    client: LivingdocsClient, server: ScriptedServer, status: int, location: str
) -> None:
    error = refused(client, server, Reply(status, b"", {"Location": location}))
    assert (error.code, error.exit_code) == ("redirect", ExitCode.CONFIG)
    assert "token=" not in error.message
    assert len(server.seen) == 1


# -- Retry-After ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri Jan 15 08:00:30 2027", 30.0),
        ("soon", None),
        ("100000000000", None),  # over a week makes no sense
    ],
)
def test_a_quota_tells_when_to_come_back(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    text: str,
    seconds: float | None,
) -> None:
    reply = Reply(429, wire.quota_to_json(1, 1, 1), {"Retry-After": text})
    error = refused(make_client(now=lambda: NOW), server, reply)
    assert isinstance(error, QuotaError)
    assert error.retry_after == seconds
