"""What a served engine takes in, and how fast it answers while it works.

    python tests/bench/serve.py [--images 20000] [--queue 100000] [--polls 500]

1. Images/s accepted by POST in batches of 500, each durable before it is answered, beside a bare
   ASGI application that parses the same JSON and answers, under the same uvicorn.
2. Latency of the status endpoint, p50 and p99, with a queue of images while workers run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from origin import Origin, free_port, serve

BATCH = 500
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--queue", type=int, default=100_000)
    options.add_argument("--polls", type=int, default=500)
    options.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.bare:
        bare(asked.bare)
        return
    acceptance(asked.images)
    latency(asked.queue, asked.polls)


if __name__ == "__main__":
    main()
