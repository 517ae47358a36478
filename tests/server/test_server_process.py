"""``ldimport serve`` as a process: starting, stopping, going on, the documented curl command."""

from __future__ import annotations

import functools
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import forked
import httpx
import pytest
from served import (
    REAL,
    STATUS,
    TOKEN,
    Api,
    Origin,
    Process,
    Receiver,
    client,
    environment,
    image,
    process,
    until,
)

from ldimport.engine import Engine, maintenance
from ldimport.server.contract import ServeOptions
from ldimport.server.server import Server, listen

LOCAL = ("--port", "0", "--workers", "1", "--integrity", "fast", "--allow-host")


def api_of(running: Process, http: httpx.Client) -> Api:
    return Api(running.url, http)


def test_sigterm_ends_it_in_order_and_the_next_one_goes_on(tmp_path: Path, origin: Origin) -> None:
    origin.gate.clear()
    start = functools.partial(process, tmp_path, *LOCAL, origin.host, command=REAL)
    with start() as first, client(first.url) as http:
        jobs = [api_of(first, http).start(image(f"{n}", origin.url(f"{n}.jpg"))) for n in range(3)]
        until(lambda: len(first.told("job")) == 3)
        first.process.terminate()
        assert first.wait() == 0
    assert [first.told(kind)[-1] for kind in ("stopped", "summary")] and first.told("stopped")[0][
        "openJobs"] == 3  # fmt: skip
    origin.gate.set()
    with start() as second, client(second.url) as http:
        for job in jobs:
            assert api_of(second, http).ended(job)["images"][0]["status"] == "success"
        second.process.send_signal(signal.SIGINT)
        assert second.wait() == 130
    assert json.loads(first.lines[0])["type"] == "listening"
    assert maintenance.check(tmp_path / "engine").sound


