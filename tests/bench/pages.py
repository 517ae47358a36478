"""Pages of a large library beside those of a small one: time to the first byte and, in headless
Chromium, to the whole page.

    python tests/bench/pages.py [--entries 1000000] [--jobs 10000] [--rounds 9]

Both libraries are served by ``ldimport serve``, asked in turns; what counts is the ratio.
"""

from __future__ import annotations

import io
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from PIL import Image as Picture

from ldimport.engine import Engine
from ldimport.engine.addresses import new_key, new_media_id
from ldimport.engine.blobs import BlobFolder

WORDS = [
    "Rheinfall",
    "Säntis",
    "Zürich",
    "Archiv",
    "Luftbild",
    "Hafen",
    "Brücke",
    "Gemeinderat",
    "Fasnacht",
    "Seilbahn",
    "Genève",
    "Älplerfest",
    "Bundeshaus",
    "Bahnhof",
    "Markt",
    "Nebel",
    "Gotthard",
    "Winterthur",
    "Basel",
    "Fußball",
    "Regierung",
    "Ausstellung",
    "Jubiläum",
    "Konzert",
    "Skirennen",
    "Unwetter",
    "Lawine",
    "Kirche",
    "Turnfest",
    "Wahl",
    "桜",
    "مهرجان",
    "Übung",
    "Schule",
    "Spital",
]
SIZES = ((1200, 800), (800, 1200), (1600, 900), (640, 640), (2000, 1333), (300, 900))
START = 1_700_000_000.0
ITEMS_OF_LAST = 800


def picture(number: int) -> bytes:
    """A JPEG that one tells from others at a glance."""
    width, height = SIZES[number % len(SIZES)]
    hue = number * 47 % 360
    image = Picture.new("HSV", (width, height), (hue * 255 // 360, 150, 190)).convert("RGB")
    shade = Picture.linear_gradient("L").resize((width, height))
    image.paste(Picture.new("RGB", (width, height), (20, 30, 60)), mask=shade)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def build(folder: Path, entries: int, jobs: int) -> None:
    """An engine folder with so many entries, of as many jobs; each picture is stored once."""
    with Engine(folder):
        pass
    writer = BlobFolder(folder).writer("bench")
    pictures = [(writer.put(data, None), len(data)) for data in map(picture, range(24))]
    writer.settle()
    draw = random.Random(7)
    with closing(sqlite3.connect(folder / "catalogue.sqlite", isolation_level=None)) as base:
        base.execute("PRAGMA synchronous=OFF")
        base.execute("BEGIN")
        base.execute("INSERT INTO config VALUES ('bench', '{}', 'bench')")
        base.execute("INSERT INTO terms VALUES (1, 'bench', '{}', '{}')")
        per_job = max(1, entries // jobs)
        for n in range(1, jobs + 1):
            at = START + n * 60
            failed = n % 40 if n % 3 == 0 else 0
            base.execute(
                "INSERT INTO job (n, id, body, system_name, terms, state, images, success, skipped,"
                " failed, created_at, finished_at) VALUES (?, ?, '', 'archive', 1, 'success',"
                " ?, ?, 0, ?, ?, ?)",
                (n, f"job{n:011}", per_job + failed, per_job, failed, at, at + 48),
            )

        def rows():
            for n in range(1, entries + 1):
                job = min(jobs, (n - 1) // per_job + 1)
                yield n, job, START + job * 60 + n % 40

        assets, media, items = [], [], []

        def flush():
            base.executemany("INSERT INTO asset VALUES (?,?,?,?,?,?,?,?,?,1,1,?)", assets)
            base.executemany(
                "INSERT INTO media (id, system_name, external_id, media_type, title, metadata, request,"
                " url, asset, created_at, updated_at, filled, first_job, last_job)"
                " VALUES (?,?,?,?,?,?,'',?,?,?,?,?,?,?)",
                media,
            )
            base.executemany(
                "INSERT INTO item (job, system_name, external_id, url, file_name, media_type, status,"
                " reason, cause, asset) VALUES (?,?,?,?,?,'image',?,?,?,?)",
                items,
            )
            assets.clear()
            media.clear()
            items.clear()

        for n, job, at in rows():
            width, height = SIZES[n % len(SIZES)]
            sha256, size = pictures[n % len(pictures)]
            media_id = new_media_id(n)
            system, kind = ("agency", "graphic") if n % 50 == 0 else ("archive", "image")
            title = " ".join(draw.choices(WORDS, k=3))
            caption = " ".join(draw.choices(WORDS, k=8))
            key = new_key(__import__("ldimport.model", fromlist=["ImageType"]).ImageType.JPG, at)
            external = f"{1980 + n % 44}-{n:07}"
            url = f"https://img.example.com/{n % 100}/{n}.jpg"
            metadata = {"title": title, "caption": caption, "credit": "Archiv"}
            assets.append((n, media_id, key, sha256, sha256, "image/jpeg", width, height, size, at))
            media.append(
                (
                    media_id,
                    system,
                    external,
                    kind,
                    title,
                    json.dumps(metadata),
                    url,
                    n,
                    at,
                    at,
                    '{"credit": "By-line"}',
                    job,
                    job,
                )
            )
            items.append((job, system, external, url, title, "success", None, None, n))
            if n % per_job == 0 and (more := job % 40 if job % 3 == 0 else 0):
                reasons = (
                    "the origin answered 503",
                    "the origin answered 404",
                    "not an image: text/html",
                )
                for each in range(more):
                    items.append(
                        (
                            job,
                            system,
                            f"{external}-{each}",
                            url,
                            title,
                            "failed",
                            reasons[each % 7 % 3],
                            "origin-server",
                            None,
                        )
                    )
            if len(media) >= 10_000:
                flush()
        flush()
        base.execute("COMMIT")
