"""Lost jobs, ``--update``, open jobs of an older state file: by the command line, over HTTP."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ldimport
from places import TOKEN, Livingdocs

FIXTURE = Path(__file__).parents[1] / "fixtures" / "schema_4"


def use(run: Ldimport, url: str, per_second: int) -> None:
    """The target of this folder, and how fast it may be asked."""
    settings = f"target: {url}\nrequestsPerSecond: {per_second}\n"
    (run.folder / "ldimport.yaml").write_text(settings)
    run.env |= {"LDIMPORT_TOKEN": TOKEN, "LDIMPORT_SYSTEM_NAME": "archiv"}
    run("config", "trust", "ldimport.yaml")


@pytest.mark.parametrize("dialect", ["2026-08"])
def test_a_lost_job_is_settled_by_the_library_though_the_run_is_killed(
    run: Ldimport, archive: Callable[..., Path], dialect: str
) -> None:
    with Livingdocs(dialect, {}).running() as server:
        use(run, server.url, 5)
        run("submit", archive(40), "--yes", "--no-wait")
        server.jobs.clear()
        for n in range(1, 40, 2):  # scattered: not so many in a row that the rest is not asked for
            del server.library[f"id-{n}"]
        before = run.json("status")
        watching = run.start("watch")
        while sum("mediaLibrary" in path for path in server.asked) < 8:
            time.sleep(0.05)
            assert watching.poll() is None
        watching.kill()
        watching.wait()
        after = run.json("status")
        assert (after["totals"], len(after["jobs"])) == (before["totals"], 1)
        use(run, server.url, 1_000)
        done = run("watch")
        (sent,) = server.jobs.values()
        assert [image["id"] for image in sent["images"]] == [f"id-{n}" for n in range(1, 40, 2)]
        assert "was lost: 20 of its 40 images arrived, 20 are sent again" in done.stderr
        assert "40 of 40 images arrived" in done.stdout
        totals = run.json("status")["totals"]
        assert (totals["success"], totals["pending"], totals["unsubmitted"]) == (40, 0, 0)


def test_changes_that_a_server_skips_are_updated_when_asked_for(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    with Livingdocs("seed", {}, frozen=True).running() as server:
        use(run, server.url, 1_000)
        path = archive(3)
        run("submit", path, "--yes")
        lines = path.read_text().replace("Photo 1", "Rheinfall").replace("/2.jpg", "/4.jpg")
        path.write_text(lines)
        assert "2 changed but not taken over" in run("submit", path).stdout
        done = run("submit", path, "--update")
        assert "✓ 1 changed entry updated through the media library" in done.stdout
        assert "! 1 entry cannot be updated there" in done.stdout
        assert server.library["id-1"]["entry"]["metadata"] == {"title": "Rheinfall"}
        end = run.json("submit", path, "--update")
        assert end["updated"] == {"patched": 0, "impossible": 1, "refused": 0}
        assert (end["totals"]["success"], end["totals"]["notTakenOver"]) == (2, 1)


def test_a_local_engine_updates_by_itself(
    run: Ldimport, archive: Callable[..., Path], origin: object
) -> None:
    path, own = archive(1), ("--allow-host", origin.host)  # type: ignore[attr-defined]
    run("submit", path, *own)
    path.write_text(path.read_text().replace("Photo 0", "Rheinfall"))
    end = run.json("submit", path, *own, "--update")
    assert end["updated"] == {"patched": 0, "impossible": 0, "refused": 0}
    assert end["totals"]["success"] == 1


def test_a_file_of_the_version_before_is_shown_and_followed(run: Ldimport) -> None:
    place = Path(shutil.copytree(FIXTURE, run.folder / "before"))
    own = ("--state", place / "state.sqlite", "--engine", place / "engine")
    found = run.json("status", *own)
    assert found["totals"]["pending"] > 0
    assert [job["state"] for job in found["jobs"]][:1] == ["started"]
    assert "JOB" in run("status", *own, "-n", "0").stdout
    end = run.json("watch", *own, code=None)
    assert (end["exitCode"], end["totals"]["pending"]) == (1, 0)
    assert run.json("status", *own)["totals"]["pending"] == 0
    again = run.json("retry", *own, "--update", code=None)
    assert again["type"] == "summary"
