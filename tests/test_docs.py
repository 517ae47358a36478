"""What the documentation shows works as it is written."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import stat
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest

from ldimport.errors import ExitCode

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def fenced(name: str, language: str) -> list[str]:
    """Every block of one language in a document."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the samples and an archive of one row, no settings of the user's."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copytree(ROOT / "samples" / "images", tmp_path / "images")
    row = "1,images/2003/lake-morning.jpg,Morning at the lake\n"
    (tmp_path / "archive.csv").write_text(f"id,url,fileName\n{row}")
    for name in [name for name in os.environ if name.startswith(("LDIMPORT_", "LI_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(place: Path, code: str) -> None:
    """Run an example as a script."""
    (place / "example.py").write_text(code, encoding="utf-8")
    runpy.run_path(str(place / "example.py"), run_name="__main__")


def test_python_examples_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other in one folder; those that need a server run in ``tests/server``."""
    said = []
    for code in fenced("python.md", "python"):
        if 'LivingdocsClient("https://' in code:
            continue
        run_python(place, code)
        said.append(capsys.readouterr().out)
        assert said[-1], code
        assert "failed" not in said[-1].replace("0 failed", ""), said[-1]
    whole = "".join(said)
    assert f"exit {ExitCode.TEMPORARY:d})" in whole
    assert "my-archive 1 of 1" in whole and "1 of 1 are as they were sent" in whole


def test_the_readme_example_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## From Python\n")[1].split("\n## ")[0]
    code = textwrap.dedent("".join(re.findall(r"^(?: {4}.*)?\n", section, re.MULTILINE)))
    shutil.copy("samples/project-config.json", "index.json")
    before = (
        "from ldimport.model import Image, ImportRequest\n"
        "request = ImportRequest('a', (Image('1', 'https://127.0.0.1/1.jpg', 'A', {}),))\n"
    )
    run_python(place, before + code)
    assert "JobStatus(" in capsys.readouterr().out


# -- exit codes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "docs/unattended.md"])
def test_a_table_of_exit_codes_is_the_one_in_the_code(name: str) -> None:
    """A document may add words to a line, and leave none out."""
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert [int(code) for code, _, _ in rows] == list(ExitCode)
    for code, meaning, cron in rows:
        member = ExitCode(int(code))
        assert meaning.startswith(member.meaning) and cron.startswith(member.cron)


# -- unattended ----------------------------------------------------------------------------


def stand_in(folder: Path, code: int) -> dict[str, str]:
    """An environment whose ``ldimport`` says what it was asked and exits with ``code``."""
    program = folder / "bin" / "ldimport"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "ldimport $*"\nexit {code}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_cron_script_speaks_only_when_a_person_is_needed(tmp_path: Path, code: int) -> None:
    script = next(block for block in fenced("unattended.md", "sh") if block.startswith("#!"))
    (tmp_path / "import.sh").write_text(script)
    environment = {**stand_in(tmp_path, code), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["sh", "import.sh", "archive.csv"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    quiet = code in (0, 5, 6, 7, 8)
    assert done.returncode == (0 if quiet else code)
    assert done.stdout.startswith("ldimport submit archive.csv") is not quiet
    assert done.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "import.sh"}


def test_the_shell_lines_run(place: Path) -> None:
    """With the real command, on the sample archive."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in fenced("unattended.md", "sh"):
        (place / "block.sh").write_text(block)
        done = subprocess.run(
            ["sh", "-u", "block.sh", "archive.csv"],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_crontab_names_commands_that_exist() -> None:
    from ldimport.cli.app import root

    (crontab,) = fenced("unattended.md", "crontab")
    named = set(re.findall(r"ldimport (\w+)", crontab + "".join(fenced("unattended.md", "yaml"))))
    assert {"status", "validate", "submit"} <= named
    assert named <= set(root().commands)


def test_the_unit_of_systemd_runs_what_cron_runs(place: Path) -> None:
    """Codes after which the next run goes on are no failure of the unit."""
    service, timer = (ConfigParser(strict=False) for _ in range(2))
    for parser, block in zip((service, timer), fenced("unattended.md", "ini"), strict=True):
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(block)
    command = shlex.split(service["Service"]["ExecStart"])
    codes = {int(code) for code in service["Service"]["SuccessExitStatus"].split()}
    assert codes == {5, 6, 7, 8}
    assert timer["Timer"]["OnCalendar"] and Path(command[0]).name == "ldimport"
    program = [sys.executable, "-m", "ldimport", *command[1:]]
    done = subprocess.run(program, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nobody_is_told_to_install_what_is_not_released() -> None:
    """From a clone works ``pip install '.[server]'``; a package of the name may be a stranger's."""
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *(ROOT / "ldimport").rglob("*.py"),
             *(ROOT / "ldimport").rglob("*.toml")]  # fmt: skip
    released = re.compile(r"pip install (?:-\S+ )*['\"]?ldimport\b")
    assert [page.name for page in pages if released.search(page.read_text("utf-8"))] == []
    assert "pip install '.[server]'" in (ROOT / "README.md").read_text("utf-8")


def test_the_page_about_json_is_up_to_date() -> None:
    """``python docs/generate_json.py`` writes it."""
    done = subprocess.run([sys.executable, DOCS / "generate_json.py", "--check"], check=False)
    assert done.returncode == 0
