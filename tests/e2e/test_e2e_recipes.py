"""The recipes of docs/unattended.md with an HTTP target: a running ``ldimport serve``."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
import yaml
from command_line import ROOT, Ldimport, Origin
from places import TOKEN, Served

DOCS = (ROOT / "docs" / "unattended.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)


SCRIPT = next(block for block in blocks("sh") if block.startswith("#!"))
GITHUB, GITLAB = map(yaml.safe_load, blocks("yaml"))


@pytest.fixture
def place(tmp_path: Path, origin: Origin) -> Served:
    return Served(tmp_path, "v1", origin.host)


@pytest.fixture
def shell(run: Ldimport) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs lines as cron and CI do."""
    program = run.folder / "bin" / "ldimport"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(forked.command())} "$@"\n')
    program.chmod(0o700)
    run.env["PATH"] = f"{program.parent}:{run.env['PATH']}"

    def lines(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=run.folder, env={**run.env, **env}, timeout=120,
                              capture_output=True, text=True, check=False)  # fmt: skip

    return lines


def settle(run: Ldimport, url: str) -> None:
    """The address and the archive's name in a project file that the user agrees to, the token in
    a file of its own."""
    folder = run.folder
    (folder / "ldimport.yaml").write_text(f"target: {url}\nsystemName: archiv\n")
    run("config", "trust")
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)


def test_cron_is_silent_over_a_quota_and_goes_on_at_the_next_run(
    run: Ldimport,
    place: Served,
    archive: Callable[..., Path],
    shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    archive(4)
    (run.folder / "import.sh").write_text(SCRIPT.replace("--valid-only", "--valid-only --limit 3"))
    cron = {"LDIMPORT_TOKEN_FILE": str(run.folder / "token")}
    run.env |= cron
    with place.running(limit=3) as url:
        settle(run, url)
        for _ in range(2):  # the second meets the quota
            done = shell("sh", "import.sh", "archive.csv")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert run.json("status")["totals"]["success"] == 3
    log = (run.folder / "import.log").read_text()
    assert '"exitCode":6' in log and TOKEN not in log
    with place.running():
        assert shell("sh", "import.sh", "archive.csv").returncode == 0
        assert run.json("status")["totals"]["success"] == 4


def test_cron_speaks_when_an_image_fails(
    run: Ldimport,
    place: Served,
    archive: Callable[..., Path],
    origin: Origin,
    shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    archive(2)
    origin.files["1.jpg"] = 404
    (run.folder / "import.sh").write_text(SCRIPT)
    with place.running() as url:
        settle(run, url)
        done = shell("sh", "import.sh", "archive.csv",
                     LDIMPORT_TOKEN_FILE=str(run.folder / "token"))  # fmt: skip
    assert done.returncode == 1
    assert "origin answered 404" in done.stdout


def steps() -> dict[str, list[str]]:
    """The lines of both CI jobs, but for installing."""
    github = [step["run"] for step in GITHUB["jobs"]["import"]["steps"] if "run" in step]
    found = {"github": github, "gitlab": GITLAB["import"]["script"]}
    return {ci: [line.replace("pip install ./ldimport && ", "") for line in lines]
            for ci, lines in found.items()}  # fmt: skip


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_lines_of_a_ci_job_run(
    ci: str,
    run: Ldimport,
    place: Served,
    archive: Callable[..., Path],
    shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    archive(2)
    with place.running() as url:
        settle(run, url)
        run.env["LDIMPORT_STATE"] = "state/import.db"
        for line in steps()[ci]:
            done = shell("bash", "-e", "-c", line, LDIMPORT_TOKEN=TOKEN)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert {path.name for path in (run.folder / "state").iterdir()} == {
        "import.db",
        "import.db.lock",
    }
    assert run.json("status", "--state", "state/import.db")["totals"]["success"] == 2


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (6, 0), (8, 0), (10, 10)])
def test_the_step_that_sends_passes_only_what_goes_on_by_itself(
    code: int, ends: int, run: Ldimport, shell: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    line = steps()["github"][-1]
    assert "submit" in line
    paper = f"ldimport() {{ return {code}; }}\n{line}"
    assert shell("bash", "-e", "-c", paper).returncode == ends
