"""The main job, end to end, through the command line and nothing else."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ldimport, Origin, photo


def test_the_sample_archive_arrives(run: Ldimport, samples: Path) -> None:
    done = run("submit", samples / "manifest.csv")
    assert "nothing was sent to Livingdocs" in done.stdout + done.stderr
    results = run.json("results")["results"]
    assert len(results) >= 24
    assert {row["status"] for row in results} == {"success"}
    assert {row["mimeType"] for row in results} == {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/svg+xml",
    }
    assert {row["systemName"] for row in results} == {"sample-archive"}
    again = run("submit", samples / "manifest.csv")
    assert "Nothing to send" in again.stdout + again.stderr
    assert run.json("status")["totals"]["success"] == len(results)
    run("watch")


@pytest.mark.parametrize("other", ["manifest.json", "manifest.yaml"])
def test_the_same_archive_in_another_format_is_the_same(
    run: Ldimport, samples: Path, other: str
) -> None:
    run("submit", samples / "manifest.csv")
    plan = run.json("plan", samples / other)
    assert (plan["new"], plan["changed"], plan["invalid"]) == (0, 0, 0)


def test_one_edited_row_sends_one_image_and_one_new_row_one(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    allow = ("--allow-host", origin.host)
    path = archive(5)
    run("submit", path, *allow)
    path.write_text(path.read_text().replace("Photo 3", "Photo three"))
    assert run.json("submit", path, *allow)["plan"]["changed"] == 1
    archive(6)
    path.write_text(path.read_text().replace("Photo 3", "Photo three"))
    summary = run.json("submit", path, *allow)
    assert (summary["plan"]["new"], summary["plan"]["changed"]) == (1, 0)
    assert summary["totals"]["success"] == 6
    ids = [row["mediaId"] for row in run.json("results")["results"]]
    assert len(set(ids)) == 6


def test_one_bad_image_fails_alone_and_retry_sends_it_again(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    origin.files["2.jpg"] = 404
    origin.files["3.jpg"] = b"<html>not an image</html>"
    summary = run.json("submit", archive(5), "--allow-host", origin.host, code=1)
    assert (summary["totals"]["success"], summary["totals"]["failed"]) == (3, 2)
    reasons = {row["externalId"]: row["reason"] for row in run.json("results")["results"]}
    assert "404" in reasons["id-2"]
    assert "not an image" in reasons["id-3"]
    del origin.files["2.jpg"]
    assert run.json("retry", code=1)["totals"]["success"] == 0
    assert run.json("retry", "--all", code=1)["totals"]["success"] == 1
    assert run.json("status")["totals"]["failed"] == 1


def test_private_sources_are_refused_unless_allowed(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    done = run("submit", archive(1), code=1)
    assert "--allow-host" in done.stdout + done.stderr
    assert origin.asked == []


def test_errors_in_the_manifest_stop_it_before_anything_is_sent(
    run: Ldimport, samples: Path
) -> None:
    done = run("submit", samples / "broken.csv", code=3)
    assert "nothing was sent" in done.stdout + done.stderr
    assert run.json("status")["jobs"] == []
    report = run.json("validate", samples / "broken.csv", code=3)
    assert report["invalid"] >= 8
    for problem in report["problems"]:
        assert problem["line"] >= 1 and problem["message"] and problem["code"]


def test_limit_is_a_small_first_try(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    summary = run.json("submit", archive(5), "--limit", "2", "--allow-host", origin.host)
    assert (summary["totals"]["success"], summary["totals"]["unsubmitted"]) == (2, 3)


def test_results_as_csv_is_a_map_of_ids(run: Ldimport, samples: Path) -> None:
    run("submit", samples / "manifest.csv")
    rows = list(csv.DictReader(run("results").stdout.splitlines()))
    assert all(row["mediaId"] and row["externalId"] for row in rows)
    lines = run("results", "--format", "jsonl").stdout.splitlines()
    assert len(lines) == len(rows)
    assert json.loads(lines[0])["status"] == "success"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (None, 2),
        (lambda path: path.write_bytes(b""), 3),
        (lambda path: path.write_bytes(bytes(range(256)) * 50), 3),
        (lambda path: path.write_text("id,url,fileName\n"), 3),
        (lambda path: path.write_text("a,b,c\n1,2,3\n"), 3),
        (lambda path: path.mkdir(), 3),
    ],
    ids=["missing", "empty", "binary", "header-only", "no-columns", "empty-folder"],
)
@pytest.mark.parametrize("command", ["validate", "plan", "submit"])
def test_bad_input_gets_one_message_and_changes_nothing(
    run: Ldimport, tmp_path: Path, make: Callable[[Path], object] | None, code: int, command: str
) -> None:
    path = tmp_path / "input.csv"
    if make is not None:
        make(path)
    done = run(command, path, code=code)
    assert "✗" in done.stderr
    state = Path(run.env["XDG_STATE_HOME"], "ldimport", "default.sqlite")
    assert not state.exists() or _jobs(state) == 0


def _jobs(state: Path) -> int:
    connection = sqlite3.connect(state)
    try:
        return connection.execute("SELECT count(*) FROM batch").fetchone()[0]  # type: ignore[no-any-return]
    finally:
        connection.close()


def test_a_state_file_that_is_not_ours_is_left_alone(
    run: Ldimport, samples: Path, tmp_path: Path
) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("my notes")
    for command in (["submit", samples / "manifest.csv"], ["status"]):
        run(*command, "--state", other, code=4)
    assert other.read_text() == "my notes"
    assert not other.with_name("notes.txt.lock").exists()


def test_a_damaged_state_file_is_named_and_left_alone(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    manifest = archive(2)
    run("submit", manifest, code=1)  # no host is allowed, so both fail: enough to be recorded
    (state,) = run.folder.rglob("default.sqlite")
    header, rest = state.read_bytes()[:4096], state.stat().st_size - 4096
    state.write_bytes(header + b"\xab" * rest)  # damage that is met only while reading
    found = state.read_bytes()
    for words in (["submit", manifest], ["plan", manifest], ["status"], ["results"], ["watch"]):
        done = run(*words, "--json", "-q", code=4)
        assert '"code":"state-damaged"' in done.stdout and str(state) in done.stdout
    assert state.read_bytes() == found


def test_broken_project_config_is_exit_4(run: Ldimport, samples: Path, tmp_path: Path) -> None:
    broken = tmp_path / "config.json"
    broken.write_text('{"mediaTypes": [{"handle": 5}]}')
    done = run("validate", samples / "manifest.csv", "--project-config", broken, code=4)
    assert "mediaTypes" in done.stderr


def stuck(run: Ldimport, origin: Origin, path: Path, images: int) -> subprocess.Popen[bytes]:
    """A submit that got so many images and waits for others."""
    origin.hold_after(images)
    process = run.start("submit", path, "--allow-host", origin.host)
    while len(origin.asked) <= origin.answers:
        time.sleep(0.01)
        assert process.poll() is None
    return process


def test_ctrl_c_loses_nothing(run: Ldimport, archive: Callable[..., Path], origin: Origin) -> None:
    path = archive(100)
    process = stuck(run, origin, path, 5)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    origin.go_on()
    summary = run.json("watch", code=None)
    assert summary["exitCode"] == 0
    summary = run.json("submit", path, "--allow-host", origin.host)
    assert (summary["totals"]["success"], summary["totals"]["pending"]) == (100, 0)


def kill_round(run: Ldimport, origin: Origin, path: Path, rows: int, images: int) -> None:
    """Kill a submit with all its workers once it asked for so many ``images``; the same command
    must finish."""
    process = stuck(run, origin, path, images)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    origin.go_on()
    summary = run.json("submit", path, "--allow-host", origin.host)
    totals = summary["totals"]
    assert totals["success"] + totals["skipped"] == rows, totals
    results = run.json("results")["results"]
    assert len(results) == len({row["externalId"] for row in results}) == rows
    assert len({row["mediaId"] for row in results}) == rows


def test_kill_9_and_the_same_command_again(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    kill_round(run, origin, archive(100), 100, 40)


@pytest.mark.slow
def test_many_rounds_of_kill_9(
    tmp_path: Path, archive: Callable[..., Path], origin: Origin
) -> None:
    path, chance = archive(600), random.Random(1)
    for n in range(5):
        folder = tmp_path / f"round{n}"
        folder.mkdir()
        kill_round(Ldimport(folder), origin, path, 600, chance.randrange(1, 600))


def test_the_same_bytes_under_two_ids_are_two_entries(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    origin.files["1.jpg"] = origin.files["2.jpg"] = photo(9)
    run("submit", archive(3), "--allow-host", origin.host)
    rows = run.json("results")["results"]
    assert len({row["mediaId"] for row in rows}) == 3
