"""Locks that die with their process, paths that stay below a folder, SQLite files of ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ldimport import database
from ldimport.errors import Rejected, StateFileError, TemporaryError
from ldimport.paths import locate_below
from ldimport.system import ProcessLock, process_alive

KIND = database.Kind("test file", 0x74657374, ("CREATE TABLE a (x);\nINSERT INTO a VALUES (1);",),
                     "take another one")  # fmt: skip


def test_a_lock_is_free_the_moment_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = (
        "import sys,time; from pathlib import Path; from ldimport.system import ProcessLock\n"
        "lock = ProcessLock(Path(sys.argv[1])); assert lock.acquire('the other'); print('held')\n"
        "sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        lock = ProcessLock(path)
        assert not lock.acquire()
        assert lock.held()
        assert lock.holder()["command"] == "the other"
        assert lock.holder()["pid"] == other.pid
        other.kill()
    assert not lock.held()
    assert lock.acquire("me")
    assert lock.holder()["pid"] == os.getpid()
    lock.release()
    assert not process_alive(other.pid)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_lock_that_cannot_name_its_holder_is_given_back() -> None:
    for _ in range(2):  # were it kept, the second try would find it taken
        with pytest.raises(OSError):
            ProcessLock(Path("/dev/full")).acquire("test")


def test_a_discarded_lock_leaves_no_file_and_is_free(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    lock, late = ProcessLock(path), ProcessLock(path)
    assert lock.acquire()
    lock.discard()
    assert not path.exists() and not lock.held()
    assert late.acquire() and path.exists()
    lock.discard()  # what it does not hold is not its to remove
    assert path.exists() and late.held()
    late.release()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.lock")
    assert lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        lock.release()
        assert ProcessLock(tmp_path / "x.lock").acquire()
        child.kill()


def test_paths_stay_below_their_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in" / "a b.jpg").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "secret")
    assert locate_below(root, "in/a b.jpg") == locate_below(root, "in/a%20b.jpg")
    for outside in ("../secret", "link", "in/../../secret", "%2e%2e/secret", "/etc/passwd"):
        with pytest.raises(Rejected) as caught:
            locate_below(root, outside)
        assert caught.value.code == "outside-folder"
    for missing in ("nothing.jpg", "a\0b", "x" * 5_000):
        with pytest.raises(Rejected) as caught:
            locate_below(root, missing)
        assert caught.value.code == "no-such-file"


def test_a_file_is_made_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.sqlite"
    connection = database.connect(path, KIND)
    assert connection.execute("SELECT x FROM a").fetchone()["x"] == 1
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    connection.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["a.sqlite"]


def test_what_one_process_committed_outlives_the_end_of_another(tmp_path: Path) -> None:
    """A second connection in this process must not cost the first its locks: the other process
    would take itself for the last one and remove the log that this one writes to."""
    path = tmp_path / "a.db"
    code = (
        "import sys, test_system_and_database as t\n"
        "connection = t.database.connect(t.Path(sys.argv[1]), t.KIND)\n"
        "print(connection.execute('SELECT max(x) FROM a').fetchone()[0]); connection.close()"
    )

    def seen() -> str:
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-c", code, path]
        return subprocess.run(command, env=here, capture_output=True, text=True, check=True).stdout

    first = database.connect(path, KIND)
    second = database.connect(path, KIND)
    with database.writing(first):
        first.execute("INSERT INTO a VALUES (2)")
    assert seen() == "2\n"
    with database.writing(first):
        first.execute("INSERT INTO a VALUES (3)")
    assert seen() == "3\n"
    second.close()
    first.close()


def test_a_new_version_migrates_and_an_old_one_refuses(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    newer = database.Kind(KIND.name, KIND.application_id, (*KIND.migrations, "CREATE TABLE b (y);"),
                          KIND.way_out)  # fmt: skip
    connection = database.connect(path, newer)
    assert connection.execute("SELECT count(*) FROM b").fetchone()[0] == 0
    connection.close()
    with pytest.raises(StateFileError, match="newer ldimport"):
        database.connect(path, KIND)


def test_a_failed_migration_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    script = "CREATE TABLE b (y);\nINSERT INTO nowhere VALUES (1);"
    broken = database.Kind(KIND.name, KIND.application_id, (*KIND.migrations, script), "")
    with pytest.raises(sqlite3.OperationalError):
        database.connect(path, broken)
    connection = database.connect(path, KIND)
    assert [row["name"] for row in connection.execute("SELECT name FROM sqlite_master")] == ["a"]
    connection.close()


@pytest.mark.parametrize("content", [b"", b"\0", b"hello" * 100])
def test_what_is_not_ours_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(content)
    with pytest.raises(StateFileError, match="left untouched"):
        database.connect(path, KIND)
    assert path.read_bytes() == content


def test_another_applications_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StateFileError):
        database.connect(path, KIND)
    assert path.read_bytes() == before


def test_a_link_is_refused(tmp_path: Path) -> None:
    database.connect(tmp_path / "a.sqlite", KIND).close()
    (tmp_path / "link").symlink_to(tmp_path / "a.sqlite")
    with pytest.raises(StateFileError):
        database.connect(tmp_path / "link", KIND)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_whole_file_in_a_read_only_folder_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.sqlite"
    database.connect(path, KIND).close()
    path.parent.chmod(0o500)
    try:
        with contextlib.closing(database.connect(path, KIND, write=False)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(KIND.migrations)
        with pytest.raises(StateFileError, match="cannot be written"):
            database.connect(path, KIND)
    finally:
        path.parent.chmod(0o700)


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    with (
        pytest.raises(TemporaryError, match="full"),
        database.translated(tmp_path / "a.sqlite", KIND),
    ):
        raise sqlite3.OperationalError("database or disk is full")


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    one, two = database.connect(path, KIND), database.connect(path, KIND)
    with database.writing(one):
        one.execute("INSERT INTO a VALUES (2)")
        two.execute("PRAGMA busy_timeout=50")
        started = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"), database.writing(two):
            pass
        assert time.monotonic() > started
    with database.writing(two):
        two.execute("INSERT INTO a VALUES (3)")
    assert one.execute("SELECT count(*) FROM a").fetchone()[0] == 3
    one.close()
    two.close()
