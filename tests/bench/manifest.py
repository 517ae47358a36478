"""How fast manifests are read, beside the least that anybody could do with the same bytes.

    python tests/bench/manifest.py [ROWS]

Writes ROWS rows (200,000 by default; 250 bytes each, umlauts, quotes, dashes) as CSV, JSON Lines,
JSON and YAML into a temporary folder. Each line shows microseconds a row, the ratio to its
yardstick, and the peak memory of a process of its own that reads the file once. All are
interleaved in one run, best of three.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ldimport.manifest import open_manifest

COLUMNS = ("id", "url", "fileName", "mediaType")
HANDLES = ("credit", "caption", "taken", "place")
YAML_ROWS = 20_000
"""YAML is written by hand: nobody has a million rows of it."""


def row(number: int) -> dict[str, object]:
    """An entry as picture desks have them."""
    return {
        "id": f"{number:08}",
        "url": f"https://img.example.org/03/{number}.jpg",
        "fileName": f"Rheinfall, Schaffhausen {number}",
        "mediaType": "image",
        "metadata": {
            "credit": "Archiv/Hans Müller",
            "caption": f"Ein schönes Bild – mit “Zitat”, {'und noch etwas mehr Text ' * 3}{number}",
            "taken": f"2003-04-{number % 28 + 1:02}",
            "place": "Zürich",
        },
    }


def write(folder: Path, rows: int) -> None:
    """The same rows in every format."""
    with (folder / "m.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(f"metadata.{handle}" for handle in HANDLES)])
        for n in range(rows):
            entry = row(n)
            metadata = entry["metadata"]
            assert isinstance(metadata, dict)
            writer.writerow([*(entry[c] for c in COLUMNS), *(metadata[h] for h in HANDLES)])
    with (folder / "m.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row(n), ensure_ascii=False)}\n" for n in range(rows))
    with (folder / "m.json").open("w", encoding="utf-8") as file:
        lines = (json.dumps(row(n), ensure_ascii=False) for n in range(rows))
        file.write('{"images": [' + next(lines))
        file.writelines(f",\n{line}" for line in lines)
        file.write('], "systemName": "bench"}')
    with (folder / "m.yaml").open("w", encoding="utf-8") as file:
        file.writelines(f"- {json.dumps(row(n))}\n" for n in range(YAML_ROWS))


def csv_reader(path: Path) -> Iterable[object]:
    """Yardstick of tables."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def json_loads(path: Path) -> Iterable[object]:
    """Yardstick of JSON Lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def entries(path: Path) -> Iterator[object]:
    """What every other part of ldimport reads."""
    with open_manifest([path]) as manifest:
        yield from manifest.entries()


def rows_of(path: Path) -> Iterator[object]:
    """The fast way that checks of whole columns take."""
    with open_manifest([path]) as manifest:
        yield from manifest.table.rows()


CASES: dict[str, tuple[str, Callable[[Path], Iterable[object]], str]] = {
    "csv.reader": ("m.csv", csv_reader, "csv.reader"),
    "CSV, rows": ("m.csv", rows_of, "csv.reader"),
    "CSV, entries": ("m.csv", entries, "csv.reader"),
    "json.loads each line": ("m.jsonl", json_loads, "json.loads each line"),
    "JSON Lines, entries": ("m.jsonl", entries, "json.loads each line"),
    "JSON, entries": ("m.json", entries, "json.loads each line"),
    "YAML, entries": ("m.yaml", entries, "json.loads each line"),
}


def microseconds(name: str, folder: Path) -> float:
    """Wall time for each row, once through."""
    file, read, _ = CASES[name]
    count = 0
    start = time.perf_counter()
    for _ in read(folder / file):
        count += 1
    return (time.perf_counter() - start) / count * 1e6


def peak(name: str, folder: Path) -> float:
    """MB of memory at most, in a process that does nothing else."""
    command = [sys.executable, __file__, "--peak", name, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_of_this_process() -> float:
    """MB; Linux counts what a process inherits in ``ru_maxrss``, so it is asked elsewhere."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--peak"]:
        microseconds(sys.argv[2], Path(sys.argv[3]))
        print(peak_of_this_process())
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, rows)
        best = dict.fromkeys(CASES, float("inf"))
        for _ in range(3):
            for name in CASES:
                best[name] = min(best[name], microseconds(name, folder))
        size = (folder / "m.csv").stat().st_size / 1e6
        print(f"{rows:,} rows, {size:,.0f} MB of CSV; YAML {YAML_ROWS:,} rows")
        print(f"{'':24}{'us/row':>8}{'ratio':>8}{'peak MB':>9}")
        for name, (_, _, yardstick) in CASES.items():
            ratio = best[name] / best[yardstick]
            print(f"{name:24}{best[name]:8.2f}{ratio:8.2f}{peak(name, folder):9.0f}")


if __name__ == "__main__":
    main()
