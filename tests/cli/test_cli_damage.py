"""A state file that is damaged somewhere: each command says so and exits 4, or its answer is not
touched by it."""

from __future__ import annotations

import io
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from ldimport.cli import main
from ldimport.errors import ExitCode

PAGE, ROWS = 4_096, 60
COMMANDS = (
    "status --json", "status JOB --json", "status OPEN --json", "results --format csv",
    "results --failed --json", "results --as-manifest --format csv", "explain id-7 --json",
    "plan archive.csv --json", "watch OPEN --json --deadline 20s", "retry --json",
    "submit archive.csv --json",
)  # fmt: skip
WRITE = ("watch", "retry", "submit")


@dataclass
class Home:
    """The state file ``ended`` of one run, and then with an ``open`` one at another engine."""

    state: Path
    ended: bytes
    open: bytes
    jobs: dict[str, str]

    def restore(self, body: bytes) -> None:
        for left in self.state.parent.glob(f"{self.state.name}*"):
            left.unlink()
        self.state.write_bytes(body)

    def without(self, kind: str, whole: bytes) -> Iterator[tuple[str, bytes]]:
        """The file without each table or index, and its name."""
        self.restore(whole)
        with sqlite3.connect(self.state) as connection:
            query = "SELECT name FROM sqlite_master WHERE type = ? AND sql IS NOT NULL"
            names = [row[0] for row in connection.execute(query, (kind,))]
        connection.close()
        for name in names:
            self.restore(whole)
            connection = sqlite3.connect(self.state)
            connection.execute(f"DROP {kind} {name}")
            connection.commit()
            connection.close()
            yield name, self.state.read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("LDIMPORT_STATE", str(folder / "state.sqlite"))
        patch.chdir(folder)
        picture = io.BytesIO()
        Image.new("RGB", (9, 9)).save(picture, "PNG")
        Path("good.png").write_bytes(picture.getvalue())
        Path("bad.png").write_bytes(b"<html>no image</html>")
        lines = ["id,url,fileName,metadata.caption"]
        words = random.Random(1).sample(range(10**9), ROWS)  # so that entries fill pages
        for n, word in enumerate(words):
            url = "bad.png" if n % 7 == 0 else "good.png"
            lines.append(f"id-{n},{url},Photo {n},{'x'.join(str(word * k) for k in range(9))}")
        Path("archive.csv").write_text("\n".join(lines) + "\n")
        assert main(["submit", "archive.csv", "-q", "-q", "--batch-size", "30"]) == 1
        state = folder / "state.sqlite"
        ended = state.read_bytes()
        more = ["submit", "archive.csv", "-q", "-q", "--engine", "other", "--system-name", "more"]
        assert main([*more, "--no-wait"]) in (0, 1)
        with sqlite3.connect(state) as connection:
            found = connection.execute("SELECT state, job_id FROM batch ORDER BY id").fetchall()
        connection.close()
        jobs = {"JOB": found[0][1], "OPEN": next(id_ for word, id_ in found if word == "started")}
        yield Home(state, ended, state.read_bytes(), jobs)


