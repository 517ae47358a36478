"""``watch`` beside a run that ends, in whatever way: real processes, a slow image server."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Ldimport, Origin

from ldimport.engine.store.sqlite.schema import FILE


def stuck(run: Ldimport, origin: Origin, path: Path, images: int) -> subprocess.Popen[bytes]:
    """A submit that waits for its images, once so many came."""
    origin.hold_after(images)
    process = run.start("submit", path, "--allow-host", origin.host)
    while len(origin.asked) <= origin.answers:
        time.sleep(0.01)
        assert process.poll() is None
    return process


class Watcher:
    """A ``watch --json``, line by line."""

    def __init__(self, run: Ldimport) -> None:
        self.process = subprocess.Popen(
            run.command("watch", "--json"),
            cwd=run.folder,
            env=run.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line that is wanted."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if wanted(event):
                return event
        raise AssertionError(self.process.communicate())

    def end(self) -> dict[str, Any]:
        found = self.until(lambda event: event["type"] == "summary")
        self.process.communicate(timeout=60)
        return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_watch_goes_on_in_the_place_of_a_run_that_was_stopped(
    run: Ldimport, archive: Callable[..., Path], origin: Origin, how: signal.Signals
) -> None:
    submit = stuck(run, origin, archive(30), 8)
    watcher = Watcher(run)
    moved = watcher.until(lambda event: event.get("success", 0) >= 4)
    assert moved["pending"] > 0, "the bar moves while the job runs"
    submit.send_signal(how)
    submit.wait()
    watcher.until(lambda event: event.get("code") == "took-over")
    origin.go_on()
    end = watcher.end()
    assert (end["exitCode"], end["totals"]["success"], end["totals"]["pending"]) == (0, 30, 0)
    assert run.json("status")["totals"]["success"] == 30


def test_watch_ends_with_the_run_that_it_follows(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    submit = stuck(run, origin, archive(12), 3)
    watcher = Watcher(run)
    watcher.until(lambda event: event["type"] == "progress")
    origin.go_on()
    assert submit.wait() == 0
    end = watcher.end()
    assert (end["exitCode"], end["totals"]["success"]) == (0, 12)


def test_after_ctrl_c_all_that_is_known_is_told(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    """Of a job that goes on, the engine knows each image; and that nobody is at work is said."""
    origin.files["3.jpg"] = 404
    path = archive(30)
    origin.hold_after(26)
    submit = subprocess.Popen(
        run.command("submit", path, "--allow-host", origin.host, "--json"),
        cwd=run.folder,
        env=run.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    while "3.jpg" not in origin.asked or len(origin.asked) <= origin.answers:
        time.sleep(0.01)
    (catalogue,) = run.folder.rglob(FILE)
    with closing(sqlite3.connect(catalogue)) as engine:
        ended = "SELECT count(*) FROM item WHERE status = 'success'"
        while engine.execute(f"{ended} OR reason LIKE '%404%'").fetchone()[0] < 26:
            assert submit.poll() is None
            time.sleep(0.01)
    submit.send_signal(signal.SIGINT)
    end = json.loads(submit.communicate()[0].splitlines()[-1])
    assert end["exitCode"] == 130
    (job,) = end["jobs"]
    sums = end["totals"]
    assert (sums["success"], sums["failed"]) == (25, 1)
    assert sums["success"] + sums["failed"] + sums["pending"] == 30
    assert [cause["cause"] for cause in end["causes"]] == ["origin-404"]

    known = run.json("status")
    assert {word: known["totals"][word] for word in ("success", "failed", "pending")} == {
        word: sums[word] for word in ("success", "failed", "pending")
    }
    assert known["atWork"] == {"run": None, "workers": False}
    assert known["jobs"][0]["images"]["success"] == sums["success"]
    text = run("status").stdout
    assert "nobody is at work now: 1 job waits in the local engine" in text
    assert f"imported: {sums['success']}\n" in text and "failed: 1\n" in text

    one = run.json("status", job["id"])
    assert one["state"] == "started"
    assert {image["externalId"]: image.get("cause") for image in one["imagesSoFar"]}["id-3"]
    shown = run("status", job["id"]).stdout
    assert "origin answered 404" in shown and "nobody is at work now" in shown
    assert "ldimport retry" not in shown, "its failures are retried once it has ended"
    origin.go_on()
    end = run.json("watch", code=1)
    assert (end["totals"]["success"], end["totals"]["failed"]) == (29, 1)
