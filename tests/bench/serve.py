"""What a served engine takes in, and how fast it answers while it works.

    python tests/bench/serve.py [--images 20000] [--queue 100000] [--polls 500]
    python tests/bench/serve.py --minutes 30 [--per-second 20] [--library 1000000]
    python tests/bench/serve.py --looks 300 [--library 1000000]

1. Images/s accepted by POST in batches of 500, each durable before it is answered, beside a bare
   ASGI application that parses the same JSON and answers, under the same uvicorn.
2. Latency of the status endpoint, p50 and p99, with a queue of images while workers run.
3. With ``--minutes``: only how 64 clients are answered, each minute, beside a library of so many
   entries and working workers, at so many requests a second; and the memory of all processes.
4. With ``--looks``: only what so many looks into the media library of each kind take, beside those
   into one of 1,000 entries.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from origin import Origin, free_port, serve
from scale import library

BATCH = 500
CLIENTS = 64
TOKEN = "bench"


def bodies(images: int, origin: Origin | None = None, start: int = 0) -> list[bytes]:
    """Batches of 500 images, as JSON."""

    def url(n: int) -> str:
        return origin.url(n % origin.images) if origin else f"https://images.example/{n}.jpg"

    items = [
        {"url": url(n), "id": f"photo-{n}", "fileName": f"Photo {n}",
         "metadata": {"caption": f"Picture number {n}, from the archive", "credit": "Staff"}}
        for n in range(start, start + images)
    ]  # fmt: skip
    return [
        json.dumps({"systemName": "bench", "images": items[at : at + BATCH]}).encode()
        for at in range(0, images, BATCH)
    ]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """``ldimport serve`` as a process; its address."""
    config = folder / "config.json"
    names = ("title", "caption", "credit")
    metadata = [{"handle": each, "type": "li-text"} for each in names]
    types = [{"handle": "image", "type": "mediaImage", "metadata": metadata}]
    config.write_text(json.dumps({"mediaTypes": types}))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LDIMPORT_")}
    with subprocess.Popen(
        [*(sys.executable, "-m", "ldimport", "serve", "--port", "0", "--json"),
         *("--engine", str(folder / "engine"), "--project-config", str(config), *options)],
        env={**kept, "LDIMPORT_SERVE_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def bare(port: int) -> None:
    """An application that parses the body and answers an id, and nothing else."""
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        answer = json.dumps({"id": str(len(json.loads(body)["images"]))}).encode()
        headers = [(b"content-type", b"application/json"),
                   (b"content-length", b"%d" % len(answer))]  # fmt: skip
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    uvicorn.run(app, host="127.0.0.1", port=port, http="h11", lifespan="off", log_level="critical",
                access_log=False)  # fmt: skip


@contextmanager
def bare_server() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, __file__, "--bare", str(port)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def client(url: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False)


def accepted(url: str, batches: list[bytes], clients: int = 4) -> tuple[float, list[str]]:
    """Images/s, and the job ids, with several clients at once."""

    async def post() -> list[str]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        waiting = list(reversed(batches))
        ids: list[str] = []

        async def one(http: httpx.AsyncClient) -> None:
            while waiting:
                answer = await http.post("/api/v1/import/images", content=waiting.pop())
                assert answer.status_code == 200, answer.text
                ids.append(answer.json()["id"])

        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=120, trust_env=False
        ) as http:
            await asyncio.gather(*(one(http) for _ in range(clients)))
        return ids

    began = time.perf_counter()
    ids = asyncio.run(post())
    return len(batches) * BATCH / (time.perf_counter() - began), ids


def acceptance(images: int) -> None:
    batches = bodies(images)
    print(f"POST, {len(batches)} batches of {BATCH}, {len(batches[0]) / 1000:.0f} kB each, "
          "4 clients")  # fmt: skip
    with bare_server() as url:
        accepted(url, batches[:4])
        floor, _ = accepted(url, batches)
    with tempfile.TemporaryDirectory() as name, served(Path(name), "--workers", "0") as url:
        accepted(url, bodies(4 * BATCH, start=images))
        ours, _ = accepted(url, batches)
    print(f"  bare ASGI, parses the JSON   {floor:9,.0f} images/s")
    print(f"  ldimport serve, durable      {ours:9,.0f} images/s   ratio {floor / ours:.1f}")


def latency(queue: int, polls: int) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        serve(Path(name), 500) as origin,
        served(Path(name), "--allow-host", origin.host) as url,
        client(url) as http,
    ):
        rate, ids = accepted(url, bodies(queue, origin))
        took = []
        for n in range(polls):
            began = time.perf_counter()
            answer = http.get(
                "/api/v1/import/images/status", params={"id": ids[-1 - n % len(ids[-50:])]}
            )
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200
            time.sleep(0.01)
        left = http.get("/health").json()["busy"]
        print(f"status with {queue:,} images queued, workers at work ({rate:,.0f} accepted/s "
              f"beside them, still busy at the end: {left})")  # fmt: skip
        cuts = statistics.quantiles(took, n=100)
        print(f"  p50 {cuts[49] * 1e3:.1f} ms   p99 {cuts[98] * 1e3:.1f} ms   "
              f"slowest {max(took) * 1e3:.1f} ms   of {polls}")  # fmt: skip


def resident(pid: int | None = None) -> float:
    """MB of all processes below this one (Linux)."""
    if pid is None:
        return sum(map(resident, _children(os.getpid())))
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(map(resident, _children(pid)))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


async def minute(url: str, origin: Origin, first: int, entries: int, per_second: float) -> int:
    """64 clients that ask and send in turn for a minute; prints what that was like."""
    took: dict[str, list[float]] = {"POST": [], "status": [], "search": [], "entry": []}
    ids, media, ends = [""], [""], time.perf_counter() + 60
    numbers = itertools.count(first, 10)

    async def one(http: httpx.AsyncClient, turn: int) -> None:
        while time.perf_counter() < ends:
            await asyncio.sleep(random.expovariate(per_second / CLIENTS))
            kind = [*took][turn := (turn + 1) % len(took)]
            if not {"status": ids, "entry": media}.get(kind, [url])[0]:
                continue
            began = time.perf_counter()
            if kind == "POST":
                (sent,) = bodies(10, origin, next(numbers))
                answer = await http.post("import/images", content=sent)
                ids[0] = answer.json()["id"]
            elif kind == "status":
                answer = await http.get("import/images/status", params={"id": ids[0]})
            elif kind == "search":
                known = f"known-{random.randrange(entries):08}"
                asked = {"systemName": "archive", "externalId": known}
                answer = await http.get("mediaLibrary", params=asked)
                media[0] = answer.json()["mediaLibraryEntries"][0]["id"]
            else:
                answer = await http.get(f"mediaLibrary/{media[0]}")
            took[kind].append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    most = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(
        base_url=f"{url}/api/v1", headers=headers, timeout=60, trust_env=False, limits=most
    ) as http:
        await asyncio.gather(*(one(http, turn) for turn in range(CLIENTS)))
    for kind, times in took.items():
        cuts = statistics.quantiles(times, n=100)
        print(f"{kind} {cuts[49] * 1e3:6.1f} {cuts[98] * 1e3:7.1f} ms", end="   ")
    print(f"{sum(map(len, took.values()))} answers   {resident():.0f} MB", flush=True)
    return next(numbers)


def moderate(minutes: int, entries: int, per_second: float) -> None:
    """The same, minute by minute: p50 and p99 of each kind of request."""
    with tempfile.TemporaryDirectory() as name, serve(Path(name), 500, "tiny") as origin:
        library(Path(name) / "library", entries, blobs=False)
        with served(Path(name) / "library", "--allow-host", origin.host) as url:
            first = 0
            for _ in range(minutes):
                first = asyncio.run(minute(url, origin, first, entries, per_second))


def looks(many: int, entries: int) -> None:
    """One entry by its identity, one by its media id, a page of 100: medians and their ratio."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        libraries: list[tuple[httpx.Client, int, list[str]]] = []
        for size in (1_000, entries):
            library(folder := Path(name) / str(size), size, blobs=False)
            (catalogue,) = (folder / "engine").glob("*.sqlite")
            with closing(sqlite3.connect(catalogue)) as connection:
                found = connection.execute("SELECT id FROM media WHERE external_id <> 'one'")
                ids = [each for (each,) in found]
            url = stack.enter_context(served(folder, "--workers", "0"))
            libraries.append((stack.enter_context(client(f"{url}/api/v1")), size, ids))
        for kind in ("identity", "entry", "page of 100"):
            took: list[list[float]] = [[], []]
            for _, (times, (http, size, ids)) in itertools.product(
                range(many), zip(took, libraries, strict=True)
            ):
                path, asked = f"mediaLibrary/{random.choice(ids)}", {}
                if kind != "entry":
                    known = f"known-{random.randrange(size):08}"
                    path, asked = "mediaLibrary", {"systemName": "archive", "externalId": known}
                if kind == "page of 100":
                    asked = {"ids": ",".join(random.sample(ids, 100))}
                began = time.perf_counter()
                answer = http.get(path, params=asked)
                times.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.text
            few, all_of = map(statistics.median, took)
            print(f"{kind:12} {few * 1e3:6.2f} ms of 1,000   {all_of * 1e3:6.2f} ms of {entries:,}"
                  f"   ratio {all_of / few:.2f}")  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=int)
    options.add_argument("--per-second", type=float, default=20)
    options.add_argument("--looks", type=int)
    options.add_argument("--library", type=int, default=1_000_000)
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--queue", type=int, default=100_000)
    options.add_argument("--polls", type=int, default=500)
    options.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.bare:
        bare(asked.bare)
        return
    if asked.minutes:
        moderate(asked.minutes, asked.library, asked.per_second)
        return
    if asked.looks:
        looks(asked.looks, asked.library)
        return
    acceptance(asked.images)
    latency(asked.queue, asked.polls)


if __name__ == "__main__":
    main()