@pytest.fixture
def call(home: Home, capfd: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Run a command line on the file as it is; exit code and what it says but for times."""

    def run(line: str) -> tuple[int, str]:
        words = [home.jobs.get(word, word) for word in line.split()]
        if "OPEN" in line:
            words += ["--engine", "other"]
        capfd.readouterr()
        code = main(words)
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        if line.split()[0] in WRITE:  # what comes between depends on who is quicker
            out = json.dumps(json.loads(out.splitlines()[-1]).get("totals"))
        return code, re.sub(r"20\d\d-\d\d-\d\d\S*", "", out)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_damage_anywhere_is_exit_4_or_changes_nothing(
    home: Home, call: Callable[[str], tuple[int, str]], line: str
) -> None:
    damaged_everywhere(home, call, line, stride=1)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.split()[0] not in WRITE])
def test_damage_here_and_there_is_exit_4_or_changes_nothing(
    home: Home, call: Callable[[str], tuple[int, str]], line: str
) -> None:
    damaged_everywhere(home, call, line, stride=3)


def damaged_everywhere(
    home: Home, call: Callable[[str], tuple[int, str]], line: str, stride: int
) -> None:
    """Of a job that is open, bytes that SQLite takes as they are may change what is shown: they
    have no sum of their own, as those of a request that is kept have."""
    whole = home.open if "OPEN" in line else home.ended
    home.restore(whole)
    right = call(line)
    assert right[0] in (0, 1, 8)

    def fits(found: tuple[int, str]) -> bool:
        same = found[0] == right[0] if "OPEN" in line else found == right
        return same or found[0] == ExitCode.CONFIG

    chance, seen = random.Random(2), set()
    for at in range(PAGE, len(whole), PAGE * stride):
        for page in (chance.randbytes(PAGE), bytes(PAGE)):
            home.restore(whole[:at] + page + whole[at + PAGE :])
            found = call(line)
            assert fits(found), (at // PAGE, found)
            seen.add(found[0])
    for kind in ("table", "index"):
        for name, body in list(home.without(kind, whole)):
            home.restore(body)
            found = call(line)
            assert fits(found), (name, found)
    assert ExitCode.CONFIG in seen or stride > 1


@pytest.mark.parametrize("line", COMMANDS)
def test_a_table_that_is_missing_is_damage_for_every_command(
    home: Home, call: Callable[[str], tuple[int, str]], line: str
) -> None:
    """Also for those that never ask for it: they would tell less than there was."""
    for name, body in list(home.without("table", home.open)):
        home.restore(body)
        assert call(line)[0] == ExitCode.CONFIG, name


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("scope.target", "x'ff'", "status --json"),
        ("batch.manifest", "x'ff'", "status --json"),
        ("batch.images", "1e300", "status --json"),
        ("batch.failed", "'few'", "status --json"),
        ("batch.submitted_at", "1e300", "status --json"),
        ("batch.finished_at", "'then'", "explain id-7 --json"),
        ("batch.options", "'no JSON'", "retry --all --json"),
        ("image.row", "'[1]'", "submit archive.csv --json"),
        ("image.width", "'wide'", "results --format csv"),
        ("image.status", "'done'", "results --format csv"),
        ("image.title", "x'ff'", "results --failed --json"),
        ("image.retryable", "'maybe'", "explain id-7 --json"),
        ("image.arrived", "'text'", "plan archive.csv --json"),
        ("attempt.status", "'done'", "explain id-7 --json"),
    ],
)
def test_a_value_that_was_never_written_is_damage(
    home: Home, call: Callable[[str], tuple[int, str]], column: str, value: str, line: str
) -> None:
    table, name = column.split(".")
    home.restore(home.ended)
    with sqlite3.connect(home.state) as connection:
        connection.execute("PRAGMA foreign_keys=0")
        connection.execute(f"UPDATE {table} SET {name} = {value}")
    connection.close()
    assert call(line)[0] == ExitCode.CONFIG


def test_an_entry_that_cannot_be_unpacked_is_damage(
    home: Home, call: Callable[[str], tuple[int, str]]
) -> None:
    """What lies behind the ends of pages: SQLite reads it as it is."""
    home.restore(home.open)
    with sqlite3.connect(home.state) as connection:
        connection.execute("UPDATE kept SET packed = zeroblob(200)")
        connection.execute("UPDATE batch SET packed = zeroblob(200) WHERE packed IS NOT NULL")
    connection.close()
    for line in (
        "results --as-manifest --format csv",
        "retry --all --json --system-name local",
        "watch OPEN --json",
    ):
        assert call(line)[0] == ExitCode.CONFIG
    with sqlite3.connect(home.state) as connection:
        connection.execute("UPDATE batch SET state = 'begun'")
    connection.close()
    assert call("status --json")[0] == ExitCode.CONFIG


def _folder(state: Path) -> None:
    state.unlink()
    state.mkdir()


BROKEN: dict[str, Callable[[Path], object]] = {
    "a folder": _folder,
    "text": lambda state: state.write_text("id,url\n"),
    "empty": lambda state: state.write_bytes(b""),
    "a pipe": lambda state: (state.unlink(), os.mkfifo(state)),
    "cut short": lambda state: os.truncate(state, 60),
    "a link to nothing": lambda state: (state.unlink(), state.symlink_to("nowhere")),
    "its lock is a folder": lambda state: Path(f"{state}.lock").mkdir(),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("line", ["status", "results", "explain id-1", "watch", "retry"])
def test_what_is_no_state_file_is_exit_4_and_nothing_comes_beside_it(
    tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str], how: str, line: str
) -> None:
    state = tmp_path / "s.sqlite"
    state.write_bytes(home.ended)
    BROKEN[how](state)
    before = sorted(tmp_path.iterdir())
    code = main([*line.split(), "--state", str(state)])
    if how != "its lock is a folder" or line in ("watch", "retry"):
        assert code == ExitCode.CONFIG
        assert "--state FILE" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before, "nor does a reader leave anything"


def test_an_unreadable_state_file_is_not_a_wrong_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root reads everything, so access is denied for it here."""
    state = tmp_path / "s.sqlite"
    state.write_bytes(b"SQLite format 3\0")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(state) and real(path, mode))
    assert main(["status", "--state", str(state)]) == ExitCode.CONFIG


@pytest.mark.parametrize("most", [0, 4_096, 40_000])
@pytest.mark.parametrize("line", ["submit archive.csv", "retry", "watch"])
def test_a_disk_that_takes_no_more_of_the_state_file_is_exit_5_with_its_folder(
    home: Home, tmp_path: Path, line: str, most: int
) -> None:
    """By the limit of a file's size."""
    resource = pytest.importorskip("resource")
    words = [sys.executable, "-B", "-m", "ldimport", *line.split()]
    done = subprocess.run(
        words, env={**os.environ, "LDIMPORT_STATE": f"{tmp_path}/s/s.sqlite"},
        cwd=home.state.parent, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    told = done.stdout + done.stderr
    folder = re.search(r"the disk with (\S+) is full", told)
    assert done.returncode == 5 and folder is not None, told
    assert Path(folder[1]) == tmp_path / "s" or most < 40_000, "else it may be the engine's"
    assert "free some space" in told and "Traceback" not in told
    made = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert set(made) <= {"s.sqlite", "s.sqlite.lock"}
