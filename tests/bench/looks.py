"""Pages of a large library beside those of a small one: time to the first byte and, in headless
Chromium, to the whole page.

    python tests/bench/looks.py [--entries 1000000] [--jobs 10000] [--rounds 15]

Both are served by ``ldimport serve``, asked in turns; what counts is the ratio. ``--folder`` keeps
what was built there, for the next time.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image as Picture

from ldimport.engine import Engine
from ldimport.engine.addresses import new_key, new_media_id
from ldimport.engine.blobs import BlobFolder
from ldimport.model import ImageType

WORDS = (
    *("Rheinfall", "Säntis", "Zürich", "Archiv", "Luftbild", "Hafen", "Brücke", "Gemeinderat"),
    *("Fasnacht", "Seilbahn", "Genève", "Älplerfest", "Bundeshaus", "Bahnhof", "Markt", "Nebel"),
    *("Gotthard", "Winterthur", "Basel", "Fußball", "Regierung", "Ausstellung", "Jubiläum"),
    *("Konzert", "Skirennen", "Unwetter", "Lawine", "Kirche", "Turnfest", "Wahl", "桜", "مهرجان"),
    *("Übung", "Schule", "Spital"),
)
SIZES = ((1200, 800), (800, 1200), (1600, 900), (640, 640), (2000, 1333), (300, 900))
START = 1_700_000_000.0
REASONS = (
    ("the origin answered 503", "origin-503"), ("the origin answered 404", "origin-404"),
    ("not an image: text/html", "not-an-image"),
)  # fmt: skip
_MEDIA = """INSERT INTO media (id, system_name, external_id, media_type, title, metadata, request,
  url, asset, created_at, updated_at, filled, first_job, last_job)
  VALUES (?,?,?,?,?,?,'',?,?,?,?,'{"credit": "By-line"}',?,?)"""
_ITEM = """INSERT INTO item (job, system_name, external_id, url, file_name, media_type, status,
  reason, cause, asset) VALUES (?,?,?,?,?,'image',?,?,?,?)"""
_ASSET = "INSERT INTO asset VALUES (?,?,?,?,?,'image/jpeg',?,?,?,1,1,?)"
_JOB = """INSERT INTO job (n, id, body, system_name, terms, state, images, success, skipped, failed,
  created_at, finished_at) VALUES (?,?,'','archive',1,'success',?,?,0,?,?,?)"""


# -- what is looked at ----------------------------------------------------------------------------


def picture(number: int) -> bytes:
    """A JPEG that one tells from others at a glance."""
    width, height = SIZES[number % len(SIZES)]
    hue = number * 47 % 360 * 255 // 360
    image = Picture.new("HSV", (width, height), (hue, 150, 190)).convert("RGB")
    shade = Picture.linear_gradient("L").resize((width, height))
    image.paste(Picture.new("RGB", (width, height), (20, 30, 60)), mask=shade)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def build(folder: Path, entries: int, jobs: int) -> None:
    """An engine folder with so many entries, of as many jobs, each third of which has failures.
    There are 24 pictures, each stored once."""
    with Engine(folder):
        pass
    writer = BlobFolder(folder).writer("bench")
    pictures = [(writer.put(data, None), len(data)) for data in map(picture, range(24))]
    writer.settle()
    writer.forget()
    per_job = max(1, entries // jobs)
    with closing(sqlite3.connect(folder / "catalogue.sqlite", isolation_level=None)) as base:
        base.execute("PRAGMA synchronous=OFF")
        base.execute("BEGIN")
        base.execute("INSERT INTO config VALUES ('bench', '{}', 'bench')")
        base.execute("INSERT INTO terms VALUES (1, 'bench', '{}', '{}')")
        for n in range(1, jobs + 1):
            at, failed = START + n * 60, _failures(n)
            row = (n, f"job{n:011}", per_job + failed, per_job, failed, at, at + 48)
            base.execute(_JOB, row)
        for assets, media, items in _rows(entries, jobs, per_job, pictures):
            base.executemany(_ASSET, assets)
            base.executemany(_MEDIA, media)
            base.executemany(_ITEM, items)
        base.execute("COMMIT")


def _failures(job: int) -> int:
    return job % 40 if job % 3 == 0 else 0


def _rows(
    entries: int, jobs: int, per_job: int, pictures: list[tuple[str, int]]
) -> Iterator[tuple[list[Any], list[Any], list[Any]]]:
    draw, assets, media, items = random.Random(7), [], [], []
    for n in range(1, entries + 1):
        job = min(jobs, (n - 1) // per_job + 1)
        at, media_id = START + job * 60 + n % 40, new_media_id(n)
        (width, height), (sha256, size) = SIZES[n % len(SIZES)], pictures[n % len(pictures)]
        system, kind = ("agency", "graphic") if n % 50 == 0 else ("archive", "image")
        title, caption = (" ".join(draw.choices(WORDS, k=k)) for k in (3, 8))
        external, url = f"{1980 + n % 44}-{n:07}", f"https://img.example.com/{n % 100}/{n}.jpg"
        metadata = json.dumps({"title": title, "caption": caption, "credit": "Archiv"})
        key = new_key(ImageType.JPG, at)
        assets.append((n, media_id, key, sha256, sha256, width, height, size, at))
        whose = (media_id, system, external, kind, title, metadata, url, n, at, at, job, job)
        media.append(whose)
        items.append((job, system, external, url, title, "success", None, None, n))
        if n % per_job == 0:
            for each in range(_failures(job)):
                why = (*REASONS[each % 7 % 3], None)
                items.append((job, system, f"{external}-{each}", url, title, "failed", *why))
        if n % 10_000 == 0 or n == entries:
            yield assets, media, items
            assets, media, items = [], [], []


# -- looking --------------------------------------------------------------------------------------


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """``ldimport serve`` over a folder; its search index is whole."""
    command = [sys.executable, "-m", "ldimport", "serve", "--engine", str(folder), "--port", "0",
               "--workers", "0", "--json"]  # fmt: skip
    piped = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with piped as process, ExitStack() as ends:
        ends.callback(process.terminate)
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        began = time.monotonic()
        while httpx.get(f"{url}/library.json?limit=1", timeout=60).json()["unread"]:
            time.sleep(0.2)
        size = sum(each.stat().st_size for each in folder.glob("search.sqlite*"))
        print(f"{folder.name}: index {size / 1e6:,.1f} MB, {time.monotonic() - began:.1f} s")
        yield url


def first_byte(http: httpx.Client, url: str) -> float:
    """Milliseconds until a page begins to come."""
    began = time.perf_counter()
    with http.stream("GET", url) as answer:
        parts = answer.iter_raw()
        next(parts)
        spent = time.perf_counter() - began
        for _ in parts:
            pass
    return spent * 1e3


def render(page: Any, url: str) -> float:
    """Milliseconds until a page and all that it shows at first is there."""
    page.goto(url, wait_until="load")
    timing = "performance.getEntriesByType('navigation')[0]"
    return float(page.evaluate(f"{timing}.loadEventEnd - {timing}.startTime"))


def compare(
    what: str, paths: dict[str, dict[str, str]], measure: Callable[[str], float], rounds: int
) -> None:
    """Medians of both, asked in turns, and their ratio."""
    for name, urls in paths.items():
        found: dict[str, list[float]] = {size: [] for size in urls}
        for _ in range(rounds):
            for size, url in urls.items():
                found[size].append(measure(url))
        medians = {size: statistics.median(times) for size, times in found.items()}
        (small, low), (large, high) = medians.items()
        both = f"{small} {low:8.1f} ms   {large} {high:8.1f} ms   {high / low:.2f}x"
        print(f"{what:12} {name:22} {both}")


def main() -> None:
    """Build, serve, look, compare."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--entries", type=int, default=1_000_000)
    asked.add_argument("--jobs", type=int, default=10_000)
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--folder", type=Path)
    options = asked.parse_args()
    with ExitStack() as ends:
        root = options.folder or Path(ends.enter_context(tempfile.TemporaryDirectory()))
        sizes = {"small": (1_000, 10), "large": (options.entries, options.jobs)}
        for name, (entries, jobs) in sizes.items():
            if not (root / name).exists():
                build(root / name, entries, jobs)
        urls = {name: ends.enter_context(served(root / name)) for name in sizes}
        job = {"small": f"job{9:011}", "large": f"job{(options.jobs - 1) // 3 * 3:011}"}
        views = {
            "jobs": "/", "jobs with failures": "/?state=failed", "job": "/jobs/{job}",
            "library": "/library", "library, search": "/library?q=santis+brucke",
            "library, unfinished": "/library?q=sant", "library, type": "/library?type=graphic",
        }  # fmt: skip
        paths = {
            name: {size: url + path.format(job=job[size]) for size, url in urls.items()}
            for name, path in views.items()
        }
        with httpx.Client(timeout=60) as http:
            compare("first byte", paths, lambda url: first_byte(http, url), options.rounds)
        if browser := shutil.which("chromium"):
            from playwright.sync_api import sync_playwright

            with sync_playwright() as play:
                made = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = made.new_page(viewport={"width": 1200, "height": 800})
                compare("whole page", paths, lambda url: render(page, url), options.rounds)


if __name__ == "__main__":
    main()
