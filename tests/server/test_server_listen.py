"""The receiving side of webhooks: what is taken, what is refused, and when it is acknowledged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import REAL, Origin, Process, environment, image, raw, served, until
from standardwebhooks import Webhook

from ldimport.errors import TemporaryError
from ldimport.migration.inbox import Inbox
from ldimport.model import Counts, JobHint
from ldimport.server.contract import HttpOptions, Listening
from ldimport.server.listen import Receiver

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = {"id": "25bzj8j", "state": "success", "overview": {"details": {"failed": 29}}}


class Taken(list[JobHint]):
    trouble: TemporaryError | None = None

    def take(self, hint: JobHint) -> bool:
        if self.trouble is not None:
            raise self.trouble
        self.append(hint)
        return True


@contextmanager
def receiving(*secrets: str, **options: Any) -> Iterator[tuple[httpx.Client, Taken]]:
    taken, events = Taken(), list[Any]()
    receiver = Receiver(HttpOptions(port=0, secrets=secrets, **options), taken.take)
    thread = threading.Thread(target=receiver.serve, args=(events.append,))
    thread.start()
    try:
        listening = until(lambda: [each for each in events if isinstance(each, Listening)])[0]
        with httpx.Client(base_url=listening.url, trust_env=False, timeout=60) as http:
            yield http, taken
    finally:
        receiver.stop()
        thread.join()


def ours(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    signed = Webhook(secret).sign("msg_1", datetime.fromtimestamp(moment, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signed}


def theirs(body: bytes, secret: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-livingdocs-signature": f"sha256={digest}"}


SHAPES: list[tuple[Any, JobHint | None]] = [
    (BODY, JobHint("25bzj8j", "success", Counts(failed=29))),
    ({"id": "a", "state": "lost"}, JobHint("a", "lost")),
    ({"jobId": "a", "status": "failed", "overview": None, "more": [1]}, JobHint("a", "failed")),
    (
        {"id": "a", "state": "success", "overview": {"imported": 3, "skipped": 1},
         "context": {"ldimportBatch": "k", "mine": 1}},
        JobHint("a", "success", Counts(3, 1), "k"),
    ),
    (
        {"source": "livingdocs-image-import", "id": "a", "state": "success", "context": "x",
         "overview": {"details": {"failed": True, "success": -1}}},
        JobHint("a", "success"),
    ),
    ({"source": "livingdocs-document-import", "id": "a", "state": "success"}, None),
    ({"event": "mediaLibraryEntry.create", "deliveryId": "x", "projectId": 3}, None),
]  # fmt: skip


def test_every_plausible_shape_is_taken() -> None:
    with receiving() as (http, taken):
        for body, _ in SHAPES:
            assert http.post("/", json=body).status_code == 204, body
    assert taken == [hint for _, hint in SHAPES if hint]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400), (b"[]", 400), (b"{}", 400), (b'{"id": 1, "state": "x"}', 400),
        (b'{"id": "a", "state": ""}', 400), (b'{"id": "%s", "state": "s"}' % (b"a" * 201), 400),
        (b"\xff", 400), (b"[" * 100_000, 400), (b'{"id": "' + b"a" * 600_000 + b'"}', 413),
    ],
)  # fmt: skip
def test_what_is_no_notification_is_refused(content: bytes, status: int) -> None:
    with receiving() as (http, taken):
        answer = http.post("/", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == status and answer.json()["status"] == status
        assert http.post("/", json=BODY).status_code == 204
        assert http.get("/").status_code == 405 and http.post("/x").status_code == 404
    assert len(taken) == 1


def test_either_signature_by_any_of_the_secrets() -> None:
    body = json.dumps(BODY).encode()
    kind = {"content-type": "application/json"}
    plain = "the secret that Livingdocs has"
    with receiving(SECRET, OTHER, plain) as (http, taken):
        for headers in (ours(body), ours(body, OTHER), theirs(body, plain), theirs(body, SECRET)):
            assert http.post("/", content=body, headers=kind | headers).status_code == 204
    assert len(taken) == 4


def test_what_is_not_signed_rightly_and_just_now_is_recorded_nowhere() -> None:
    body, now = json.dumps(BODY).encode(), time.time()
    other = ours(body, OTHER)
    wrong = [
        {}, other, ours(body, at=now - 400), ours(body, at=now + 400), ours(body + b" "),
        theirs(body, OTHER), theirs(body + b" ", SECRET), {"x-livingdocs-signature": "sha256="},
        ours(body) | {"webhook-id": "msg_2"}, ours(body) | {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,", "webhook-timestamp": "1"},
        {"webhook-signature": ours(body)["webhook-signature"]},
    ]  # fmt: skip
    with receiving(SECRET) as (http, taken):
        for headers in wrong:
            kind = {"content-type": "application/json"}
            assert http.post("/", content=body, headers=kind | headers).status_code == 401, headers
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n"
        odd = head + b"x-livingdocs-signature: sha256=\xfc\xfe\r\n\r\n{}"
        assert b" 401 " in raw(http.base_url.port or 0, odd)
    assert taken == []


def test_a_full_disk_is_507_so_that_the_sender_comes_again() -> None:
    with receiving() as (http, taken):
        taken.trouble = TemporaryError("the disk is full", code="disk-full")
        assert http.post("/", json=BODY).status_code == 507 and not taken
        taken.trouble = None
        assert http.post("/", json=BODY).status_code == 204 and len(taken) == 1


# -- the command ----------------------------------------------------------------------------


@contextmanager
def listening(folder: Path, **env: str) -> Iterator[Process]:
    started = subprocess.Popen(
        [*REAL, "listen", "--json", "--port", "0", "--state", str(folder / "state.db")],
        env={**environment(folder), **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    running = Process(started)
    try:
        yield running
    finally:
        if started.poll() is None:
            started.kill()
        running.wait()
        assert started.stdout is not None
        started.stdout.close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with listening(tmp_path) as running:
        assert httpx.post(running.url, json=BODY, trust_env=False).status_code == 204
        os.kill(running.process.pid, signal.SIGKILL)
    assert [each.job for each in Inbox(tmp_path / "state.db").all()] == ["25bzj8j"]
    with listening(tmp_path) as running:
        assert httpx.post(running.url, json=BODY, trust_env=False).status_code == 204
        (told,) = until(lambda: running.told("notification"))
        assert told["again"] and told["failed"] == 29
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    with listening(tmp_path) as running:
        assert running.url
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130 and running.told("summary")[0]["exitCode"] == 130


def test_it_hears_what_serve_sends(tmp_path: Path, origin: Origin) -> None:
    with listening(tmp_path, LDIMPORT_WEBHOOK_SECRET=SECRET) as running:
        host = running.url.removeprefix("http://")
        with served(tmp_path / "e", allow=(origin.host, host), secrets=(SECRET,)) as api:
            job = api.start(
                image("1", origin.url("1.jpg")), webhook=running.url,
                context={"ldimportBatch": "k"},
            )  # fmt: skip
            (told,) = until(lambda: running.told("notification"))
    assert (told["job"], told["success"], told["batch"]) == (job, 1, "k")
    assert Inbox(tmp_path / "state.db").all() == [JobHint(job, "success", Counts(1), "k")]


@pytest.mark.parametrize(
    ("options", "secret", "code", "words"),
    [
        (("--host", "0.0.0.0"), "", 2, "LDIMPORT_WEBHOOK_SECRET"),
        (("--host", "::"), "", 2, "--unsigned"),
        ((), "short", 4, "fewer than 16"),
        (("--host", "192.0.2.1"), SECRET, 4, "ldimport listen --host"),
    ],
)
def test_it_does_not_begin(
    tmp_path: Path, options: tuple[str, ...], secret: str, code: int, words: str
) -> None:
    env = {**environment(tmp_path), "LDIMPORT_WEBHOOK_SECRET": secret}
    command = [*REAL, "listen", "--port", "0", "--state", str(tmp_path / "s.db"), *options]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == code and words in ended.stderr, ended.stderr