def test_the_api_alone_and_a_worker_beside_it(tmp_path: Path, origin: Origin) -> None:
    options = ("--port", "0", "--workers", "0", "--allow-host", origin.host)
    with process(tmp_path, *options) as running, client(running.url) as http:
        api = api_of(running, http)
        job = api.start(image("1", origin.url("1.jpg")))
        assert api.get(STATUS, id=job).json()["state"] == "started"
        worker = subprocess.Popen(
            [*forked.command(), *("worker", "--workers", "1"),
             *("--engine", str(tmp_path / "engine"))],
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert api.ended(job)["images"][0]["status"] == "success"
        finally:
            worker.terminate()
            assert worker.wait(60) == 0
        ended = until(lambda: running.told("job")[1:])
    assert (ended[0]["id"], ended[0]["state"], ended[0]["success"]) == (job, "success", 1)


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A ``serve`` that has to end by itself."""
    return subprocess.run(
        [*forked.command(), "serve", "--engine", str(folder / "e"), *arguments],
        env={**environment(folder), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_beside_the_server_costs_it_nothing(tmp_path: Path, origin: Origin) -> None:
    """It opens the same catalogue and ends first; what the server accepts afterwards is kept."""
    engine = tmp_path / "engine"
    with process(tmp_path, "--port", "0", "--workers", "0") as running, client(running.url) as http:
        api = api_of(running, http)
        jobs = [api.start(image(str(n), origin.url(f"{n}.jpg"))) for n in range(8)]
        subprocess.run(
            [*forked.command(), "token", "create", "ci", "--engine", str(engine)],
            env=environment(tmp_path),
            check=True,
            capture_output=True,
        )
        jobs += [api.start(image(str(n), origin.url(f"{n}.jpg"))) for n in range(8, 16)]
        running.process.kill()
        running.wait()
    with Engine(engine) as kept:
        assert {kept.status(job).state.value for job in jobs} == {"started"}


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(tmp_path, "--port", port)
    assert done.returncode == 4
    assert f"Port {port} is taken" in done.stderr and "--port 0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "code", "text"),
    [
        (("--host", "192.0.2.1"), {}, 4, "192.0.2.1 is no address of this machine"),
        (("--dialect", "klingon"), {}, 2, "seed, 2025-03, 2026-08"),
        (("--allow-host", "a/b"), {}, 2, "HOST:PORT"),
        ((), {"LDIMPORT_WEBHOOK_SECRET": "x"}, 4, "webhook secret"),
        ((), {"LDIMPORT_SERVE_TOKEN": "a b"}, 4, "token"),
    ],
)
def test_settings_that_make_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], code: int, text: str
) -> None:
    done = run(tmp_path, "--port", "0", *arguments, **env)
    assert done.returncode == code and text in done.stderr
    assert "Traceback" not in done.stderr


def with_files(most: int, *arguments: str) -> list[str]:
    """A server that may have so many files and connections open."""
    return ["/bin/sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *REAL, *arguments]


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
@pytest.mark.parametrize("most", [8, 20, 40])
def test_too_few_files_are_said_in_one_line(tmp_path: Path, most: int) -> None:
    done = subprocess.run(
        with_files(most, "serve", "--port", "0", "--engine", str(tmp_path / "e")),
        env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 5 and "Traceback" not in done.stderr
    assert f"only {most} files may be open at once" in done.stderr and "ulimit -n" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="macOS refuses the limit")
@pytest.mark.parametrize("megabytes", [95, 100])
def test_too_little_memory_is_said_in_one_line(tmp_path: Path, megabytes: int) -> None:
    """Wherever it runs out: mostly a thread beside the requests meets it."""
    line = f'ulimit -v {megabytes << 10}; exec timeout 3 "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *REAL, "serve", "--port", "0", "--workers", "1"],
        cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert done.returncode in (5, 124)


def test_a_thread_beside_the_requests_that_fails_ends_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ldimport.server.server._watch", full)
    with Engine(tmp_path) as engine, pytest.raises(MemoryError):
        Server(engine, ServeOptions(tmp_path, port=0, workers=0)).serve(lambda _: None)


def test_memory_that_runs_out_in_a_request_is_no_bug(
    quiet: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> bool:
        raise MemoryError

    monkeypatch.setattr(Engine, "has_open", full)
    assert quiet.http.get("/health").status_code == 503
    assert not caplog.records


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_more_connections_than_files_keep_nobody_out(tmp_path: Path) -> None:
    options = ("--port", "0", "--workers", "1")
    with process(tmp_path, *options, command=with_files(64)) as running:
        port = int(running.url.rpartition(":")[2])
        for _ in range(3):
            crowd = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(100)]
            with client(running.url) as http:
                until(lambda: answers(http))
            for each in crowd:
                each.close()
        running.process.terminate()
        assert running.wait() == 0
    assert not [line for line in running.lines if "Traceback" in line or "Error" in line]


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/health").status_code == 200
    except httpx.TransportError:  # a newcomer made room for others
        return False


@pytest.mark.parametrize(
    ("host", "warned"),
    [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)],
)
def test_a_server_without_tls_that_others_reach_says_so(
    tmp_path: Path, host: str, warned: bool
) -> None:
    with process(tmp_path, "--port", "0", "--workers", "0", "--host", host) as running:
        until(lambda: [line for line in running.lines if '"engine"' in line])
        running.process.terminate()
        running.process.wait(60)
    assert any("without TLS" in line for line in running.lines) == warned


def test_a_reader_that_does_not_read_does_not_stop_the_server(tmp_path: Path) -> None:
    """Its log goes into a pipe that is full: requests are answered all the same."""
    reader, writer = os.pipe()
    command = [*forked.command(), "serve", "--json", "--port", "0", "--workers", "0"]
    running = subprocess.Popen(
        [*command, "--engine", str(tmp_path / "engine")],
        env={**environment(tmp_path), "LDIMPORT_SERVE_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            line = b""
            while not line.endswith(b"\n"):
                line += pipe.read(1)
            with client(json.loads(line)["url"]) as http:
                for n in range(600):  # more than a pipe holds
                    assert http.get(f"/api/v1/{'x' * 200}{n}").status_code == 404
    finally:
        running.kill()
        running.wait()


SEED_CURL = """\
ACCESS_TOKEN=ey1234
curl -k -X POST "https://edit.livingdocs.io/proxy/api/api/v1/import/images" \\
  -H "Accept: application/json" \\
  -H "Authorization: Bearer $ACCESS_TOKEN" \\
  -H 'Content-Type: application/json; charset=utf-8' \\
  --data-binary @- << EOF
  {
    "systemName": "identifier-for-your-system",
    "webhook": "https://my-domain.com/webhooks/image-import",
    "images": [
      {
        "url": "https://nerdcore.de/wp-content/uploads/2019/02/cat1.jpeg",
        "id": "123abc",
        "fileName": "foo",
        "metadata": {
          "caption": "bar"
        }
      }
    ]
  }
EOF
"""


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_seeds_curl_command(tmp_path: Path, origin: Origin, receiver: Receiver) -> None:
    """Verbatim, but for host, token, image URL and the receiver of the webhook."""
    options = (*LOCAL, origin.host, "--allow-host", receiver.host)
    with process(tmp_path, *options) as running, client(running.url) as http:
        command = (
            SEED_CURL.replace("ey1234", shlex.quote(TOKEN))
            .replace("https://edit.livingdocs.io", running.url)
            .replace("https://my-domain.com/webhooks/image-import", receiver.url)
            .replace("https://nerdcore.de/wp-content/uploads/2019/02/cat1.jpeg",
                     origin.url("7.jpg"))
        )  # fmt: skip
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
        )
        job = json.loads(done.stdout)["id"]
        (found,) = api_of(running, http).ended(job)["images"]
        (hook,) = receiver.got()
    assert (found["status"], found["externalId"], found["title"]) == ("success", "123abc", "foo")
    assert (hook.json["id"], hook.json["state"]) == (job, "success")


def test_a_public_url_and_a_daily_limit(tmp_path: Path, origin: Origin) -> None:
    options = (
        *LOCAL,
        origin.host,
        "--public-url",
        "https://cms.example/proxy",
        "--daily-limit",
        "1",
    )
    with process(tmp_path, *options) as running, client(running.url) as http:
        api = api_of(running, http)
        (found,) = api.ended(api.start(image("1", origin.url("1.jpg"))))["images"]
        refused = api.post({"systemName": "a", "images": [image("2", origin.url("2.jpg"))]})
    assert found["image"]["originalUrl"].startswith("https://cms.example/proxy/api/v1/images/")
    assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 86_401


# -- rounds of death ------------------------------------------------------------------------

ROUNDS = 4
BATCHES = 3
BATCH = 50


def members(leader: int) -> list[int]:
    """Processes of a server's group, but for the leader."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != leader:
            try:
                if os.getpgid(int(place.name)) == leader:
                    found.append(int(place.name))
            except ProcessLookupError:
                continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to find workers")
def test_kill_9_of_server_or_worker_loses_nothing(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    chance = random.Random(1)
    options = (*LOCAL, origin.host, "--allow-host", receiver.host)
    acknowledged: list[str] = []
    for n in range(ROUNDS):
        with process(tmp_path, *options, command=REAL) as running, client(running.url) as http:
            api = api_of(running, http)
            for b in range(BATCHES):
                first = (n * BATCHES + b) * BATCH
                images = [
                    image(f"{i}", origin.url(f"{i}.jpg")) for i in range(first, first + BATCH)
                ]
                acknowledged.append(api.start(*images, webhook=receiver.url))
            stored = n * BATCHES * BATCH + chance.randrange(BATCHES * BATCH)
            until(lambda: blobs(tmp_path) >= stored)  # noqa: B023  called at once
            if n % 2:
                for worker in members(running.process.pid):
                    os.kill(worker, signal.SIGKILL)
                api.ended(acknowledged[-1])
            running.process.kill()
    with process(tmp_path, *options, command=REAL) as running, client(running.url) as http:
        for job in acknowledged:
            results = api_of(running, http).ended(job)["images"]
            assert {each["status"] for each in results} == {"success"} and len(results) == BATCH
        until(lambda: {each.json["id"] for each in receiver.hooks} == set(acknowledged))
        running.process.terminate()
        assert running.wait() == 0
    assert {each.id for each in receiver.hooks} == {f"msg_{job}" for job in acknowledged}
    assert all(each.id == f"msg_{each.json['id']}" for each in receiver.hooks)
    health = maintenance.check(tmp_path / "engine")
    assert health.sound and health.entries == ROUNDS * BATCHES * BATCH
    with Engine(tmp_path / "engine") as engine:
        assert not engine.has_open()


def blobs(folder: Path) -> int:
    return sum(1 for each in (folder / "engine" / "blobs").rglob("*") if each.is_file())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_small_answers_wait_for_no_acknowledgement(host: str) -> None:
    """With Nagle's algorithm an answer of two packets takes 40 ms (RFC 1122 4.2.3.2, 4.2.3.4)."""
    with listen(host, 0) as made, socket.create_connection(made.getsockname()[:2]):
        made.setblocking(True)
        accepted, _ = made.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
