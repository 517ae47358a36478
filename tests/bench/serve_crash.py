"""Kill a server or its workers at random moments while images are under way, again and again.

    python tests/bench/serve_crash.py [--rounds 20] [--images 2000] [--seed 1]

Each round: a new engine, all photos posted in batches of 250 with a webhook, SIGKILL for the
server's whole group (even rounds) or for one worker after another (odd rounds), then a new server
on the same folder. Every acknowledged job must end with all of its images stored once, and every
webhook arrive at least once, always with the same id.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from origin import Origin, serve

BATCH = 250
TOKEN = "crash"


class Hooks(ThreadingHTTPServer):
    """Takes webhooks: the webhook-ids seen for each job."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.seen: dict[str, list[str]] = defaultdict(list)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Hook(BaseHTTPRequestHandler):
    server: Hooks

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen[body["id"]].append(self.headers["webhook-id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server:
    """``ldimport serve``, leader of a group of its own."""

    def __init__(self, folder: Path, *hosts: str) -> None:
        allowed = [each for host in hosts for each in ("--allow-host", host)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LDIMPORT_")}
        self.process = subprocess.Popen(
            [*(sys.executable, "-m", "ldimport", "serve", "--port", "0", "--json"),
             *("--engine", str(folder)), *allowed],
            env={**kept, "LDIMPORT_SERVE_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        url = json.loads(self.process.stdout.readline())["url"]
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)

    def workers(self) -> list[int]:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False
        )
        return [int(each) for each in listed.stdout.split()]

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.http.close()


def wait(what: str, answer: Callable[[], object], seconds: float = 300) -> None:
    ends = time.monotonic() + seconds
    while not answer():
        if time.monotonic() > ends:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def post(server: Server, origin: Origin, hooks: Hooks) -> list[str]:
    ids = []
    for at in range(0, origin.images, BATCH):
        images = [
            {"id": str(n), "url": origin.url(n), "fileName": f"Photo {n}", "metadata": {}}
            for n in range(at, min(at + BATCH, origin.images))
        ]
        body = {"systemName": "crash", "webhook": f"http://{hooks.host}/", "images": images}
        answer = server.http.post("/api/v1/import/images", json=body)
        assert answer.status_code == 200, answer.text
        ids.append(answer.json()["id"])
    return ids


def ended(server: Server, job: str) -> dict[str, object]:
    found: dict[str, object] = server.http.get(
        "/api/v1/import/images/status", params={"id": job}
    ).json()
    return found


def one_round(n: int, folder: Path, origin: Origin, hooks: Hooks, chance: random.Random) -> str:
    server = Server(folder, origin.host, hooks.host)
    ids = post(server, origin, hooks)
    after = chance.uniform(0.2, 4.0)
    if n % 2:
        for worker in server.workers():
            time.sleep(after / 4)
            os.kill(worker, signal.SIGKILL)
        what = "workers"
    else:
        time.sleep(after)
        what = "server"
    server.kill()
    server = Server(folder, origin.host, hooks.host)
    try:
        wait("the jobs", lambda: all(ended(server, job)["finished"] for job in ids))
        wait("the webhooks", lambda: set(ids) <= set(hooks.seen))
        check(server, ids, hooks, origin)
    finally:
        server.kill()
    repeated = sum(len(hooks.seen[job]) - 1 for job in ids)
    return f"round {n + 1}: {what} killed after {after:.1f} s, {repeated} webhooks came twice"


def check(server: Server, ids: list[str], hooks: Hooks, origin: Origin) -> None:
    media = []
    for job in ids:
        found = ended(server, job)
        images = found["images"]
        assert found["state"] == "success" and isinstance(images, list), found
        assert {each["status"] for each in images} == {"success"}, images[:3]
        media += [each["image"]["mediaId"] for each in images]
        assert set(hooks.seen[job]) == {f"msg_{job}"}, hooks.seen[job]
    assert len(media) == len(set(media)) == origin.images


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--images", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    chance, hooks = random.Random(asked.seed), Hooks()
    with tempfile.TemporaryDirectory() as name, serve(Path(name), asked.images) as origin:
        for n in range(asked.rounds):
            with tempfile.TemporaryDirectory(dir=name) as place:
                print(one_round(n, Path(place) / "engine", origin, hooks, chance), flush=True)
    print(f"{asked.rounds} rounds: {asked.images} images each, all stored once, no webhook lost")


if __name__ == "__main__":
    main()
