"""Time and memory of ``ldimport status`` on a large state file, as a ratio to a small one.

    python tests/bench/status.py [--rounds 7] [--open 0]

Two state files of the real schema: 10,000 images in 100 jobs and 1,000,000 images in 10,000 jobs,
of which ``--open`` have not ended. The aim is a ratio of at most 1.2.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from ldimport.migration import StateStore
from ldimport.migration.batch import Outgoing
from ldimport.migration.store.recording import pack_one
from ldimport.model import Image, JobOptions
from ldimport.wire import options_to_json

TARGET, NAME, SENT = "https://edit.example/api", "archive", 1_790_000_000.0


def build(
    path: Path, images: int, jobs: int, still_open: int = 0, carried: int = 50_000, every: int = 0
) -> None:
    """A state file with so many images in so many jobs; the last ``still_open`` of them have not
    ended, and carry so many bytes each. One image of every tenth job has failed; with ``every``
    one of so many of all, each kept as it was sent. Ids are in no order, as digests are."""
    each, ended = images // jobs, jobs - still_open
    with StateStore.open(path, write=True) as state:
        state.archive(TARGET, "edit.example", NAME)

    def failed(n: int) -> bool:
        last = n % each == 0 and (n - 1) // each % 10 == 9
        return (n % every == 0 if every else last) and n <= ended * each

    def batches() -> Iterator[tuple[object, ...]]:
        options = options_to_json(JobOptions())
        for n in range(1, jobs + 1):
            at, done, first = SENT + n, n <= ended, n * each - each + 1
            lost = sum(map(failed, range(first, first + each)))
            ends = ("success", None) if done else ("started", bytes(carried))
            counts = ((each - lost) * done, lost, at, at, at + 60 if done else None)
            yield (n, f"key{n}", f"job{n:06}", *ends, options, each, first, n * each, *counts)

    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(1, images + 1):
            batch, name = (n - 1) // each + 1, f"{n * 2_654_435_761 % 2**32:08x}"
            done, lost, digest = batch <= ended, failed(n), b"f" * 32
            word = ("failed" if lost else "success") if done else None
            address = f"https://media.example/image/upload/2026/11/{name}.jpg"
            facts = (f"m{name}", address, address, 2400, 1600, "image/jpeg", "example")
            yield (
                f"id{name}", word, digest if done else None, digest if word == "success" else None,
                None if done else batch, None if done else digest, batch if done else None, n,
                int(done), *(("The origin answered 503", "origin-503", 1) if lost else (None,) * 2
                + (0,)), *(facts if word == "success" else (None,) * 7),
                f"Harbour at dawn {n}", f"Harbour at dawn {n}.jpg",
                f"https://img.example/archive/{n // 1000}/{n}.jpg", int(lost),
                SENT if lost else None, SENT + 60 if lost else None,
            )  # fmt: skip

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO batch (id, scope, key, job_id, state, manifest, manifest_path, packed,"
            " options, images, first_row, last_row, success, failed, recorded_at, submitted_at,"
            " finished_at) VALUES (?, 1, ?, ?, ?, 'archive.csv', '/archive.csv', ?, ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?)",
            batches(),
        )
        marks = ", ".join("?" * 24)
        connection.executemany(
            "INSERT INTO image (scope, external_id, status, sent, arrived, open_batch, pending,"
            " last_batch, row, attempts, reason, cause, retryable, media_id, url, original_url,"
            " width, height, mime_type, image_service, title, file_name, source_url, tries,"
            f" failing_since, failed_at) VALUES (1, {marks}, ?)",
            rows(),
        )
        connection.execute(
            "INSERT INTO attempt (batch, n, external_id, status, reason, cause, retryable)"
            " SELECT last_batch, row, external_id, status, reason, cause, retryable FROM image"
            " WHERE status IS NOT NULL ORDER BY row"
        )
        connection.create_function("packed", 3, _packed)
        connection.execute(
            "INSERT INTO kept SELECT scope, external_id, packed(external_id, source_url, row)"
            " FROM image WHERE status = 'failed'"
        )
        sums = [
            connection.execute(f"SELECT count(*) FROM image WHERE {which}").fetchone()[0]
            for which in ("status = 'success'", "status = 'failed'", "status IS NULL")
        ]
        connection.execute("UPDATE scope SET success = ?, failed = ?, pending = ?", sums)


def _packed(name: str, url: str, row: int) -> bytes:
    image = Image(name, url, f"Image {row}", {"caption": f"Picture {row}", "credit": "Staff"})
    return pack_one(Outgoing.of(image, row, original={"id": name, "url": url}))


def measured(state: Path, *options: str) -> tuple[float, float]:
    """Seconds and peak MB of one ``ldimport status``."""
    command = [sys.executable, "-m", "ldimport", "status", "--state", str(state), *options]
    env = {name: text for name, text in os.environ.items() if not name.startswith("LDIMPORT_")}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, status
    scale = 1 if sys.platform == "darwin" else 1_024
    return time.perf_counter() - started, used.ru_maxrss * scale / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--open", type=int, default=0, dest="still_open")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        small, large = Path(name) / "small.sqlite", Path(name) / "large.sqlite"
        build(small, 10_000, 100, min(10, asked.still_open))
        build(large, 1_000_000, 10_000, asked.still_open)
        print(f"{'':22}{'10,000 images':>20}{'1,000,000 images':>20}{'ratio':>18}")
        for given in ((), ("--failed",), ("-n", "0"), ("--json",)):
            found: dict[Path, list[tuple[float, float]]] = {small: [], large: []}
            for _ in range(asked.rounds):
                for state, runs in found.items():
                    runs.append(measured(state, *given))
            (t, m), (seconds, memory) = (
                [median(column) for column in zip(*runs, strict=True)] for runs in found.values()
            )
            print(
                f"status {' '.join(given):15}{t:>10.3f} s{m:>6.0f} MB{seconds:>10.3f} s"
                f"{memory:>6.0f} MB   time {seconds / t:.2f} memory {memory / m:.2f}"
            )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
