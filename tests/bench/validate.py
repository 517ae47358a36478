"""How fast a manifest is checked, beside the least that anybody could do with the same bytes.

    python tests/bench/validate.py [ROWS] [--peers]

Writes ROWS rows (1,000,000 by default; 250 bytes each, one in a thousand bad) as CSV, as JSON
Lines, as one JSON array and, a twentieth of them, as YAML into a temporary folder. ``csv.reader``
and ``json.loads`` over every row are the yardsticks; each line shows seconds of CPU, microseconds a
row, the ratio to its yardstick, and the peak memory, each in a process of its own: the start of
Python and of ldimport counts. ``--peers`` adds ``frictionless validate`` on a twentieth of the
rows, with the same rules, where it is installed.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "credit", "type": "li-text", "config": {"required": True}},
                {"handle": "caption", "type": "li-text", "config": {"maxLength": 1000}},
                {"handle": "taken", "type": "li-date"},
                {"handle": "place", "type": "li-text"},
            ],
        }
    ]
}
HANDLES = ("credit", "caption", "taken", "place")
COLUMNS = ("id", "url", "fileName", "mediaType", *(f"metadata.{handle}" for handle in HANDLES))
PEER_SHARE = 20
YAML_SHARE = 20
"""Nobody has a million rows of it."""


def cells(n: int) -> list[str]:
    """A row as picture desks have them; every thousandth has a day that does not exist."""
    return [
        f"{n:08}",
        f"https://img.example.org/03/{n}.jpg",
        f"Rheinfall, Schaffhausen {n}",
        "image",
        "Archiv/Hans Müller",
        f"Ein schönes Bild – mit “Zitat”, {'und noch etwas mehr Text ' * 3}{n}",
        f"2003-04-{n % 28 + 1:02}" if n % 1_000 else "2003-02-31",
        "Zürich",
    ]


def write(folder: Path, rows: int) -> None:
    """The same rows in every format."""
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with (
        (folder / "m.csv").open("w", encoding="utf-8", newline="") as table,
        (folder / "m.jsonl").open("w", encoding="utf-8") as lines,
        (folder / "m.json").open("w", encoding="utf-8") as array,
        (folder / "m.yaml").open("w", encoding="utf-8") as yaml,
    ):
        writer = csv.writer(table)
        writer.writerow(COLUMNS)
        for n in range(rows):
            row = cells(n)
            writer.writerow(row)
            entry = dict(zip(COLUMNS[:4], row, strict=False))
            metadata = dict(zip(HANDLES, row[4:], strict=True))
            text = json.dumps({**entry, "metadata": metadata}, ensure_ascii=False)
            lines.write(f"{text}\n")
            array.write(f"{',' if n else '['}\n  {text}")
            if n % YAML_SHARE == 0:
                yaml.write(f"- {text}\n")
        array.write("\n]\n")


def csv_reader(folder: Path) -> str:
    """Yardstick of tables."""
    with (folder / "m.csv").open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass
    return ""


def json_loads(folder: Path) -> str:
    """Yardstick of JSON Lines."""
    with (folder / "m.jsonl").open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)
    return ""


def checked(folder: Path, name: str) -> str:
    """What ``ldimport validate`` does, without its screen."""
    from ldimport.manifest import open_manifest
    from ldimport.migration.validate import validate
    from ldimport.schema import config
    from ldimport.schema.check import Checker

    with open_manifest([folder / name]) as manifest:
        found = validate(manifest, Checker(config.load(folder / "config.json")))
    return f"{found.invalid:,} of {found.entries:,} invalid"


CASES: dict[str, tuple[Callable[[Path], str], str]] = {
    "csv.reader": (csv_reader, "csv.reader"),
    "validate m.csv": (lambda folder: checked(folder, "m.csv"), "csv.reader"),
    "json.loads": (json_loads, "json.loads"),
    "validate m.jsonl": (lambda folder: checked(folder, "m.jsonl"), "json.loads"),
    "validate m.json": (lambda folder: checked(folder, "m.json"), "json.loads"),
    "validate m.yaml": (lambda folder: checked(folder, "m.yaml"), "json.loads"),
}


def peer(folder: Path, rows: int) -> float | None:
    """Microseconds a row of ``frictionless validate``; None where it is not installed."""
    beside = Path(sys.executable).with_name("frictionless")
    program = str(beside) if beside.exists() else shutil.which("frictionless")
    if program is None:
        return None
    with (folder / "m.csv").open(encoding="utf-8") as whole:
        head = [line for _, line in zip(range(rows // PEER_SHARE + 1), whole, strict=False)]
    (folder / "part.csv").write_text("".join(head), encoding="utf-8")
    limits: dict[str, Any] = {"metadata.credit": {"required": True}}
    limits |= {"metadata.caption": {"maxLength": 1000}, "id": {"required": True, "unique": True}}
    fields = [
        {
            "name": name,
            "type": "date" if name == "metadata.taken" else "string",
            "constraints": limits.get(name, {}),
        }
        for name in COLUMNS
    ]
    (folder / "schema.json").write_text(json.dumps({"fields": fields}))
    began = time.perf_counter()
    subprocess.run(
        [program, "validate", "part.csv", "--schema", "schema.json"], cwd=folder,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return (time.perf_counter() - began) / (len(head) - 1) * 1e6


def measured(name: str, folder: Path) -> tuple[float, float, str]:
    """Seconds, peak MB, and what was found, of one case in a process of its own."""
    command = [sys.executable, __file__, "--case", name, "--folder", str(folder)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told["seconds"], told["peak"], told["found"]


def run_case(name: str, folder: Path) -> None:
    """Run one case and tell about it."""
    found = CASES[name][0](folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1_000
    print(json.dumps({"seconds": seconds, "peak": peak, "found": found}))


def lines(folder: Path, rows: int, rounds: int) -> Iterator[str]:
    """The table."""
    best: dict[str, tuple[float, float, str]] = {}
    for _ in range(rounds):
        for name in CASES:
            best[name] = min(best.get(name, (9e9, 0.0, "")), measured(name, folder))
    yield f"{'':18}{'s':>8}{'us/row':>9}{'ratio':>7}{'peak MB':>9}"
    for name, (seconds, peak, found) in best.items():
        micro = seconds / (rows // YAML_SHARE if "yaml" in name else rows) * 1e6
        ratio = micro / (best[CASES[name][1]][0] / rows * 1e6)
        yield f"{name:18}{seconds:8.2f}{micro:9.2f}{ratio:7.2f}{peak:9.0f}  {found}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.case:
        run_case(args.case, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.rows)
        size = (folder / "m.csv").stat().st_size / 1e6
        print(f"{args.rows:,} rows, {size:.0f} MB of CSV, best of {args.rounds}")
        for line in lines(folder, args.rows, args.rounds):
            print(line)
        if args.peers:
            micro = peer(folder, args.rows)
            told = "not installed" if micro is None else f"{micro:.0f} us/row"
            print(f"frictionless validate, same rules: {told}")


if __name__ == "__main__":
    main()
