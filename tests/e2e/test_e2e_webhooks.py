"""Notifications of the local engine: listed, and sent once more."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, Ldimport
from standardwebhooks import Webhook

from ldimport.migration.inbox import Inbox
from ldimport.model import JobHint

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class Hooks(list[tuple[dict[str, str], bytes]]):
    status = 204
    port = 0


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    got = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): each for name, each in self.headers.items()}, body))
            self.send_response(got.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


def notified(run: Ldimport, archive: Callable[..., Path], hooks: Hooks, origin: Any) -> None:
    """A job has ended, and its notification was sent."""
    path = archive(1)
    webhook = f"http://127.0.0.1:{hooks.port}/hook?key=secret-word"
    hosts = ("--allow-host", f"127.0.0.1:{hooks.port}", "--allow-host", f"127.0.0.1:{origin.port}")
    run("submit", path, "--webhook", webhook, *hosts)


def listed(run: Ldimport, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("webhooks", "list", "--json", *options).stdout)[
        "notifications"
    ]
    return found


def test_list_and_resend(
    run: Ldimport, archive: Callable[..., Path], origin: Any, hooks: Hooks
) -> None:
    assert listed(run) == []
    hooks.status = 410
    notified(run, archive, hooks, origin)
    (only,) = listed(run)
    assert (only["state"], only["tries"], only["dueAt"]) == ("disabled", 1, None)
    assert "secret-word" not in json.dumps(only) and only == listed(run, "--failed")[0]
    assert listed(run, "--waiting") == [] == listed(run, "--job", "nobody")
    shown = run("webhooks", "list")
    assert only["id"] in shown.stdout and "webhooks resend --failed" in shown.stderr

    again = run("webhooks", "resend", "--failed", "--json", code=1)
    assert json.loads(again.stdout)["notifications"][0]["state"] == "disabled"
    hooks.status = 204
    run.env["LDIMPORT_WEBHOOK_SECRET"] = SECRET
    again = run("webhooks", "resend", "--failed")
    assert "1 notification delivered" in again.stderr, again.stderr
    headers, body = hooks[-1]
    assert Webhook(SECRET).verify(body, headers)["id"] == only["job"]
    assert {each["webhook-id"] for each, _ in hooks} == {only["id"]} and len(hooks) == 3
    run("webhooks", "resend", "--failed")
    assert len(hooks) == 3, "nothing is given up any more"
    run("webhooks", "resend", only["job"])
    assert len(hooks) == 4
    assert listed(run)[0]["state"] == "delivered"


def test_what_is_not_there(run: Ldimport) -> None:
    for words in (("resend",), ("resend", "msg_x")):
        ended = run("webhooks", *words, code=2)
        assert "webhooks list" in ended.stderr
    run("webhooks", "list", "--engine", "nowhere", code=2)


def test_on_an_engine_of_the_version_before(run: Ldimport, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "fixtures" / "schema_4", tmp_path / "old")
    place = ("--engine", "old/engine", "--state", "old/state.sqlite")
    assert listed(run, *place[:2]) == []
    run("webhooks", "resend", "--failed", *place[:2])
    Inbox(tmp_path / "old" / "state.sqlite").add(JobHint("nobody", "success"))
    before = json.loads(run("status", "--json", *place).stdout)
    run("watch", "--heartbeat", "http://127.0.0.1:9/x", *place, code=None)
    after = json.loads(run("status", "--json", *place).stdout)
    assert after["totals"]["pending"] == 0 < before["totals"]["pending"]
