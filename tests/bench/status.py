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

TARGET, NAME, SENT = "https://edit.example/api", "archive", 1_790_000_000.0


def build(path: Path, images: int, jobs: int, still_open: int = 0, carried: int = 50_000) -> None:
    """A state file with so many images in so many jobs; the last ``still_open`` of them have not
    ended, and carry so many bytes each."""
    each, ended = images // jobs, jobs - still_open
    with StateStore.open(path, write=True) as state:
        state.archive(TARGET, "edit.example", NAME)

    def batches() -> Iterator[tuple[object, ...]]:
        for n in range(1, jobs + 1):
            at, done, failed = SENT + n, n <= ended, int(n % 10 == 0 and n <= ended)
            state_word, packed = ("success", None) if done else ("started", bytes(carried))
            yield (
                n,
                f"key{n}",
                f"job{n:06}",
                state_word,
                packed,
                each,
                n * each - each + 1,
                n * each,
                (each - failed) * done,
                failed,
                at,
                at,
                at + 60 if done else None,
            )

    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(1, images + 1):
            batch = (n - 1) // each + 1
            failed, done = n % each == 0 and batch % 10 == 0, batch <= ended
            word = ("failed" if failed else "success") if done else None
            yield (
                f"id{n:09}",
                word,
                b"f" * 32 if done else None,
                None if done else batch,
                batch if done else None,
                n,
                "origin-503" if failed and done else None,
                f"m{n:09}" if done and not failed else None,
                f"https://img.example/{n}.jpg",
            )

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO batch (id, scope, key, job_id, state, manifest, manifest_path, options,"
            " packed, images, first_row, last_row, success, failed, recorded_at, submitted_at,"
            " finished_at) VALUES (?, 1, ?, ?, ?, 'archive.csv', '/archive.csv', '{}', ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?)",
            batches(),
        )
        connection.executemany(
            "INSERT INTO image (scope, external_id, status, sent, open_batch, last_batch, row,"
            " cause, media_id, source_url) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows(),
        )
        failures = ended // 10
        sums = (each * ended - failures, failures, each * still_open)
        connection.execute("UPDATE scope SET success = ?, failed = ?, pending = ?", sums)


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
