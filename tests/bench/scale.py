"""What a large archive and a large library cost beside small ones of the same kind.

    python tests/bench/scale.py [--images 1000000] [--originals 100000] [--tiny 4000] [--rounds 3]

1. Listings and maintenance of a state file with so many images, and with a hundredth of them: CPU
   seconds, peak MB, what one image more costs. Left out with ``--engine-only``.
2. ``engine check`` of a library whose originals are there, and of one of a hundredth.
3. Importing tiny images into both libraries: CPU per image, and the ratio.

Peaks below this program's own memory (75 MB) are not seen: a process begins as its copy.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from origin import serve
from status import SENT, build

from ldimport.engine import Engine
from ldimport.engine.addresses import new_key, new_media_id
from ldimport.model import Image, ImageType, ImportRequest

LISTINGS = (
    "results --format csv", "results --format jsonl", "results --format table",
    "results --failed --format table", "results --skipped --format table",
    "results --cause origin-503 --format table", "results --job job000002 --format table",
    "results --failed --as-manifest -o {0}/failed.csv", "results --format table -n 0",
    "status -n 0", "status --failed", "explain origin-503", "export map -o {0}/map.csv",
    "export redirects -o {0}/r.csv", "export undo -o {0}/undo.csv", "state info", "state check",
    "state backup {0}/copy --force", "state export {0}/export --force",
    "state import {0}/export --state {0}/imported", "state merge {0}/copy",
    "waive --cause origin-503 --reason known",
)  # fmt: skip


def measured(line: str, state: Path, engine: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of one command."""
    words = line.format(state.parent).split()
    if "--state" not in words and words[0] != "engine":
        words += ["--state", str(state)]
    if words[0] in ("engine", "submit"):
        words += ["--engine", str(engine)]
    command = [sys.executable, "-m", "ldimport", *words]
    env = {name: text for name, text in os.environ.items() if not name.startswith("LDIMPORT_")}
    Path(state.parent / "imported").unlink(missing_ok=True)
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), (line, process.returncode)
    scale = 1 if sys.platform == "darwin" else 1_024
    return used.ru_utime + used.ru_stime, used.ru_maxrss * scale / 1e6


def library(folder: Path, entries: int, *, blobs: bool) -> None:
    """An engine with so many entries, each of an own blob, by one image imported and its rows
    entered over and over."""
    with serve(folder, 1) as origin:
        engine = Engine(folder / "engine", allow_hosts=(origin.host,))
        engine.submit(ImportRequest("archive", (Image("one", origin.url(0), "One", {}),)))
        engine.run(workers=0)
        engine.close()
    stored = folder / "engine" / "blobs"
    digests = [hashlib.sha256(b"%d" % n).hexdigest() for n in range(entries)]
    for n, name in enumerate(digests if blobs else ()):
        (stored / name[:2]).mkdir(exist_ok=True)
        (stored / name[:2] / name).write_bytes(b"%d" % n)
    (catalogue,) = (folder / "engine").glob("*.sqlite")
    with closing(sqlite3.connect(catalogue)) as connection, connection:
        connection.execute("PRAGMA cache_size=-400000")
        for table, rows in _rows(connection, digests):
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _rows(
    connection: sqlite3.Connection, digests: Sequence[str]
) -> Iterator[tuple[str, Sequence[tuple[object, ...]]]]:
    """Copies of the only rows there, with what must differ."""
    first = {
        table: dict(zip([each[0] for each in found.description], found.fetchone(), strict=True))
        for table in ("job", "item", "asset", "media")
        for found in [connection.execute(f"SELECT * FROM {table}")]
    }
    for at in range(0, len(digests), 500):
        some = range(at, min(at + 500, len(digests)))
        ids = {n: new_media_id(n + 2) for n in some}
        job = at // 500 + 2
        counts = {"images": len(some), "success": len(some)}
        yield (
            "job",
            [(*(first["job"] | {"n": job, "id": f"job{job}", "key": None} | counts).values(),)],
        )
        yield "asset", [(*(first["asset"] | {"id": n + 2, "media": ids[n], "sha256": digests[n],
            "key": new_key(ImageType.JPG, SENT + n / 100)}).values(),) for n in some]  # fmt: skip
        yield "media", [(*(first["media"] | {"id": ids[n], "external_id": f"known-{n:08}",
            "asset": n + 2}).values(),) for n in some]  # fmt: skip
        yield "item", [(*(first["item"] | {"id": n + 2, "job": job, "external_id": f"known-{n:08}",
            "asset": n + 2}).values(),) for n in some]  # fmt: skip


def tiny(folders: Sequence[Path], images: int, rounds: int) -> list[float]:
    """CPU ms for each of so many tiny images, imported into each engine in turn."""
    found: list[list[float]] = [[] for _ in folders]
    with tempfile.TemporaryDirectory() as name, serve(Path(name), images, "tiny") as origin:
        manifest = origin.manifest(Path(name) / "m.csv")
        for n in range(rounds):
            for times, folder in zip(found, folders, strict=True):
                state = Path(name) / f"state{n}-{len(times)}-{folders.index(folder)}.sqlite"
                line = f"submit {manifest} --system-name new{n}-{random.random()} --yes"
                line += f" --allow-host {origin.host} --integrity fast"
                times.append(1e3 * measured(line, state, folder / "engine")[0] / images)
    return [median(times) for times in found]


def shown(lines: Sequence[str], small: Path, large: Path, images: int, few: int) -> None:
    print(f"{'':50}{f'{few:,} images':>22}{f'{images:,} images':>22}   us an image more")
    for line in lines:
        (t, m), (seconds, memory) = (measured(line, place / "state", place / "engine")
                                     for place in (small, large))  # fmt: skip
        more = 1e6 * (seconds - t) / (images - few)
        print(f"{line:50}{t:>12.2f} s{m:>5.0f} MB{seconds:>12.2f} s{memory:>5.0f} MB{more:>12.2f}"
              f"   memory {memory / m:.2f}", flush=True)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=1_000_000)
    options.add_argument("--tiny", type=int, default=4_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--originals", type=int, default=100_000)
    options.add_argument("--engine-only", action="store_true")
    options.add_argument("--folder", type=Path, help="where they are kept, and taken from again")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        places = [(asked.folder or Path(name)) / each for each in ("small", "large")]
        sizes = asked.images // 100, asked.images
        for place, size in zip(places, sizes, strict=True):
            if not place.exists():
                place.mkdir(parents=True)
                build(place / "state", size, size // 100, every=20)
                library(place, size, blobs=False)
        if not asked.engine_only:
            shown(LISTINGS, *places, asked.images, sizes[0])
        checked = [Path(name) / each for each in ("few", "many")]
        counts = asked.originals // 100, asked.originals
        for place, count in zip(checked, counts, strict=True):
            place.mkdir()
            library(place, count, blobs=True)
        shown(["engine check"], *checked, asked.originals, counts[0])
        few, many = tiny(places, asked.tiny, asked.rounds)
        print(
            f"tiny images: {few:.3f} ms of CPU each into a library of {sizes[0]:,}, "
            f"{many:.3f} into one of {asked.images:,}: {many / few:.2f}"
        )


if __name__ == "__main__":
    main()
