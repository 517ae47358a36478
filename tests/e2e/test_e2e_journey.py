"""The way of a new user, from the first look at a foreign export to the map of ids: nothing of it
was written for us, and every command is one that a screen proposed or the README names."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import forked
from command_line import Ldimport, Origin, photo

TOKEN = "token-of-the-journey"
DAILY = 12
OPTIONS = [{"label": "Sport", "value": "sport"}, {"label": "Kultur", "value": "culture"}]
METADATA = [
    {"handle": "title", "type": "li-text"},
    {"handle": "caption", "type": "li-text", "ui": {"label": "Legende"}},
    {"handle": "credit", "type": "li-text", "ui": {"label": "Fotograf"},
     "config": {"required": True}},
    {"handle": "desk", "type": "li-enum", "ui": {"label": "Ressort"},
     "config": {"dataProvider": {"type": "labelValuePair", "items": OPTIONS}}},
    {"handle": "taken", "type": "li-date", "ui": {"label": "Aufnahmedatum"}},
]  # fmt: skip
CONFIG = {
    "mediaTypes": [
        {"handle": "image", "type": "mediaImage", "info": {"label": "Bild"}, "metadata": METADATA},
        {"handle": "graphic", "type": "mediaImage", "info": {"label": "Grafik"},
         "metadata": METADATA},
    ]
}  # fmt: skip
HEADER = "Bildnummer;Pfad;Titel;Legende;Fotograf;Ressort;Aufnahmedatum;Typ"


def export(path: Path, origin: Origin, rows: int) -> None:
    """As Excel writes it in Zürich: semicolons, its own encoding, days first."""
    lines = [HEADER]
    for n in range(1, rows + 1):
        name = "fehlt.jpg" if n == rows else f"{n}.jpg"
        kind = "Grafik" if n % 5 == 0 else "Foto"
        desk = "Kultur" if n % 2 else "Sport"
        cells = [f"B-{n:04}", origin.url(name), f"Zürich {n}", f"Legende {n}", "Müller", desk,
                 f"{n % 28 + 1}.4.2019", kind]  # fmt: skip
        lines.append(";".join(cells))
    path.write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))


@contextmanager
def serving(run: Ldimport, origin: Origin, limit: int, before: str = "") -> Iterator[str]:
    """``ldimport serve`` with a daily limit, where it was ``before`` or on a free port."""
    port = before.rpartition(":")[2] or "0"
    env = {**run.env, "LDIMPORT_SERVE_TOKEN": TOKEN}
    process = subprocess.Popen(
        [*forked.command(), "serve", "--json", "--port", port, "--engine", run.folder / "server",
         "--project-config", run.folder / "pc.json", "--allow-host", origin.host,
         "--daily-limit", str(limit), "--workers", "1"],
        env=env, cwd=run.folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def interrupted(run: Ldimport, origin: Origin, *words: str) -> str:
    """Start, and send Ctrl-C once the origin was asked for something."""
    before = len(origin.asked)
    started = subprocess.Popen(run.command(*words), cwd=run.folder, env=run.env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    while len(origin.asked) == before:
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGINT)
    said, _ = started.communicate(timeout=60)
    assert started.returncode == 130, said
    return said


def test_the_whole_way(run: Ldimport, origin: Origin) -> None:
    folder, allow, rows = run.folder, ("--allow-host", origin.host), 30
    (folder / "pc.json").write_text(json.dumps(CONFIG))
    export(folder / "export.csv", origin, rows)

    proposed = run("init", "export.csv", "--project-config", "pc.json", "--system-name", "bilder")
    assert "mapped 8 fields" in proposed.stdout and "no column for" not in proposed.stdout
    assert "30 entries, all valid" in run("validate", "export.csv").stdout
    (shown, *_) = run.json("plan", "export.csv", "--show", "1")["entriesShown"]
    assert shown["body"] == {
        "id": "B-0001", "url": origin.url("1.jpg"), "fileName": "Zürich 1", "mediaType": "image",
        "metadata": {"caption": "Legende 1", "credit": "Müller", "desk": "culture",
                     "taken": "2019-04-02"},
    }  # fmt: skip
    assert shown["original"]["Ressort"] == "Kultur"
    assert f"--allow-host {origin.host}" in run("plan", "export.csv").stdout

    rehearsed = run.json("submit", "export.csv", "--yes", *allow, code=1)
    assert (rehearsed["totals"]["success"], rehearsed["totals"]["failed"]) == (rows - 1, 1)
    assert [each["cause"] for each in rehearsed["causes"]] == ["origin-404"]

    run.env["LDIMPORT_TOKEN"] = TOKEN
    with serving(run, origin, DAILY) as url:
        first_day = run("submit", "export.csv", "--target", url, "--batch-size", "5", "--yes",
                        code=6)  # fmt: skip
        assert f"Quota reached: {DAILY} of {DAILY} images" in first_day.stdout
        assert f"--target {url}" in first_day.stdout, "the next command means the same server"
        assert run.json("status", "--target", url)["totals"]["success"] == DAILY

    with serving(run, origin, 0, url) as url:
        origin.hold_after(2)
        said = interrupted(run, origin, "submit", "export.csv", "--target", url)
        assert "ldimport submit export.csv" in said and f"--target {url}" in said
        assert "on at the target without us" in said
        waiting = run.json("status", "--target", url)["totals"]
        assert waiting["success"] >= DAILY and waiting["pending"] > 0
        origin.go_on()
        rest = run.json("submit", "export.csv", "--target", url, code=1)
        assert (rest["totals"]["success"], rest["totals"]["failed"]) == (rows - 1, 1)

        origin.files["fehlt.jpg"] = photo(99)
        assert run.json("retry", "--all", "--target", url)["totals"]["success"] == 1
        run("results", "--target", url, "-o", "ids.csv")
        with (folder / "ids.csv").open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        assert {row["externalId"] for row in found} == {f"B-{n:04}" for n in range(1, rows + 1)}
        assert {row["status"] for row in found} == {"success"}
        assert all(row["originalUrl"].startswith(url) for row in found)
        assert "Nothing to send" in run("submit", "export.csv", "--target", url).stdout
    again = run.json("plan", "export.csv")
    assert (again["new"], again["failed"]) == (0, 1), "the rehearsal is an archive of its own"
