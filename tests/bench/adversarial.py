"""What files made to be slow cost to read: CPU seconds at a size, twice and four times that.

    python tests/bench/adversarial.py [--size 500000] [--only TEXT] [--limit 20]

``x2`` near 2 is linear, near 4 quadratic. A reading that takes longer than the limit is given up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "manifest"))
sys.path.insert(0, str(Path(__file__).parents[1] / "media"))

from adversarial import INPUTS, cost
from test_manifest_linear import SHAPES

from ldimport.errors import ManifestError
from ldimport.manifest import open_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=500_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float, default=20)
    asked = parser.parse_args()
    print("| input | parser | bytes | CPU s | at twice | at four times | x2 |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, (aimed_at, make) in INPUTS.items():
        if asked.only not in name:
            continue
        datas = [make(asked.size * times) for times in (1, 2, 4)]
        line(name, aimed_at, datas[0], [cost(aimed_at, data, asked.limit) for data in datas])
    for name, (ending, size, shape) in SHAPES.items():
        if asked.only in f"{ending}: {name}":
            datas = [shape(4 * size * times) for times in (1, 2, 4)]
            line(f"{ending}: {name}", "manifest", datas[0], [rows(ending, data) for data in datas])


def rows(ending: str, data: bytes) -> float:
    """CPU seconds of reading a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"rows.{ending}")
        path.write_bytes(data)
        began = time.thread_time()
        with suppress(ManifestError), open_manifest([path]) as manifest:
            for _ in manifest.entries():
                pass
        return time.thread_time() - began


def line(name: str, parser: str, data: bytes, costs: list[float]) -> None:
    """A row of the table."""
    ratio = f"{costs[2] / costs[1]:.1f}" if costs[2] > 0.05 else ""
    seconds = " | ".join(f"{each:.3f}" for each in costs)
    print(f"| {name} | {parser} | {len(data):,} | {seconds} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
