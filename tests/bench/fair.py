"""What origins that stall cost the healthy ones.

    python tests/bench/fair.py [--images 4000] [--stalled 400] [--rounds 3] [--seconds 30]

Ten origins stall: half of them take the connection and say nothing, half send a byte every two
seconds. Their images stand evenly among those of four healthy ones, in one engine with two workers.
Beside it, in turn, the healthy ones alone. Measured are the healthy images' arrivals per second,
from the first one on until all are there or the seconds have passed. Aim: 0.9 of alone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from origin import MEMORY, Origin, serve

from ldimport.engine import Engine
from ldimport.model import Image, ImportRequest, Integrity

HEALTHY = [f"127.0.0.{n}" for n in range(2, 6)]
STALLED = [f"127.0.0.{n}" for n in range(11, 21)]
BATCH = 1_000
WORKERS = 2
AIM = 0.9
DRIP = 2.0
"""Seconds between two bytes."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n\xff\xd8"


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an image, go on byte by byte."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    while not writer.is_closing():
        await writer.drain()
        await asyncio.sleep(DRIP)
        writer.write(b"\xff")


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Hear everything, say nothing."""
    while await reader.read(4096):
        pass


async def quietly(loop_ends: asyncio.Event, port: int, ready: threading.Event) -> None:
    """Serve all origins that stall."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # clients break off
    for n, address in enumerate(STALLED):
        await asyncio.start_server(drip if n % 2 else hang, address, port)
    ready.set()
    await loop_ends.wait()


def archive(origin: Origin, stalled: int) -> list[Image]:
    """The healthy images with so many of stalled origins evenly among them."""
    port, images = origin.port, []
    for n in range(origin.images):
        url = f"http://{HEALTHY[n % len(HEALTHY)]}:{port}/{n}.jpg"
        images.append(Image(f"healthy-{n}", url, f"Photo {n}", {}))
        if n * stalled // origin.images != (n + 1) * stalled // origin.images:
            address = STALLED[len(images) % len(STALLED)]
            url = f"http://{address}:{port}/{n}.jpg"
            images.append(Image(f"stalled-{n}", url, f"Photo {n}", {}))
    return images


def arrivals(engine: Engine, jobs: Sequence[str], wanted: int, seconds: float) -> tuple[int, float]:
    """How many images have arrived, and how many a second from the first on."""
    ends = time.monotonic() + seconds
    first = None
    while True:
        done = sum(counts.success for job in jobs if (counts := engine.progress(job)))
        now = time.monotonic()
        if first is None and done:
            first = done, now
        if done == wanted or now > ends:
            break
        time.sleep(0.02)
    return done, (done - first[0]) / (now - first[1]) if first else 0.0


def measure(origin: Origin, stalled: int, seconds: float) -> tuple[int, float]:
    """One run of a new engine."""
    allowed = [f"{address}:{origin.port}" for address in (*HEALTHY, *STALLED)]
    images = archive(origin, stalled)
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        Engine(folder, allow_hosts=allowed, integrity=Integrity.FAST) as engine,
    ):
        jobs = [
            engine.submit(ImportRequest("bench", tuple(images[at : at + BATCH])))
            for at in range(0, len(images), BATCH)
        ]
        with engine.working(WORKERS):
            return arrivals(engine, jobs, origin.images, seconds)


def main() -> None:
    """Run in turn, print each round and what comes of all."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--images", type=int, default=4_000, help="of the healthy origins")
    options.add_argument("--stalled", type=int, default=400, help="images of the stalled ones")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=30, help="a run takes at most")
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as name,
        serve(Path(name), asked.images, also=HEALTHY) as origin,
    ):
        if origin.software != "nginx":
            sys.exit("not installed: nginx; tests/bench/peers.sh installs it")
        ready, forever = threading.Event(), asyncio.Event()
        coroutine = quietly(forever, origin.port, ready)
        threading.Thread(target=asyncio.run, args=(coroutine,), daemon=True).start()
        if not ready.wait(10):
            sys.exit("the addresses 127.0.0.11 to 20 cannot be listened on")
        compare(asked, origin)


def compare(asked: argparse.Namespace, origin: Origin) -> None:
    """Rounds of both, side by side."""
    ratios = []
    for n in range(asked.rounds):
        alone, beside = (measure(origin, stalled, asked.seconds) for stalled in (0, asked.stalled))
        ratios.append(beside[1] / alone[1])
        print(
            f"round {n + 1}: alone {alone[1]:.0f} images/s, beside {asked.stalled} images of ten"
            f" that stall {beside[1]:.0f}/s ({beside[0]} of {asked.images} arrived in"
            f" {asked.seconds:.0f} s): {ratios[-1]:.2f}",
            flush=True,
        )
    found = median(ratios)
    print(f"{found:.2f} of alone (aim >= {AIM}: {'met' if found >= AIM else 'MISSED'})")


if __name__ == "__main__":
    main()
