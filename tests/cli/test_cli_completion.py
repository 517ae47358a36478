"""Completion as shells do it: real bash, zsh and fish on a terminal, and what they are told."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import forked
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport.causes import proposable
from ldimport.cli import main
from ldimport.cli.candidates import FILES, MOST_JOBS, split
from ldimport.cli.command import COMMANDS

HOSTILE = "ho st'i\"l;e$(touch pwned)`touch pwned`&|<>*?[a]{b}!~\\#é画"
"""An id that every shell would do something with."""
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source ./script\n"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source ./script\n"),
    "fish": (["fish", "--no-config", "-i"], "source ./script\n"),
}
SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name}"))
    for name in STARTS
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and working folder, no settings of the user's."""
    for name in [name for name in os.environ if name.startswith(("LDIMPORT_", "LI_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def archive(home: Path) -> Path:
    """With an archive that was sent: its name and its job's are hostile, its one image failed."""
    (home / "archive.csv").write_text("id,url,fileName\nid-1,none.png,One\n")
    state = home / "state.sqlite"
    words = ["submit", "archive.csv", "-q", "-q", "--state", str(state)]
    assert main([*words, "--system-name", HOSTILE]) == 1
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("UPDATE batch SET job_id = ?", (HOSTILE,))
    return home


Told = Callable[..., list[str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """The words that a shell is told for the words so far; nothing else is said, nobody asked."""
    monkeypatch.setenv("_LDIMPORT_COMPLETE", "words")

    def asked(*args: object) -> None:
        raise AssertionError("completion used the network")

    monkeypatch.setattr(socket.socket, "connect", asked)
    monkeypatch.setattr(socket, "getaddrinfo", asked)

    def ask(*words: str) -> list[str]:
        capsys.readouterr()
        assert main(["--", *words]) == 0
        out, err = capsys.readouterr()
        assert not err
        return [line.split("\t")[0] for line in out.split("\n")[:-1]]

    return ask


# -- what there is to propose --------------------------------------------------------------------


def test_commands_options_and_their_values(home: Path, told: Told) -> None:
    assert told("") == COMMANDS
    assert told("sta") == ["status", "state"]
    assert told("state", "") == ["info", "check", "backup", "export", "import", "merge", "rebuild"]
    assert told("status", "--exi") == ["--exit-status"]
    assert told("--prof") == ["--profile"]
    assert told("results", "--format", "") == ["table", "csv", "json", "jsonl"]
    assert told("--json", "results", "--format=js") == ["--format=json", "--format=jsonl"]
    assert told("export", "redirects", "--format", "n") == ["nginx"]
    assert told("token", "create", "ci", "--scope", "public-api:c") == ["public-api:config:read"]
    assert told("serve", "--dialect", "2026") == ["2026-08"]
    assert told("completion", "") == ["bash", "zsh", "fish", "powershell"]
    assert told("schema", "sta") == ["status", "state"]
    assert told("schema", "state", "m") == ["merge"]
    assert "--json" not in told("status", "--json", "--")


def test_codes_are_known_without_a_state_file(home: Path, told: Told) -> None:
    found = told("explain", "origin-4")
    assert found == [each for each in proposable() if each.startswith("origin-4")]
    assert "duplicate-id" in told("explain", "dup")


def test_profiles_of_all_files(home: Path, told: Told) -> None:
    (home / "ldimport.yaml").write_text("profiles:\n  tagblatt: {}\n  $(touch pwned): {}\n")
    (home / ".livingdocs-cli").write_text("environments:\n  production: {}\n")
    (home / ".config" / "ldimport").mkdir(parents=True)
    (home / ".config" / "ldimport" / "config.yaml").write_text("profiles:\n  mine: {}\n")
    assert told("status", "--profile", "") == ["tagblatt", "$(touch pwned)", "mine", "production"]


def test_manifests_by_their_ending(home: Path, told: Told) -> None:
    for name in ("a.csv", "b.JSONL.gz", "c.yml", "d.png", "d d.json", ".hidden.csv"):
        (home / name).touch()
    (home / "folder").mkdir()
    (home / "folder" / "e.tsv").touch()
    assert told("submit", "") == [".hidden.csv", "a.csv", "b.JSONL.gz", "c.yml", "d d.json",
                                  "folder/"]  # fmt: skip
    assert told("plan", "folder/") == ["folder/e.tsv"]
    assert told("plan", "x") == [FILES] == told("validate", "--problems", "")


def test_what_the_state_file_knows(archive: Path, told: Told) -> None:
    here = ("--state", "state.sqlite")
    assert told("status", *here, "ho") == [HOSTILE] == told("watch", *here, "")
    assert told("results", *here, "--job", "") == [HOSTILE]
    assert told("results", *here, "--cause", "") == ["no-such-file"]
    assert told("plan", *here, "--system-name", "h") == [HOSTILE]
    assert told("results", *here, f"--job={HOSTILE[:9]}") == [f"--job={HOSTILE}"]


def test_the_newest_jobs_are_proposed(archive: Path, told: Told) -> None:
    with closing(sqlite3.connect("state.sqlite")) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(batch)") if row[1] != "id"]
        for n in range(60):
            values = [{"job_id": f"'job-{n:02}'", "key": f"'key-{n}'",
                       "submitted_at": f"submitted_at + {n + 1}"}.get(name, name)
                      for name in names]  # fmt: skip
            connection.execute(
                f"INSERT INTO batch ({', '.join(names)}) SELECT {', '.join(values)} FROM batch "
                "ORDER BY id LIMIT 1"
            )
    found = told("status", "--state", "state.sqlite", "")
    assert found == [f"job-{n:02}" for n in range(59, 59 - MOST_JOBS, -1)]


def test_an_id_that_no_line_can_hold_is_left_out(archive: Path, told: Told) -> None:
    with closing(sqlite3.connect("state.sqlite")) as connection, connection:
        connection.execute("UPDATE batch SET job_id = ?", ("a\nb\x1b[31m",))
    assert told("status", "--state", "state.sqlite", "") == []


@pytest.mark.parametrize("words", [
    ("status", ""), ("results", "--cause", ""), ("plan", "--system-name", ""), ("explain", "x"),
    ("retry", "--profile", ""), ("nothing", ""), ("status", "--state", "none", ""), ("submit", ""),
    ("status", "--config", "none.yaml", ""), ("state", "nothing", ""), ("webhooks", "list", ""),
    ("token", "revoke", ""),
])  # fmt: skip
def test_errors_say_nothing_and_nothing_is_made(
    home: Path, told: Told, words: tuple[str, ...]
) -> None:
    assert set(told(*words)) <= {FILES}
    assert [*home.rglob("*")] == []


def test_a_damaged_state_file_and_a_broken_config_say_nothing(archive: Path, told: Told) -> None:
    (archive / "state.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    assert told("status", "--state", "state.sqlite", "") == []
    (archive / "ldimport.yaml").write_text("nonsense: [")
    assert told("status", "") == told("status", "--profile", "") == []


def test_a_state_file_is_only_read(archive: Path, told: Told) -> None:
    before = {path: path.read_bytes() for path in archive.glob("state.sqlite*")}
    told("status", "--state", "state.sqlite", "")
    assert {path: path.read_bytes() for path in archive.glob("state.sqlite*")} == before


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@given(st.text(st.characters(exclude_categories=("C",)), min_size=1))
def test_what_bash_is_told_stands_for_the_word(word: str) -> None:
    """Between no quotes, double and single ones."""
    line = ""
    for quote in ("", '"', "'"):
        _, typed = split(f"ldimport status {quote}")
        line += f" {quote}{typed.quoted(word)}{quote}"
    read = subprocess.run(["bash", "-c", f"printf '%s\\0'{line}"], capture_output=True, check=True)
    assert read.stdout.decode().split("\0")[:-1] == [word] * 3


# -- on a terminal -------------------------------------------------------------------------------


@pytest.fixture
def typing(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Types into a shell; the words that the command was then called with."""
    folder = archive / "bin"
    folder.mkdir()
    program = folder / "ldimport"
    program.write_text(
        "#!/bin/sh\n"
        f'if [ -n "$_LDIMPORT_COMPLETE" ]; then exec {shlex.join(forked.command())} "$@"; fi\n'
        f"exec {sys.executable} -IS -c 'import json, os, sys; json.dump(sys.argv[1:], "
        'open("called.new", "w")); os.rename("called.new", "called")\' "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("LDIMPORT_STATE", "state.sqlite")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def type_(shell: str, line: str) -> list[str]:
        command, first = STARTS[shell]
        process, terminal = pty.fork()
        if not process:
            os.execvp(command[0], command)
        try:
            _until(terminal, lambda said: bool(said))
            os.write(terminal, first.encode())
            _until(terminal, lambda said: "script" in said, quiet=0.3)
            os.write(terminal, f"{line}\n".encode())
            said = _until(terminal, lambda _: Path("called").exists())
            assert Path("called").exists(), said
            found: list[str] = json.loads(Path("called").read_text())
            Path("called").unlink()
            return found
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(terminal)

    yield type_
    assert not Path("pwned").exists()


def _until(terminal: int, done: Callable[[str], bool], quiet: float = 0.0) -> str:
    """Read what the shell says until that holds, and then until it is quiet."""
    said, ends, last = "", time.monotonic() + 30, time.monotonic()
    while time.monotonic() < ends:
        if select.select([terminal], [], [], 0.05)[0]:
            said += os.read(terminal, 65_536).decode("utf-8", "replace")
            last = time.monotonic()
        elif done(said) and time.monotonic() - last >= quiet:
            break
    return said


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_and_runs_nothing_of_it(
    typing: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    assert main(["completion", shell]) == 0
    Path("script").write_text(capsys.readouterr().out)
    Path("we ird$(touch pwned).csv").touch()
    for line, words in {
        "ldimport statu\t--fai\t": ["status", "--failed"],
        "ldimport watch ho\t": ["watch", HOSTILE],
        'ldimport watch "ho\t': ["watch", HOSTILE],
        "ldimport results --json --job ho\t": ["results", "--json", "--job", HOSTILE],
        "ldimport submit --integrity=fu\t": ["submit", "--integrity=full"],
        "ldimport plan we\t": ["plan", "we ird$(touch pwned).csv"],
        "ldimport --no-color results --cause no\t": [
            "--no-color", "results", "--cause", "no-such-file",
        ],
    }.items():  # fmt: skip
        if shell == "bash" and line.startswith('ldimport watch "'):
            continue  # an exclamation mark between double quotes is history's, however written
        assert typing(shell, line) == words, line
    assert typing(shell, "ldimport watch 'ho\t") == ["watch", HOSTILE]
