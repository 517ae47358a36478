"""What must hold of an engine's folder whenever nobody works on it."""

from __future__ import annotations

import hashlib

from ldimport.engine import Engine
from ldimport.model import JobState


def assert_sound(engine: Engine) -> None:
    """Every row has its bytes, every file its row, nothing temporary is left, sums add up."""
    with engine.store._catalogue.writing() as connection:
        rows = connection.execute("SELECT sha256, size FROM asset").fetchall()
        open_items = connection.execute(
            "SELECT count(*) FROM item WHERE status IS NULL OR worker IS NOT NULL"
        ).fetchone()[0]
        wrong = connection.execute(
            """SELECT id FROM job WHERE success + skipped + failed <> images
                  OR images <> (SELECT count(*) FROM item WHERE job = job.n)
                  OR success <> (SELECT count(*) FROM item WHERE job = job.n
                                  AND status = 'success')"""
        ).fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM worker").fetchone()[0] == 0
    assert (open_items, wrong) == (0, [])
    assert {job.state for job in engine.jobs()} <= {JobState.SUCCESS, JobState.FAILED}
    blobs = {path.name: path for path in (engine.folder / "blobs").rglob("*") if path.is_file()}
    assert set(blobs) == {row["sha256"] for row in rows}
    for row in rows:
        data = blobs[row["sha256"]].read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["size"])
    for name in ("tmp", "workers"):
        assert not list((engine.folder / name).iterdir())
