"""Kill a submit with all its processes at random moments, again and again.

    python tests/bench/crash_rounds.py [--rounds 30] [--images 2000]

Each round: a new home, ``submit`` of all photos, SIGKILL for the whole process group at a random
moment, then the same command to its end. It must report every image once, with a media id of its
own, and the engine must hold exactly as many entries.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from origin import Origin, serve


def command(folder: Path, manifest: Path, origin: Origin) -> list[str]:
    return [
        *(sys.executable, "-m", "ldimport", "submit", str(manifest), "--json"),
        *("--state", str(folder / "state.sqlite"), "--engine", str(folder / "engine")),
        *("--allow-host", origin.host),
    ]


def crash(folder: Path, manifest: Path, origin: Origin, after: float) -> int:
    """Start, kill after so many seconds; returns how many images had been stored."""
    process = subprocess.Popen(
        command(folder, manifest, origin),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return stored(folder)


def stored(folder: Path) -> int:
    blobs = folder / "engine" / "blobs"
    return sum(1 for path in blobs.rglob("*") if path.is_file()) if blobs.exists() else 0


def check(folder: Path, manifest: Path, origin: Origin) -> None:
    done = subprocess.run(command(folder, manifest, origin), capture_output=True, check=False)
    last = done.stdout.splitlines()[-1:] or [b""]
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr!r}\n{last[0]!r}"[-4000:]
    totals = json.loads(done.stdout.splitlines()[-1])["totals"]
    assert totals["success"] + totals["skipped"] == origin.images, totals
    listed = subprocess.run(
        [sys.executable, "-m", "ldimport", "results", "--format", "jsonl",
         "--state", str(folder / "state.sqlite")],
        capture_output=True,
        check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(rows) == len({row["externalId"] for row in rows}) == origin.images
    assert len({row["mediaId"] for row in rows}) == origin.images, "a media id stands twice"
    assert stored(folder) == origin.images, f"{stored(folder)} blobs"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--images", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name, serve(Path(name), asked.images) as origin:
        manifest = origin.manifest(Path(name) / "bench.csv")
        for n in range(asked.rounds):
            with tempfile.TemporaryDirectory(dir=name) as place:
                after = chance.uniform(0.3, 8.0)
                had = crash(Path(place), manifest, origin, after)
                started = time.monotonic()
                check(Path(place), manifest, origin)
                took = time.monotonic() - started
                print(f"round {n + 1}: killed after {after:.1f} s with {had} stored, "
                      f"finished {took:.1f} s later")  # fmt: skip
        print(f"{asked.rounds} rounds: {asked.images} results and entries each, no duplicate")


if __name__ == "__main__":
    main()
