"""Real files through the whole way: manifest, HTTP, engine, results. Exactly the true size and the
right type for those that are images; for the others one reason each, and nothing stored."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from command_line import Ldimport, Origin

MIMES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml"}


def rows_of(corpora: Path, *folders: str) -> list[dict[str, Any]]:
    lines = (corpora / "manifest.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["path"].startswith(folders)]


def submitted(
    run: Ldimport, origin: Origin, corpora: Path, rows: list[dict[str, Any]], code: int
) -> dict[str, dict[str, Any]]:
    """Results by path, of a submit of all these files over HTTP."""
    path = run.folder / "corpora.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "url", "fileName"])
        for n, row in enumerate(rows):
            origin.files[f"file-{n}"] = (corpora / row["path"]).read_bytes()
            writer.writerow([row["path"], origin.url(quote(f"file-{n}")), f"File {n}"])
    run("submit", path, "--allow-host", origin.host, "-q", code=code, timeout=600)
    lines = run("results", "--format", "jsonl").stdout.splitlines()
    return {found["externalId"]: found for found in map(json.loads, lines)}


@pytest.mark.slow
def test_every_valid_file_arrives_with_its_true_size_and_type(
    run: Ldimport, origin: Origin, corpora: Path
) -> None:
    rows = rows_of(corpora, "valid/", "valid_odd/")
    surely = [row for row in rows if row["expect"] != "accept_or_reject_documented"]
    results = submitted(run, origin, corpora, surely, code=0)
    wrong = []
    for row in surely:
        found = results[row["path"]]
        true = [max(1, int(row[key] + 0.5)) for key in ("true_width", "true_height") if key in row]
        if found["status"] != "success" or found["mimeType"] != MIMES[row["type"]]:
            wrong.append(f"{row['path']}: {found['status']} {found['mimeType']} {found['reason']}")
        elif true and [found["width"], found["height"]] != true:
            wrong.append(f"{row['path']}: {found['width']}x{found['height']} instead of {true}")
    assert len(surely) > 1_000 and not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_every_hostile_file_is_refused_with_a_reason_and_nothing_is_stored(
    run: Ldimport, origin: Origin, corpora: Path
) -> None:
    rows = rows_of(corpora, "hostile/malformed", "hostile/wrong_type", "hostile/oversize")
    results = submitted(run, origin, corpora, rows, code=1)
    assert len(rows) > 40
    assert {results[row["path"]]["status"] for row in rows} == {"failed"}
    assert all(results[row["path"]]["reason"] for row in rows)
    health = run.json("engine", "check")
    assert (health["entries"], health["originals"], health["bytes"]) == (0, 0, 0)
