"""How fast images are fetched, beside ``curl --parallel`` on the same list in the same run.

    python tests/bench/fetch.py [IMAGES] [KILOBYTES]

A local origin answers from memory. Rounds alternate, so that whatever else the machine does
meets both; shown are the best and the middle round of each. CPU is that of the fetching process.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ldimport.model import Limits
from ldimport.net.fetch import Fetched, Fetcher, FetchSource
from ldimport.net.guard import Guard

ROUNDS = 5
PARALLEL = 64


async def serve(size: int) -> None:
    """An origin that answers any GET with the same ``size`` bytes; prints its port."""
    body = b"\xff\xd8" + bytes(size - 2)
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nETag: \"v1\"\r\n"
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )  # fmt: skip
    answer = head.encode() + body

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            self.asked = b""

        def data_received(self, data: bytes) -> None:
            *complete, self.asked = (self.asked + data).split(b"\r\n\r\n")
            for _ in complete:
                self.transport.write(answer)

    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def with_fetcher(port: int, images: int, concurrency: int, per_host: int) -> float:
    """CPU seconds of one round of our own."""
    before = time.process_time()
    sources = (FetchSource(f"http://127.0.0.1:{port}/{n}.jpg") for n in range(images))
    guard = Guard([f"127.0.0.1:{port}"])
    with Fetcher(Limits(per_host=per_host), guard, concurrency=concurrency) as fetcher:
        fetched = sum(isinstance(one, Fetched) for one in fetcher.fetch_many(sources))
    if fetched != images:
        raise SystemExit(f"{images - fetched} images did not arrive")
    return time.process_time() - before


def with_curl(port: int, images: int, folder: Path) -> float:
    """CPU seconds of one round of the curl command, which writes nothing to disk."""
    listed = folder / "list"
    lines = (f'url = "http://127.0.0.1:{port}/{n}.jpg"\noutput = /dev/null' for n in range(images))
    listed.write_text("\n".join(lines))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    options = f"-q --no-progress-meter --fail --parallel --parallel-max {PARALLEL} --noproxy *"
    subprocess.run(["curl", *options.split(), "--config", str(listed)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(ways: dict[str, Callable[[], float]], images: int) -> None:
    """Run all ``ways`` in turn, ``ROUNDS`` times, and print what came of each."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            costs[name].append(way() / images * 1e6)
            rates[name].append(images / (time.perf_counter() - begun))
    for name in ways:
        best, middle = max(rates[name]), statistics.median(rates[name])
        cpu = statistics.median(costs[name])
        print(f"{name:34} best {best:8,.0f}/s   middle {middle:8,.0f}/s   CPU {cpu:5.0f} us each")


def main() -> None:
    """Start the origin, measure, stop it."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    size = int(sys.argv[2]) * 1_000 if len(sys.argv) > 2 else 125_000
    command = [sys.executable, __file__, "--serve", str(size)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as origin,
    ):
        try:
            assert origin.stdout is not None
            port = int(origin.stdout.readline())
            ways: dict[str, Callable[[], float]] = {
                "Fetcher, 16, 8 per host (default)": lambda: with_fetcher(port, images, 16, 8),
                "Fetcher, 64, 64 per host": lambda: with_fetcher(port, images, 64, 64),
            }
            if shutil.which("curl"):
                ways[f"curl --parallel-max {PARALLEL}"] = lambda: with_curl(
                    port, images, Path(folder)
                )
            print(f"{images:,} images of {size:,} bytes, {ROUNDS} rounds")
            measure(ways, images)
        finally:
            origin.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        main()
