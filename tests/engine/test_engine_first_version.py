"""A folder that the first version made: it opens for ever, with all that it held."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from ldimport.engine import Engine, maintenance
from ldimport.model import Counts, JobState, Status

FOLDER = Path(__file__).parents[1] / "fixtures" / "first_version" / "engine"
SAMPLES = Path(__file__).parents[2] / "samples"
FIRST, SECOND, OPEN = "okarul30rntrwt", "zibkuvlipy5mg6", "u33tjeugfe079q"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "engine"))


def test_its_jobs_and_results_are_told(folder: Path) -> None:
    with Engine(folder) as engine:
        assert [job.id for job in engine.jobs()] == [OPEN, SECOND, FIRST]
        first, second, still = (engine.status(each) for each in (FIRST, SECOND, OPEN))
        assert engine.progress(FIRST) == Counts(success=3, failed=3)
    assert (first.state, still.state) == (JobState.SUCCESS, JobState.STARTED)
    statuses = {each.external_id: each.status for each in first.results}
    assert statuses["a-1"] is Status.SUCCESS
    assert statuses["a-3"] is Status.FAILED
    by_id = {each.external_id: each for each in first.results}
    cut, sunrise = by_id["a-3"], by_id["a-1"]
    assert cut.reason == "the JPEG ends before its end marker: the file is cut off"
    assert (cut.cause, cut.retryable) == (None, None)  # it kept no causes
    assert sunrise.asset is not None
    assert sunrise.asset.width
    again = {each.external_id: each for each in second.results}["a-1"]
    assert (again.status, again.reason) == (Status.SKIPPED, "already exists")
    assert again.asset == sunrise.asset


def test_its_library_is_served(folder: Path) -> None:
    with Engine(folder) as engine:
        entry = engine.find("fixture", "a-1")
        assert entry is not None
        assert entry.title == "Sunrise"
        stored = engine.original(entry.asset.key)
        assert stored is not None
        with stored.open() as file:
            assert len(file.read()) == stored.size


def test_its_open_job_is_carried_out(folder: Path) -> None:
    archive = folder.parent / "archive"
    for name in ("images/graphics/visitors.png", "images/logos/arrow.svg"):
        (archive / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / name, archive / name)
    with sqlite3.connect(folder / "catalogue.sqlite") as connection:
        sql = "UPDATE terms SET options = replace(options, '/srv/archive', ?)"
        connection.execute(sql, (str(archive),))
    connection.close()
    with Engine(folder) as engine:
        before = engine.find("fixture", "a-2")
        engine.run()
        status, after = engine.status(OPEN), engine.find("fixture", "a-2")
    assert [(each.external_id, each.status, each.cause) for each in status.results] == [
        ("a-2", Status.SUCCESS, None),
        ("b-1", Status.SUCCESS, None),
        ("b-2", Status.FAILED, "no-such-file"),
    ]
    assert before is not None
    assert after is not None
    assert (after.id, after.title, after.version) == (before.id, "Visitors renamed", 2)


def test_it_is_sound(folder: Path) -> None:
    ticks: list[int] = []
    health = maintenance.check(folder, ticks.append)
    assert health.sound, health
    assert ticks == [1, 2, 3]
    assert (health.entries, health.open_images, health.originals) == (3, 3, 3)
    with Engine(folder) as engine:
        assert engine.progress(OPEN) == Counts(pending=3)
