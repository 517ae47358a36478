"""A machine that gives no more, terminals that go away, catalogues that lack something: each has
its exit code and a word, and says nothing about images."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ldimport.cli import main
from ldimport.client.answers import AnswerReader, ApiAnswer, ApiCall
from ldimport.engine import Engine
from ldimport.errors import ExitCode, TemporaryError
from ldimport.files import unwritable
from ldimport.net import files
from ldimport.system import scarce

resource = pytest.importorskip("resource")
WORDS = [sys.executable, "-B", "-m", "ldimport"]


def limited(kind: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (most, most))


@pytest.mark.parametrize("most", [6, 8, 10, 12])
@pytest.mark.parametrize("line", ["submit archive.csv", "engine check"])
def test_too_few_descriptors_are_no_bug(tmp_path: Path, line: str, most: int) -> None:
    (tmp_path / "archive.csv").write_text("id,url,fileName\n1,a.png,a\n")
    Engine(tmp_path / "e").close()
    environ = {**os.environ, "HOME": str(tmp_path), "LDIMPORT_ENGINE": str(tmp_path / "e")}
    done = subprocess.run(
        [*WORDS, *line.split()], cwd=tmp_path, env=environ, capture_output=True, text=True,
        check=False, timeout=60, preexec_fn=limited(resource.RLIMIT_NOFILE, most),
    )  # fmt: skip
    assert done.returncode in (0, 1, 2, 5), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OSError(24, "Too many open files"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("x.so: failed to map segment from shared object"), True),
        (ImportError("No module named 'x'"), False),
        (RuntimeError("x"), False),
        (OSError(2, "No such file or directory"), False),
    ],
)
def test_what_shows_that_the_machine_gives_no_more(error: Exception, short: bool) -> None:
    assert (scarce(error) is not None) is short


def test_a_file_that_no_descriptor_is_left_for_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")

    def full(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(files, "_open", full)
    with pytest.raises(TemporaryError, match="open files"):
        files.read_below([str(tmp_path)], "a.png", 10)


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_goes_away_ends_a_command_in_order(tmp_path: Path, ignored: bool) -> None:
    """But not one begun by nohup."""
    environ = {**os.environ, "HOME": str(tmp_path), "LDIMPORT_ENGINE": str(tmp_path / "e")}
    how = signal.SIG_IGN if ignored else signal.SIG_DFL
    command = subprocess.Popen(
        [*WORDS, "worker", "--json"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, how), text=True,
    )  # fmt: skip
    assert command.stdout is not None
    command.stdout.readline()
    ends = time.monotonic() + 30  # it says so before its handlers stand
    while not (tmp_path / "e" / "workers").is_dir() and time.monotonic() < ends:
        time.sleep(0.02)
    command.send_signal(signal.SIGHUP)
    if ignored:
        with pytest.raises(subprocess.TimeoutExpired):
            command.wait(0.5)
        command.send_signal(signal.SIGTERM)
    out, err = command.communicate(timeout=30)
    assert command.returncode == 0 and '"exitCode":0' in out, err


@pytest.mark.parametrize("kind", ["a pipe", "a link to itself", "its folder is a file"])
def test_a_place_that_no_later_time_makes_better_is_exit_4(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "s"
    if kind == "its folder is a file":
        folder.write_text("x")
    else:
        folder.mkdir()
        lock = folder / "state.sqlite.lock"
        os.mkfifo(lock) if kind == "a pipe" else lock.symlink_to(lock)
    (tmp_path / "a.csv").write_text("id,url,fileName\n1,a.png,a\n")
    line = ["submit", str(tmp_path / "a.csv"), "--state", str(folder / "state.sqlite")]
    assert main([*line, "--engine", str(tmp_path / "e")]) == ExitCode.CONFIG


@pytest.mark.parametrize("megabytes", [34, 37, 40, 42, 44, 46, 50])
def test_too_little_memory_for_a_word_is_no_traceback(tmp_path: Path, megabytes: int) -> None:
    done = subprocess.run(
        [*WORDS, "status"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=limited(resource.RLIMIT_AS, megabytes << 20),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 5)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32"])
def test_an_answer_that_is_not_utf_8_accepts_no_job(coding: str) -> None:
    """JSON on the network is UTF-8 (RFC 8259, 8.1); Python reads the others too."""
    reader = AnswerReader("https://a.example", "v1", None, time.time)
    call = ApiCall("POST", "import/images", "write")
    answer = ApiAnswer(200, {"content-type": "application/json"}, '{"id":"abc"}'.encode(coding))
    with pytest.raises(TemporaryError, match="cut off"):
        reader.read(answer, call)
    assert reader.read(replace(answer, body=b'{"id":"abc"}'), call) == {"id": "abc"}


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    Engine(tmp_path / "e").close()
    return tmp_path / "e" / "catalogue.sqlite"


@pytest.mark.parametrize("what", ["TABLE token", "TABLE webhook", "TABLE item", "INDEX item_free"])
def test_an_engine_that_lacks_a_table_is_not_sound(catalogue: Path, what: str) -> None:
    with sqlite3.connect(catalogue) as connection:
        connection.execute(f"DROP {what}")
    connection.close()
    assert main(["engine", "check", "--engine", str(catalogue.parent)]) == ExitCode.CONFIG


@pytest.mark.parametrize("sql", ["DELETE FROM engine", "UPDATE engine SET uuid = x'ff'"])
@pytest.mark.parametrize(
    "line", ["engine check", "token list", "token create x", "engine reset --yes"]
)
def test_a_catalogue_without_its_identity_is_damaged(
    catalogue: Path, line: str, sql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(catalogue) as connection:
        connection.execute(sql)
    connection.close()
    assert main([*line.split(), "--engine", str(catalogue.parent)]) == ExitCode.CONFIG
    assert "--engine FOLDER" in capsys.readouterr().err
    shutil.rmtree(catalogue.parent)


def test_a_disk_that_was_full_leaves_no_module_cut_short(tmp_path: Path) -> None:
    """Python itself would write a part of each, and every later command would end by that."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"HOME": str(tmp_path), "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    words = [sys.executable, "-m", "ldimport"]

    def run(*line: str, most: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *line], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60,
            check=False,
            preexec_fn=None if most is None else limited(resource.RLIMIT_FSIZE, most),
        )  # fmt: skip

    assert run("--version").returncode == 0
    assert run("status", most=2_000).returncode in (0, 5)
    done = run("status")
    assert done.returncode == 0, done.stderr


def test_no_folder_for_temporary_files_is_temporary(tmp_path: Path) -> None:
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
    assert isinstance(unwritable(tmp_path / "x.csv", error), TemporaryError)


def test_a_worker_command_ends_with_its_workers(tmp_path: Path) -> None:
    """A disk that takes no more; before, it waited for ever."""
    Engine(tmp_path / "e").close()
    (tmp_path / "e" / "tmp").write_bytes(b"in the way")
    assert main(["worker", "--engine", str(tmp_path / "e")]) == ExitCode.CONFIG
