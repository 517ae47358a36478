"""Images per second and CPU per image of the embedded engine alone, without a manifest.

    python tests/bench/engine.py [--images 2000] [--workers 2] [--integrity full|fast]

CPU is that of all workers and their decoding children, start-up included.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from origin import Origin, serve

from ldimport.engine import Engine
from ldimport.model import Image, ImportRequest

BATCH = 1_000


def cpu() -> float:
    """CPU seconds of this process and its ended children."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def batches(origin: Origin) -> list[ImportRequest]:
    """The origin's photos as requests of a thousand."""
    images = [
        Image(f"photo-{n}", origin.url(n), f"Photo {n}", {"caption": f"No. {n}"})
        for n in range(origin.images)
    ]
    return [
        ImportRequest("bench", tuple(images[at : at + BATCH]))
        for at in range(0, len(images), BATCH)
    ]


def measure(engine: Engine, origin: Origin, workers: int, what: str) -> None:
    """Submit everything, run it, print what it took."""
    before, started = cpu(), time.perf_counter()
    jobs = [engine.submit(batch) for batch in batches(origin)]
    accepted = time.perf_counter() - started
    engine.run(workers)
    wall, used = time.perf_counter() - started, cpu() - before
    counts = [engine.progress(job) for job in jobs]
    done = {
        word: sum(getattr(each, word) for each in counts if each)
        for word in ("success", "skipped", "failed")
    }
    images = origin.images
    print(
        f"{what:8} {images / wall:7.0f} images/s   {used / images * 1e3:5.2f} ms CPU per image"
        f"   accepted {images / accepted:,.0f}/s   {done}"
    )


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=2_000)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--integrity", nargs="+", default=["full", "fast"])
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(Path(name), asked.images) as origin:
        each = origin.bytes / origin.images / 1000
        print(f"{origin.images} photos of {each:.0f} kB from {origin.software}")
        for integrity in asked.integrity:
            folder = Path(name) / integrity
            with Engine(folder, allow_hosts=[origin.host], integrity=integrity) as engine:
                measure(engine, origin, asked.workers, integrity)
                measure(engine, origin, asked.workers, "again")


if __name__ == "__main__":
    main()
