"""The engine's workers without the command around them: what they cost, and what of.

    python tests/bench/alone.py FOLDER URLS --integrity fast [--workers 2] [--profile]

Accepts the urls of a file as jobs of a new engine, then lets workers carry them out, and prints
their CPU and time as JSON. With ``--profile`` one worker runs in this process, and what is printed
are its ten largest costs.
"""

from __future__ import annotations

import argparse
import json
import linecache
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from ldimport.engine import Engine
from ldimport.engine.blobs import BlobFolder
from ldimport.engine.worker import run_worker
from ldimport.model import Image, ImportRequest

BATCH = 1_000
LARGEST = 10
EVERY = 0.001
"""Seconds of CPU between two samples; the kernel may make it a few times as much."""


def cpu(who: int) -> float:
    """CPU seconds of this process, or of its ended children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def accept(engine: Engine, urls: list[str]) -> None:
    """All urls as jobs of a thousand images."""
    images = [
        Image(f"photo-{n}", url, f"Photo {n}", {"caption": f"No. {n}"})
        for n, url in enumerate(urls)
    ]
    for at in range(0, len(images), BATCH):
        engine.submit(ImportRequest("bench", tuple(images[at : at + BATCH])))


def carry_out(engine: Engine, workers: int) -> dict[str, float]:
    """CPU of the workers with their decoding children, and the time until all have ended."""
    before, started = cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    engine.run(workers)
    wall = time.perf_counter() - started
    return {"cpu": cpu(resource.RUSAGE_CHILDREN) - before, "wall": wall}


def profile(engine: Engine, images: int) -> None:
    """The ten largest costs of one worker in this process, in microseconds of CPU an image.

    The kernel interrupts us again and again while we compute, and where that happens is counted:
    unlike cProfile, which makes small functions look many times as dear as they are, this costs
    nothing. What C code does counts for the line that calls it; what libcurl does, for the callback
    that it calls next.
    """
    samples: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)

    def sample(_: int, frame: FrameType | None) -> None:
        if frame is not None:
            place = frame.f_code.co_filename, frame.f_code.co_qualname
            samples[place] += 1
            lines[place][frame.f_lineno] += 1

    signal.signal(signal.SIGPROF, sample)
    before = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN)
    signal.setitimer(signal.ITIMER_PROF, *2 * (EVERY,))
    run_worker(engine.store, BlobFolder(engine.folder), until_done=True)
    signal.setitimer(signal.ITIMER_PROF, 0)
    used = 1e6 / images * (cpu(resource.RUSAGE_SELF) - before[0])
    children = 1e6 / images * (cpu(resource.RUSAGE_CHILDREN) - before[1])
    total = samples.total()
    print(f"{used:.0f} us CPU an image and {children:.0f} in children; {total} samples; of these:")
    for (file, name), count in samples.most_common(LARGEST):
        line, most = lines[file, name].most_common(1)[0]
        where = f"{'/'.join(Path(file).parts[-2:])}:{line}"
        print(f"{used * count / total:7.1f} us {count / total:5.1%}  {name:40} most at {where}")
        print(f"{'':17}{most / count:4.0%} of it: {linecache.getline(file, line).strip()[:75]}")


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("urls", type=Path)
    options.add_argument("--integrity", required=True)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--profile", action="store_true")
    asked = options.parse_args()
    urls = asked.urls.read_text().split()
    host = urlsplit(urls[0]).netloc
    with Engine(asked.folder, allow_hosts=[host], integrity=asked.integrity) as engine:
        accept(engine, urls)
        if asked.profile:
            profile(engine, len(urls))
        else:
            print(json.dumps(carry_out(engine, asked.workers)))
        done = sum(job.counts.success for job in engine.jobs(10_000))
        if done != len(urls):
            sys.exit(f"{done} of {len(urls)} images arrived")


if __name__ == "__main__":
    main()
