"""Time, memory and size of ``ldimport report`` on 10,000 and 1,000,000 rows, beside a plain scan.

    python tests/bench/report.py [--rounds 5] [--every 100]

A plain scan is a process of Python that reads every column of every image once, by one statement
(``count(*), sum(length(...))`` over the table in its own order). One of six texts alone (id, title,
file name, three addresses) is shown beside it, as what nobody gets around. The aims are a file of
less than 1 MB and a ratio of at most 5. One image of ``--every`` has failed, for one of four
causes; they come from 37 hosts and have many sizes.
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
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from status import build

TEXTS = ("external_id", "title", "file_name", "source_url", "url", "original_url")
SCAN = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
columns = sys.argv[2:] or [row[1] for row in connection.execute("PRAGMA table_info(image)")]
sums = ", ".join(f"sum(length({name}))" for name in columns)
print(connection.execute(f"SELECT count(*), {sums} FROM image NOT INDEXED").fetchone())
"""
VARIED = """
UPDATE image SET source_url = 'https://img' || (row % 37) || '.example/archive/' || row || '.jpg',
  width = CASE WHEN status = 'success' THEN 200 + row * 7919 % 7000 END,
  height = CASE WHEN status = 'success' THEN 200 + row * 104729 % 5000 END,
  cause = CASE WHEN status = 'failed'
    THEN json_extract('["origin-503","timeout","not-an-image","origin-404"]',
                      '$[' || (row / 100 % 4) || ']') END
"""


def measured(command: Sequence[str]) -> tuple[float, float, float]:
    """Seconds, those of CPU, and peak MB of a process of Python."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("LDIMPORT_")}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, status
    scale = 1 if sys.platform == "darwin" else 1_024
    seconds = time.perf_counter() - started
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * scale / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--every", type=int, default=100)
    asked = options.parse_args()
    print(f"{'rows':>10}{'':8}{'texts':>9}{'scan':>11}{'report':>9}{'to texts':>10}{'to scan':>9}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows, jobs in ((10_000, 100), (1_000_000, 10_000)):
            state, page = folder / f"{rows}.sqlite", folder / f"{rows}.html"
            build(state, rows, jobs, every=asked.every)
            with closing(sqlite3.connect(state)) as connection, connection:
                connection.execute(VARIED)
            report = ("-m", "ldimport", "report", "-q", "--state", str(state), "-o", str(page))
            commands = (("-c", SCAN, str(state), *TEXTS), ("-c", SCAN, str(state)), report)
            runs = [[measured(command) for command in commands] for _ in range(asked.rounds)]
            for n, what in enumerate(("clock", "CPU")):
                scan, whole, own = (median(run[k][n] for run in runs) for k in range(3))
                print(f"{rows:>10,} {what:7}{scan:>7.2f} s{whole:>9.2f} s{own:>7.2f} s"
                      f"{own / scan:>10.1f}{own / whole:>9.1f}")  # fmt: skip
            memory = median(run[2][2] for run in runs)
            print(f"{rows:>10,} memory {memory:.0f} MB, file {page.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
