"""How many requests and seconds it takes to fetch the results of jobs that have ended.

    python tests/bench/harvest.py [--jobs 10000] [--images 10] [--per-second 5]

A state file with so many open jobs of so many images each, an engine in which all of them have
ended, ``ldimport serve`` before it, and one ``watch`` that asks at most so many questions a second.
With the default of five, 10,000 jobs take 2,000 seconds by that promise; ``--per-second`` shows
what the tool itself can do.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from origin import free_port, serve
from serve import TOKEN, served

from ldimport.client import LivingdocsClient
from ldimport.engine import Engine
from ldimport.migration import Migration, StateStore
from ldimport.migration.batch import Envelope, Outgoing
from ldimport.migration.events import Summary
from ldimport.migration.store.packing import pack
from ldimport.model import Image, ImportRequest, JobOptions, JobStatus
from ldimport.targets.livingdocs import LivingdocsTarget
from ldimport.wire import options_to_json

SENT = 1_790_000_000.0


class Counting(LivingdocsTarget):
    """Counts its questions."""

    asked = 0

    def status(self, job_id: str) -> JobStatus:
        self.asked += 1
        return super().status(job_id)


def images(job: int, many: int) -> tuple[Image, ...]:
    """Those of one job."""
    return tuple(Image(f"id{job:06}-{n:03}", f"https://img.example/{job}/{n}.jpg", f"Image {n}", {})
                 for n in range(many))  # fmt: skip


def ended(folder: Path, jobs: int, many: int) -> None:
    """An engine with one image imported, and jobs that have ended with it, over and over."""
    with serve(folder, 1) as origin:
        engine = Engine(folder / "engine", allow_hosts=(origin.host,))
        engine.submit(ImportRequest("archive", (Image("one", origin.url(0), "One", {}),)))
        engine.run(workers=0)
        engine.close()
    (catalogue,) = (folder / "engine").glob("*.sqlite")
    with closing(sqlite3.connect(catalogue)) as connection, connection:
        connection.executemany(
            "INSERT INTO job (n, id, body, system_name, terms, state, images, success, created_at,"
            " finished_at) SELECT ?, ?, 'x', 'archive', terms, 'success', ?, ?, ?, ? FROM job"
            " WHERE n = 1",
            ((n + 1, f"job{n:06}", many, many, SENT, SENT + 60) for n in range(1, jobs + 1)),
        )
        connection.executemany(
            "INSERT INTO item (job, system_name, external_id, url, file_name, media_type, status,"
            " asset) SELECT ?, 'archive', ?, ?, ?, media_type, 'success', asset FROM item"
            " WHERE id = 1",
            ((n + 1, each.id, each.url, each.file_name)
             for n in range(1, jobs + 1) for each in images(n, many)),
        )  # fmt: skip


def left_open(path: Path, target: str, jobs: int, many: int) -> None:
    """A state file in which all of them are under way."""
    with StateStore.open(path, write=True) as state:
        state.archive(target, "serve", "archive")
    options = options_to_json(JobOptions())

    def batches() -> Iterator[tuple[object, ...]]:
        for n in range(1, jobs + 1):
            packed = pack(Envelope("archive"), tuple(map(Outgoing.of, images(n, many))))
            yield (f"key{n}", f"job{n:06}", options, packed, many, n, n, SENT, SENT)

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO batch (scope, key, job_id, state, manifest, manifest_path, options,"
            " packed, images, first_row, last_row, recorded_at, submitted_at)"
            " VALUES (1, ?, ?, 'started', 'a.csv', '/a.csv', ?, ?, ?, ?, ?, ?, ?)", batches(),
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO image (scope, external_id, open_batch, pending, row, source_url)"
            " VALUES (1, ?, ?, x'00', ?, ?)",
            ((each.id, n, n, each.url) for n in range(1, jobs + 1) for each in images(n, many)),
        )
        connection.execute("UPDATE scope SET pending = ?", (jobs * many,))


def harvest(path: Path, url: str, per_second: int) -> None:
    """One ``watch`` to its end."""
    target = Counting(LivingdocsClient(url, TOKEN), per_second)
    started = time.perf_counter()
    with closing(target), StateStore.open(path, write=True) as state:
        for event in Migration(state, target).watch():
            if isinstance(event, Summary):
                totals, code = event.totals, event.exit_code
    seconds = time.perf_counter() - started
    print(f"exit {int(code)}: {totals.success:,} images, {target.asked:,} requests in"
          f" {seconds:.1f} s: {target.asked / seconds:.1f} a second")  # fmt: skip


def in_child(work: Callable[[], None]) -> float:
    """Peak MB of a process that does it."""
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        work()
        sys.stdout.flush()
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    assert status == 0, status
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1_024) / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=10_000)
    options.add_argument("--images", type=int, default=10)
    options.add_argument("--per-second", type=int, default=5)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        url, state = f"http://127.0.0.1:{port}", Path(name) / "state.sqlite"
        in_child(lambda: ended(folder, asked.jobs, asked.images))
        in_child(lambda: left_open(state, url, asked.jobs, asked.images))
        with served(folder, "--workers", "0", "--port", str(port)):
            peak = in_child(lambda: harvest(state, url, asked.per_second))
        print(f"{asked.jobs:,} jobs of {asked.images} images, at most {asked.per_second} requests a"
              f" second; peak {peak:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
