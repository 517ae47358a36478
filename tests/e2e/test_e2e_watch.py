"""``watch`` beside a run that ends, in whatever way, with real processes and a slow image server."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ldimport, Origin


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
