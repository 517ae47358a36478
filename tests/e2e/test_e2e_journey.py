"""The way of a new user, from the first look at a foreign export to the map of ids: nothing of it
was written for us, and every command is one that a screen proposed or the README names."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import forked
from command_line import Ldimport, Origin

TOKEN = "token-of-the-journey"
DAILY = 12
CONFIG = {
    "mediaTypes": [
        {
            "handle": handle,
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "caption", "type": "li-text", "config": {"label": "Legende"}},
                {"handle": "credit", "type": "li-text", "ui": {"label": "Fotograf"},
                 "config": {"required": True}},
                {"handle": "desk", "type": "li-enum", "ui": {"label": "Ressort"},
                 "config": {"dataProvider": {"type": "labelValuePair", "items": [
                     {"label": "Sport", "value": "sport"},
                     {"label": "Kultur", "value": "culture"}]}}},
                {"handle": "taken", "type": "li-date", "ui": {"label": "Aufnahmedatum"}},
            ],
        }
        for handle in ("image", "graphic")
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
def serving(run: Ldimport, origin: Origin, limit: int) -> Iterator[str]:
    """``ldimport serve`` with a daily limit, on a free port."""
    env = {**run.env, "LDIMPORT_SERVE_TOKEN": TOKEN}
    process = subprocess.Popen(
        [*forked.command(), "serve", "--json", "--port", "0", "--engine", run.folder / "server",
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
    return said
