"""Proof and hand-over as a user runs them, against a running ``ldimport serve``."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from command_line import ROOT, Ldimport, Origin, photo
from places import TOKEN, Served


@pytest.fixture
def place(tmp_path: Path, origin: Origin) -> Served:
    return Served(tmp_path, "v1", origin.host)


@pytest.fixture
def served(place: Served, run: Ldimport) -> Iterator[str]:
    with place.running() as url:
        run.env |= {
            "LDIMPORT_TARGET": url,
            "LDIMPORT_TOKEN": TOKEN,
            "LDIMPORT_SYSTEM_NAME": "archiv",
            "LDIMPORT_RATE": "0",
        }
        yield url


def change(place: Served, statement: str, *values: object) -> None:
    """Something happens behind the server's back."""
    with closing(sqlite3.connect(place.engine / "catalogue.sqlite", timeout=30)) as found:
        found.execute("PRAGMA foreign_keys=0")
        assert found.execute(statement, values).rowcount
        found.commit()


def test_what_was_imported_is_proven_and_what_is_not_there_is_found(
    run: Ldimport, place: Served, served: str, origin: Origin, archive: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    path = archive(6)
    run("submit", path, "--yes")
    told = run.json("verify")
    assert (told["same"], told["missing"], told["differs"]) == (6, 0, 0)
    seen = len(origin.asked)
    told = run.json("verify", "--bytes", "--sample", "6", "--allow-host", origin.host)
    assert (told["same"], told["byHash"], told["confidence"]) == (6, 6, None)
    assert len(origin.asked) == seen + 6
    told = run.json("verify", "--bytes")
    assert (told["same"], told["bySize"]) == (6, 6) and len(origin.asked) == seen + 6

    change(place, "DELETE FROM media WHERE external_id = 'id-1'")
    change(place, "UPDATE media SET metadata = '{\"title\": \"Other\"}' WHERE external_id = 'id-2'")
    origin.files["3.jpg"] = photo(33)
    done = run(
        "verify", "--bytes", "--sample", "6", "--allow-host", origin.host, "-o", "d.csv", code=1
    )
    assert re.search(r"missing +1", done.stdout) and "--mark-missing" in done.stdout
    rows = list(csv.DictReader((tmp_path / "d.csv").read_text().splitlines()))
    assert [(row["externalId"], row["field"]) for row in rows] == [
        ("id-1", ""), ("id-2", "metadata.title"), ("id-3", "picture")
    ]  # fmt: skip
    assert rows[2]["expected"].startswith("sha256 ")
    told = run.json("verify", "--sample", "3", "--seed", "4", code=None)
    assert 0 < told["confidence"]["missingAtMost"] <= 1

    told = run.json("verify", "--mark-missing", code=1)
    assert (told["missing"], told["marked"], told["images"]) == (1, 1, 1)
    assert run.json("submit", path)["totals"]["success"] == 6
    assert "success" in run.json("explain", "id-1")["images"][0]["steps"][-1]["kind"]


def test_a_token_that_may_not_read_the_library_is_4(
    run: Ldimport, place: Served, served: str, archive: Callable[..., Path]
) -> None:
    run("submit", archive(1), "--yes")
    made = run.json("token", "create", "writer", "--scope", "public-api:write", "--engine",
                    place.engine)  # fmt: skip
    run.env["LDIMPORT_TOKEN"] = made["token"]
    done = run("verify", code=4)
    assert "public-api:read" in done.stderr
    told = run.json("verify", code=4)
    assert told["stopped"]["code"] == "forbidden"
    run.env["LDIMPORT_TARGET"] = "http://127.0.0.1:1"
    done = run("verify")
    assert "Nothing to verify" in done.stdout and "archiv at 127.0.0.1" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_verification_that_was_ended_goes_on(
    run: Ldimport, served: str, archive: Callable[..., Path], tmp_path: Path, how: int
) -> None:
    run("submit", archive(30), "--yes")
    process = run.start("verify", "--rate", "5")
    state = next((tmp_path / "home").rglob("*.sqlite"))
    for _ in range(1_200):
        time.sleep(0.05)
        with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as found:
            if found.execute("SELECT count(*) FROM verification").fetchone()[0]:
                break
    process.send_signal(how)
    assert process.wait(60) == (130 if how == signal.SIGINT else -how)
    told = run.json("verify")
    assert told["same"] == told["images"] == 30 and told["resumed"] > 0


def test_undo_lists_what_was_created_alone(
    run: Ldimport, place: Served, served: str, origin: Origin, archive: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Two images are there before, by another state file; one of them is updated, one not."""
    before = archive(2, "before.csv")
    run("submit", before, "--yes", "--state", "other.sqlite")
    change(place, "UPDATE media SET created_at = created_at - 60")
    path = archive(5)
    path.write_text(path.read_text().replace("Photo 1", "A new name"))
    assert run.json("submit", path, "--yes")["totals"]["success"] == 4
    done = run("export", "undo", "-o", "created.txt", "--look-up")
    assert "3 created by this migration; 2 only updated" in done.stderr
    known = {row["externalId"]: row["mediaId"] for row in run.json("results")["results"]}
    listed = (tmp_path / "created.txt").read_text().splitlines()
    assert sorted(listed) == sorted(known[f"id-{n}"] for n in (2, 3, 4))
    told = run.json("export", "undo", "-o", "created.csv")
    assert (told["created"], told["unknown"]) == (0, 4)
    run("verify")
    told = run.json("export", "undo", "-o", "created.csv")
    assert (told["created"], told["updated"]) == (3, 2)
    rows = run.json("export", "map", "--look-up")["map"]
    sizes = {row["externalId"]: row["size"] for row in rows}
    assert sizes["id-2"] == len(photo(2))
    asked = httpx.get(f"{served}/api/v1/mediaLibrary", params={"ids": ",".join(listed)},
                      headers={"Authorization": f"Bearer {TOKEN}"})  # fmt: skip
    assert len(asked.json()["mediaLibraryEntries"]) == 3


def test_the_files_of_the_version_before_are_read(run: Ldimport, tmp_path: Path) -> None:
    fixture = tmp_path / "fixture"
    shutil.copytree(ROOT / "tests" / "fixtures" / "schema_4", fixture)
    run.env |= {
        "LDIMPORT_STATE": str(fixture / "state.sqlite"),
        "LDIMPORT_ENGINE": str(fixture / "engine"),
    }
    results = run.json("results", "--all")["results"]
    assert results
    rows = run.json("export", "map")["map"]
    assert {row["externalId"] for row in rows} == {
        row["externalId"] for row in results if row["mediaId"]
    }
    assert all(row["size"] for row in rows)
    for command in ("redirects", "undo"):
        run("export", command)
    story = run.json("explain", results[0]["externalId"])["images"][0]
    assert story["steps"][0]["kind"] == "recorded"
    told = run.json("verify", code=None)
    assert told["checked"] == told["images"] and told["missing"] == 0, json.dumps(told)
