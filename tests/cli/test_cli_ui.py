"""``ldimport ui``: pages over state file and engine, which stay as they are."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from json_schemas import faults

SAMPLES = Path(__file__).parents[2] / "samples"
COMMAND = (sys.executable, "-m", "ldimport")


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LDIMPORT_")}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": "", "XDG_DATA_HOME": ""}


def ran(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=environment(home), capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip


@contextmanager
def shown(home: Path, *words: str) -> Iterator[httpx.Client]:
    """The pages of ``ldimport ui`` in this home."""
    command = [*COMMAND, "ui", "--port", "0", "--json", *words]
    process = subprocess.Popen(
        command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        listening = json.loads(process.stdout.readline())
        with httpx.Client(base_url=listening["url"], trust_env=False, timeout=60) as http:
            yield http
    finally:
        process.send_signal(signal.SIGTERM)
        told, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    lines = [listening, *map(json.loads, told.splitlines())]
    assert lines[-1] == {"type": "summary", "format": 1, "exitCode": 0}
    assert [faults("ui", line) for line in lines] == [[]] * len(lines)


def until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.1)


def digests(folder: Path) -> dict[str, str]:
    """Every file that ``ui`` has not made for itself."""
    own = ("search.sqlite", "renditions")
    files = (each for each in sorted(folder.rglob("*")) if each.is_file())
    return {
        str(each): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in files
        if not any(name in str(each) for name in own) and not each.name.endswith(("-shm", "-wal"))
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the samples were imported, good ones and broken ones."""
    home = tmp_path_factory.mktemp("home")
    assert ran(home, "submit", str(SAMPLES / "manifest.csv")).returncode == 0
    broken = ran(home, "submit", str(SAMPLES / "broken.csv"), "--valid-only")
    assert broken.returncode == 1, broken.stderr
    return home


def archive(http: httpx.Client) -> Any:
    (found,) = http.get("/migration.json").json()["archives"]
    params = {"target": found["target"], "system": found["systemName"]}
    return http.get("/migration/archive.json", params=params).json()


def test_archives_are_told_with_causes_and_what_deals_with_them(home: Path) -> None:
    with shown(home, "--config", str(SAMPLES / "ldimport.yaml")) as http:
        found = archive(http)
        sums = found["archive"]["totals"]
        assert sums["failed"] == sum(each["images"] for each in found["causes"]) > 0
        assert found["archive"]["rows"] == sum(
            sums[name]
            for name in ("success", "skipped", "failed", "pending", "unsubmitted", "waived")
        )
        for cause in found["causes"]:
            assert cause["examples"][0]["externalId"].startswith("broken-")
            listed = ran(home, *cause["lists"].split()[1:], "--json")
            assert len(json.loads(listed.stdout)["results"]) == cause["images"]
        commands = [each["deals"]["command"] for each in found["causes"]]
        assert any(" retry " in each for each in commands)
        page = http.get("/migration").text
        assert "sample-archive" in page


def test_nothing_is_changed(home: Path) -> None:
    before = digests(home)
    with shown(home) as http:
        for path in ("/", "/migration", "/library?q=ferry", "/library.json", "/jobs.json"):
            assert http.get(path).status_code == 200
        job = http.get("/jobs.json").json()["jobs"][0]["id"]
        assert http.get(f"/jobs/{job}").status_code == 200
        picture = http.get("/library.json").json()["entries"][0]["thumbnail"]
        assert http.get(picture).headers["content-type"].startswith("image/")
    assert digests(home) == before


def test_only_pages_and_pictures_are_shown(home: Path) -> None:
    with shown(home) as http:
        for path in ("/api/v1/mediaLibrary", "/api/v1/projectConfig", "/openapi.json", "/health"):
            assert http.get(path).status_code == 404
        assert http.post("/api/v1/import/images", json={}).status_code == 404
        assert http.get("/migration", headers={"Host": "evil.example"}).status_code == 421


def test_with_nothing_there_it_makes_nothing(tmp_path: Path) -> None:
    with shown(tmp_path) as http:
        assert "Nothing has been submitted yet" in http.get("/migration").text
        assert http.get("/library.json").json()["images"] == 0
        assert "The local engine has no job" in http.get("/").text
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_an_engine_that_is_made_later_is_shown(tmp_path: Path) -> None:
    with shown(tmp_path) as http:
        assert http.get("/jobs.json").json()["jobs"] == []
        assert ran(tmp_path, "submit", str(SAMPLES / "manifest.csv")).returncode == 0
        until(lambda: http.get("/library.json").json()["images"] == 24)
        picture = http.get("/library.json").json()["entries"][0]["thumbnail"]
        assert http.get(picture).status_code == 200


def test_a_run_goes_on_beside_it(tmp_path: Path) -> None:
    assert ran(tmp_path, "submit", str(SAMPLES / "manifest.csv"), "--limit", "3").returncode == 0
    with shown(tmp_path) as http:
        assert http.get("/library.json").json()["images"] == 3
        assert ran(tmp_path, "submit", str(SAMPLES / "manifest.csv")).returncode == 0
        assert http.get("/library.json").json()["images"] == 24
        assert archive(http)["archive"]["totals"]["success"] == 24


def test_a_port_that_is_taken_is_said(home: Path) -> None:
    with shown(home) as http:
        port = str(http.base_url.port)
        found = ran(home, "ui", "--port", port)
    assert found.returncode == 4
    assert f"Port {port} is taken" in found.stderr
