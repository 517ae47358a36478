"""A service hears of a run's start and end, and can neither stop nor delay it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import forked
import pytest
from command_line import Ldimport

SECRET = "6e0c1a52-uuid-of-the-check"


class Watchdog(list[tuple[str, str]]):
    """What was asked: path with query, and body."""

    status = 200
    port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{SECRET}"

    @property
    def paths(self) -> list[str]:
        return [urlsplit(path).path.removeprefix(f"/{SECRET}") for path, _ in self]


@pytest.fixture
def dog() -> Iterator[Watchdog]:
    got = Watchdog()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, body.decode()))
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


@pytest.fixture
def sent(run: Ldimport, archive: Callable[..., Path], origin: Any) -> Callable[..., Any]:
    path = archive(2)

    def submit(url: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        host = f"127.0.0.1:{origin.port}"
        given = ("--allow-host", host, "--heartbeat", url)
        return run("submit", path, *given, *options, code=code)

    return submit


def test_start_and_end_of_one_run(sent: Callable[..., Any], dog: Watchdog) -> None:
    ended = sent(f"{dog.url}?create=1")
    assert dog.paths == ["/start", ""]
    queries = [parse_qs(urlsplit(path).query) for path, _ in dog]
    assert queries[0] == queries[1] and queries[0]["create"] == ["1"] and queries[0]["rid"]
    assert dog[1][1].endswith("exit 0, done; 2 success")
    assert SECRET not in ended.stdout + ended.stderr
    sent(dog.url)
    assert parse_qs(urlsplit(dog[2][0]).query)["rid"] != queries[0]["rid"]


@pytest.mark.parametrize(
    ("change", "code", "paths", "words"),
    [
        ((), 1, ["/start", "/fail"], "exit 1, some images failed; 1 success, 1 failed"),
        (("--deadline", "0.001s"), 8, [""], "exit 8, deadline"),
        (("--deadline", "soon"), 2, ["/fail"], "exit 2"),
        (("--target", "http://127.0.0.1:9", "--insecure"), 2, ["/fail"], "exit 2"),
    ],
)
def test_ends_of_all_kinds(
    sent: Callable[..., Any],
    dog: Watchdog,
    origin: Any,
    change: tuple[str, ...],
    code: int,
    paths: list[str],
    words: str,
) -> None:
    origin.files["1.jpg"] = 404
    sent(dog.url, *change, code=code)
    assert dog.paths == paths and words in dog[-1][1], dog


def test_a_manifest_with_errors_is_a_failure(run: Ldimport, dog: Watchdog) -> None:
    (run.folder / "bad.csv").write_text("id,url,fileName\n1,,x\n")
    run("submit", "bad.csv", "--heartbeat", dog.url, code=3)
    assert dog.paths == ["/start", "/fail"] and "exit 3" in dog[1][1]


def test_a_run_beside_another_says_nothing(
    sent: Callable[..., Any], run: Ldimport, dog: Watchdog
) -> None:
    from ldimport.migration import StateStore

    with StateStore.open(run.folder / "state.db", write=True):
        sent(dog.url, "--state", "state.db", code=7)
    assert dog == []


def test_a_dry_run_is_none(sent: Callable[..., Any], dog: Watchdog) -> None:
    sent(dog.url, "--dry-run")
    assert dog == []


def test_watch_and_retry_too(run: Ldimport, sent: Callable[..., Any], dog: Watchdog) -> None:
    sent(dog.url)
    run.env["LDIMPORT_HEARTBEAT"] = dog.url
    run("watch")
    run("retry")
    assert dog.paths == ["/start", ""] * 3


def test_a_service_that_fails_changes_nothing(sent: Callable[..., Any], dog: Watchdog) -> None:
    dog.status = 500
    ended = sent(dog.url)
    assert ended.stderr.count("heartbeat did not arrive") == 1 and SECRET not in ended.stderr
    assert "heartbeat" not in sent(dog.url, "-qq").stderr


def test_a_service_that_hangs_delays_little(sent: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        ended = sent(f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        assert time.monotonic() - began < 60
    assert "heartbeat did not arrive" in ended.stderr


def test_ctrl_c_is_a_failure(
    run: Ldimport, archive: Callable[..., Path], origin: Any, dog: Watchdog
) -> None:
    origin.answers = 0
    path, host = archive(2), f"127.0.0.1:{origin.port}"
    command = [*forked.command(), "submit", str(path), "--allow-host", host]
    started = subprocess.Popen(
        [*command, "--heartbeat", dog.url], cwd=run.folder, env=run.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not origin.asked:
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGINT)
    assert started.wait(60) == 130
    origin.go_on()
    assert dog.paths == ["/start", "/fail"] and "exit 130" in dog[-1][1]


def test_a_crash_is_a_failure(dog: Watchdog) -> None:
    from ldimport.cli.heartbeat import beating
    from ldimport.cli.session import Session

    session = Session(flags={"heartbeat": dog.url}, words=("submit", "a.csv"))

    def broken() -> None:
        raise ZeroDivisionError("what was at fault")

    with pytest.raises(ZeroDivisionError):
        beating(session, broken)
    assert dog.paths == ["/fail"] and "exit 70" in dog[0][1] and "fault" not in dog[0][1]


def test_the_address_is_a_secret(run: Ldimport, dog: Watchdog) -> None:
    (run.folder / "ldimport.yaml").write_text(f"heartbeat: {dog.url}\n")
    ended = run("config", "show", code=None)
    assert ended.returncode == 4 and "config trust" in ended.stderr
    run("config", "trust")
    shown = run("config", "show")
    assert SECRET not in shown.stdout + shown.stderr + ended.stderr + ended.stdout
    told = json.loads(run("config", "show", "--json").stdout)["settings"]["heartbeat"]
    assert told["value"] and SECRET not in told["value"]
    (run.folder / "ldimport.yaml").write_text("heartbeat: ftp://x/\n")
    assert "http or https" in run("config", "show", code=4).stderr
