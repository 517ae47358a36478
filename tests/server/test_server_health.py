"""``GET /health``: is anything moving."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from served import STATUS, image, served, until


def test_health_is_ok_until_nothing_has_moved_for_a_lease(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        assert api.engine is not None
        now = [1_000_000.0]
        api.engine.now = lambda: now[0]
        found = api.get("/health")
        assert (found.status_code, found.json()["status"], found.json()["busy"]) == (
            200,
            "ok",
            False,
        )
        api.start(image("1", "https://pictures.example/1.jpg"))
        session = api.engine.store.join()
        session.work((), now[0], most=1)
        now[0] += 60
        found = api.get("/health")
        assert (found.status_code, found.json()["oldestLeaseSeconds"]) == (200, 60.0)
        now[0] += 1
        found = api.get("/health")
        assert found.status_code == 503
        assert (found.json()["status"], found.json()["oldestLeaseSeconds"]) == ("stalled", 61.0)
        session.leave()


def test_a_damaged_catalogue_is_told_as_such_and_health_is_not_ok(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        job = api.start(image("1", "https://pictures.example/1.jpg"))
        with sqlite3.connect(tmp_path / "engine" / "catalogue.sqlite") as connection:
            connection.execute("UPDATE job SET system_name = x'ff'")
        connection.close()
        found = api.get(STATUS, id=job)
        assert found.status_code == 500 and "catalogue" in found.json()["error"]
        found = api.get("/health")
        assert (found.status_code, found.json()["status"]) == (503, "damaged")


def test_workers_that_meet_damage_make_health_not_ok(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        api.start(image("1", "https://pictures.example/1.jpg"))
    with sqlite3.connect(tmp_path / "engine" / "catalogue.sqlite") as connection:
        connection.execute("UPDATE terms SET options = 'no JSON'")
    connection.close()
    with served(tmp_path / "engine", workers=1) as api:
        until(lambda: api.get("/health").status_code == 503)
        assert api.get("/health").json()["status"] == "damaged"
