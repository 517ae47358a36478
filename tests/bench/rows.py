"""What a row costs on its way from a manifest to a server that does nothing, beside a bare loop.

    python tests/bench/rows.py [--rows 100000] [--only first second edited plan] [--source CHECKOUT]

A stand-in of the API, in a process of its own, accepts batches and answers every job at once with
one success for each image. ``ldimport`` then submits the same CSV for the first time, once more,
with one row edited at its end, and plans it; beside them a bare loop (``csv.reader``,
``json.dumps`` of batches, ``httpx``) sends the same rows. Each line shows the CPU of the process
alone, in microseconds a row, its peak memory, and the bytes that it wrote to files. ``--source``:
where another version lies, to compare with. Linux only: it reads ``/proc``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from validate import COLUMNS, CONFIG, cells

MOST_IMAGES, MOST_BYTES = 1_000, 480_000
HERE = str(Path(__file__).resolve())
CASES = ("bare loop", "first", "second", "edited", "plan")


class StandIn(BaseHTTPRequestHandler):
    """Just enough of the API; what it remembers of a job is the ids of its images."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    jobs: dict[str, list[str]] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        job = f"job{len(self.jobs) + 1:06}"
        self.jobs[job] = [each["id"] for each in body["images"]]
        self._answer({"id": job})

    def do_GET(self) -> None:
        job = parse_qs(urlsplit(self.path).query).get("id", [""])[0]
        results = [self._result(each) for each in self.jobs.get(job, ())]
        self._answer({"finished": True, "state": "success", "id": job, "images": results})

    @staticmethod
    def _result(id_: str) -> dict[str, Any]:
        original = f"https://media.example.org/api/v1/images/2026/{id_}.jpeg"
        image = {
            "mediaId": f"m-{id_}", "originalUrl": original, "url": f"{original}?format=auto",
            "width": 1280, "height": 960, "mimeType": "image/jpeg", "imageService": "resrc.it",
        }  # fmt: skip
        return {"status": "success", "externalId": id_, "title": f"Title {id_}", "image": image}

    def _answer(self, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stand_in() -> Iterator[str]:
    """Its address."""
    command = [sys.executable, HERE, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def serve() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def bare_loop(manifest: Path, address: str) -> None:
    """The least that anybody could do: nothing checked, nothing remembered."""
    import httpx

    post = httpx.Client().post
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        batch: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            metadata = dict(zip(COLUMNS[4:], row[4:], strict=True))
            batch.append({**dict(zip(COLUMNS, row[:4], strict=False)), "metadata": metadata})
            size += sum(map(len, row)) + 120
            if len(batch) == MOST_IMAGES or size > MOST_BYTES:
                post(f"{address}/api/v1/import/images", content=json.dumps({"images": batch}))
                batch, size = [], 0
        post(f"{address}/api/v1/import/images", content=json.dumps({"images": batch}))


@dataclass(frozen=True)
class Cost:
    """Of one process: its own CPU seconds, those on the clock, peak MB, MB written to files."""

    cpu: float
    wall: float
    peak: float
    written: float

    def line(self, name: str, rows: int, yardstick: float) -> str:
        ratio = self.cpu / yardstick if yardstick else 1.0
        return (
            f"{name:20}{self.cpu / rows * 1e6:8.1f}{ratio:8.2f}{self.wall:9.1f}"
            f"{self.peak:9.0f}{self.written:12,.0f}"
        )


def cost(command: Sequence[str], folder: Path, source: str) -> Cost:
    """Run it to its end. Of a process that has ended ``/proc`` tells until it is waited for."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LDIMPORT_")}
    env |= {"HOME": str(folder), "LDIMPORT_TOKEN": "t", "LDIMPORT_REQUESTS_PER_SECOND": "1000"}
    env |= {"PYTHONPATH": str(Path(source).resolve()) if source else ""}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdout=said, stderr=subprocess.STDOUT
        )
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - began
        told = Path(f"/proc/{process.pid}/io").read_text().split()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}\n{said.read().decode()[-2000:]}")
    written = int(told[told.index("wchar:") + 1])
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, written / 1e6)


def write(path: Path, rows: int, edited: str = "") -> None:
    """A manifest without faults; ``edited``: what its last row says of its place instead."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for n in range(rows):
            row = cells(n if n % 1_000 else n + 1)
            row[0] = f"{n:08}"
            if edited and n == rows - 1:
                row[-1] = edited
            writer.writerow(row)


def commands(folder: Path, address: str) -> dict[str, list[str]]:
    """By case, what is run."""
    common = [
        *("--target", address, "--system-name", "bench", "--json"),
        *("--state", str(folder / "state.sqlite"), "--project-config", str(folder / "config.json")),
    ]
    ours = [sys.executable, "-m", "ldimport"]
    submit = [*ours, "submit", str(folder / "m.csv"), *common, "--yes"]
    plan = [*ours, "plan", str(folder / "m.csv"), *common]
    bare = [sys.executable, HERE, "--bare", str(folder / "m.csv"), "--address", address]
    return dict(zip(CASES, (bare, submit, submit, submit, plan), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", choices=CASES, default=CASES)
    parser.add_argument("--source", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--bare", type=Path)
    parser.add_argument("--address", default="")
    asked = parser.parse_args()
    if asked.serve:
        return serve()
    if asked.bare:
        return bare_loop(asked.bare, asked.address)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name, stand_in() as address:
        folder = Path(name)
        write(folder / "m.csv", asked.rows)
        (folder / "config.json").write_text(json.dumps(CONFIG))
        print(f"{asked.rows:,} rows, {(folder / 'm.csv').stat().st_size / 1e6:,.0f} MB of CSV")
        print(f"{'':20}{'us/row':>8}{'ratio':>8}{'wall s':>9}{'peak MB':>9}{'written MB':>12}")
        yardstick = 0.0
        for case, command in commands(folder, address).items():
            if case == "edited":
                write(folder / "m.csv", asked.rows, "Genf")
            if case in asked.only or case == "bare loop":
                found = cost(command, folder, asked.source)
                yardstick = yardstick or found.cpu
                print(found.line(case, asked.rows, yardstick), flush=True)
    return None


if __name__ == "__main__":
    main()
