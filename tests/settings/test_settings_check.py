"""``config check``: what it finds, and that it sends nothing but questions."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ldimport.credentials import Secret, from_file
from ldimport.model import Severity
from ldimport.settings import Settings, check, load
from ldimport.settings.checking import SettingFinding

NOW = 1_800_000_000.0
STATUS, CONFIG, MEDIA = "import/images/status", "projectConfig", "mediaLibrary"
ANSWERS = {
    STATUS: {"finished": False, "state": "lost", "id": "none"},
    CONFIG: {"$baseRevision": 28, "settings": {"handle": "tagblatt"}, "mediaTypes": [{}, {}]},
    MEDIA: {"results": []},
}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.split("?")[0].removeprefix("/api/v1/")
        self.server.seen.append(path)
        status = self.server.refuse.get(path, 200)
        body = json.dumps(ANSWERS[path] if status == 200 else {"error": "no"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    seen: list[str]
    refuse: dict[str, int]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as each:
        each.seen, each.refuse = [], {}
        thread = threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield each
        each.shutdown()
        thread.join()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    environ = {"LDIMPORT_TOKEN": "opaque"}
    flags = {"target": f"http://127.0.0.1:{server.server_port}"}
    return load(flags, environ=environ, cwd=tmp_path, home=tmp_path)


def shown(found: list[SettingFinding]) -> dict[str, Severity | None]:
    return {each.subject: each.severity for each in found}


def jwt(expires: float) -> Secret:
    body = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return Secret(f"e30.{body}.x", "environment LDIMPORT_TOKEN")


def test_all_is_well(settings: Settings, server: Server) -> None:
    found = check(settings)
    assert shown(found) == {
        "token": None,
        "address": None,
        "scope public-api:write": None,
        "scope public-api:config:read": None,
        "project": None,
        "scope public-api:read": None,
    }
    assert "tagblatt, revision 28, 2 media types" in [each.message for each in found]
    assert server.seen == [STATUS, CONFIG, MEDIA]


@pytest.mark.parametrize(
    ("path", "scope", "severity"),
    [
        (STATUS, "scope public-api:write", Severity.ERROR),
        (CONFIG, "scope public-api:config:read", Severity.WARNING),
        (MEDIA, "scope public-api:read", Severity.WARNING),
    ],
)
def test_a_missing_scope_is_found_and_the_rest_is_still_asked(
    settings: Settings, server: Server, path: str, scope: str, severity: Severity
) -> None:
    server.refuse[path] = 403
    found = shown(check(settings))
    assert found[scope] is severity
    assert [each for each in found.values() if each is not None] == [severity]
    assert found["address"] is None
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("status", "subject"), [(401, "token"), (404, "address"), (503, "address")]
)
def test_what_makes_the_rest_pointless_ends_the_questions(
    settings: Settings, server: Server, status: int, subject: str
) -> None:
    server.refuse[STATUS] = status
    found = check(settings)
    assert found[-1].subject == subject
    assert found[-1].severity is Severity.ERROR
    assert server.seen == [STATUS]


def test_without_a_token_nothing_is_asked(settings: Settings, server: Server) -> None:
    (found,) = check(replace(settings, token=None))
    assert (found.subject, found.severity) == ("token", Severity.ERROR)
    assert "LDIMPORT_TOKEN" in found.hint
    assert server.seen == []


def test_an_expired_token_is_found_without_asking(settings: Settings, server: Server) -> None:
    (found,) = check(replace(settings, token=jwt(NOW - 1)), now=lambda: NOW)
    assert found.severity is Severity.ERROR
    assert found.message.startswith("token expired: 2027-01-15 07:59 UTC")
    assert server.seen == []


@pytest.mark.parametrize(("days", "severity"), [(2, Severity.WARNING), (40, None)])
def test_a_token_that_ends_soon_is_a_warning(
    settings: Settings, days: int, severity: Severity | None
) -> None:
    found = check(replace(settings, token=jwt(NOW + days * 86_400)), now=lambda: NOW)
    assert found[0].severity is severity
    assert "expires 2027-0" in found[0].message


def test_a_token_file_that_others_can_read_is_a_warning(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("opaque\n")
    path.chmod(0o644)
    found = check(replace(settings, token=from_file(path)))
    assert (found[1].severity, found[1].hint) == (Severity.WARNING, f"chmod 600 {path}")
    path.chmod(0o600)
    assert check(replace(settings, token=from_file(path)))[1].severity is None


def test_a_missing_token_file_is_found(settings: Settings, tmp_path: Path) -> None:
    (found,) = check(replace(settings, token=from_file(tmp_path / "none")))
    assert (found.subject, found.severity) == ("token", Severity.ERROR)


def test_what_weakens_the_way_is_a_warning(settings: Settings) -> None:
    weak = replace(settings, target="http://livingdocs.example", insecure=True, token=None)
    found = check(weak)
    assert [each.severity for each in found] == [Severity.WARNING, Severity.WARNING, Severity.ERROR]
    assert "not encrypted" in found[0].message
    assert "--insecure" in found[1].message


def test_an_unreachable_address_is_found_after_one_try(settings: Settings) -> None:
    found = check(replace(settings, target="http://127.0.0.1:1"))
    assert found[-1].severity is Severity.ERROR
    assert "connection refused" in found[-1].message
    assert "tries" not in found[-1].message


def test_the_local_engine_needs_no_check(settings: Settings) -> None:
    (found,) = check(replace(settings, target="embedded"))
    assert found.severity is None
    assert str(settings.engine) in found.message
