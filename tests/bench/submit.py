"""Images per second and CPU per image of a submit to the embedded engine, beside curl.

    python tests/bench/submit.py [--images 2000] [--rounds 3]

One run compares, in turn: ``ldimport submit`` with integrity full and fast, and
``curl --parallel --parallel-max 64`` of the same list (which only writes files).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from origin import Origin, serve


def timed(command: Sequence[str], env: dict[str, str]) -> tuple[float, float, bytes]:
    """Wall seconds, CPU seconds of the command with its children, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[:4]} ended with {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def ldimport(folder: Path, manifest: Path, origin: Origin, integrity: str) -> tuple[float, float]:
    command = [
        *(sys.executable, "-m", "ldimport", "submit", str(manifest), "--json"),
        *("--state", str(folder / "state.sqlite"), "--engine", str(folder / "engine")),
        *("--allow-host", origin.host, "--integrity", integrity),
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LDIMPORT_")}
    wall, cpu, out = timed(command, env)
    totals = json.loads(out.splitlines()[-1])["totals"]
    assert totals["success"] == origin.images, totals
    return wall, cpu


def curl(folder: Path, origin: Origin) -> tuple[float, float]:
    folder.mkdir()
    urls = folder / "urls"
    urls.write_text(
        "".join(
            f'url = "{origin.url(n)}"\noutput = "{folder}/{n}.jpg"\n' for n in range(origin.images)
        )
    )
    command = ["curl", "-s", "--parallel", "--parallel-max", "64", "-K", str(urls)]
    wall, cpu, _ = timed(command, dict(os.environ))
    return wall, cpu


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=2_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(Path(name), asked.images) as origin:
        folder = Path(name)
        manifest = origin.manifest(folder / "bench.csv")
        each = origin.bytes / origin.images / 1000
        print(f"{origin.images} photos of {each:.0f} kB from {origin.software}")
        found: dict[str, list[tuple[float, float]]] = {"full": [], "fast": [], "curl": []}
        for n in range(asked.rounds):
            for integrity in ("full", "fast"):
                place = folder / f"{integrity}{n}"
                place.mkdir()
                found[integrity].append(ldimport(place, manifest, origin, integrity))
            found["curl"].append(curl(folder / f"curl{n}", origin))
        print(f"{'':18}{'images/s':>10}{'CPU ms/image':>14}{'wall vs curl':>14}")
        base = median(wall for wall, _ in found["curl"])
        for label, runs in found.items():
            wall, cpu = (median(column) for column in zip(*runs, strict=True))
            shown = label if label == "curl" else f"ldimport {label}"
            print(
                f"{shown:18}{origin.images / wall:>10,.0f}"
                f"{1000 * cpu / origin.images:>14.2f}{wall / base:>13.1f}x"
            )


if __name__ == "__main__":
    main()
