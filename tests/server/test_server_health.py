"""``GET /health``: is anything moving."""

from __future__ import annotations

from pathlib import Path

from served import image, served


def test_health_is_ok_until_nothing_has_moved_for_a_lease(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        assert api.engine is not None
        now = [1_000_000.0]
        api.engine._now = lambda: now[0]
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
