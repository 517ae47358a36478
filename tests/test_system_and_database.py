"""Locks that die with their process, paths that stay below a folder, SQLite files of ours."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ldimport import database
from ldimport.errors import LdimportError, Rejected, StateFileError, TemporaryError
from ldimport.local_names import locate_below
from ldimport.system import ProcessLock, durable_folder

KIND = database.DatabaseKind(
    name="test file",
    application_id=0x74657374,
    migrations=("CREATE TABLE a (x);\nINSERT INTO a VALUES (1);",),
    way_out="take another one",
)
FILL = "CREATE TABLE b (y);\nINSERT INTO b VALUES (2);"


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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("umask", [0, 0o277])
def test_folders_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        durable_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/c"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    durable_folder(tmp_path / "shared" / "new")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        durable_folder(tmp_path / "file")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_every_new_folder_has_its_name_before_anything_is_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    mkdir = os.mkdir
    monkeypatch.setattr(os, "mkdir", lambda p, m: (steps.append(("mkdir", str(p))), mkdir(p, m)))
    monkeypatch.setattr("ldimport.system.sync_folder", lambda p: steps.append(("sync", str(p))))
    (tmp_path / "was there").mkdir()
    steps.clear()
    durable_folder(tmp_path / "was there" / "a" / "b")
    here = tmp_path / "was there"
    assert steps == [
        ("sync", str(tmp_path)),  # its maker may have been killed before
        ("mkdir", str(here / "a")),
        ("sync", str(here)),
        ("mkdir", str(here / "a" / "b")),
        ("sync", str(here / "a")),
    ]


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
    connection = database.connect(path, newer(FILL))
    assert connection.execute("SELECT y FROM b").fetchone()["y"] == 2
    connection.close()
    with pytest.raises(StateFileError, match="newer ldimport"):
        database.connect(path, KIND)


def test_a_failed_migration_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    script = "CREATE TABLE b (y);\nINSERT INTO nowhere VALUES (1);"
    with pytest.raises(StateFileError, match="nowhere"):
        database.connect(path, newer(script))
    connection = database.connect(path, KIND)
    assert [row["name"] for row in connection.execute("SELECT name FROM sqlite_master")] == ["a"]
    connection.close()


FIXTURES = Path(__file__).parent / "fixtures" / "first_version"


def newer(*steps: database.Step, kind: database.DatabaseKind = KIND) -> database.DatabaseKind:
    return dataclasses.replace(kind, migrations=(*kind.migrations, *steps))


def die(connection: sqlite3.Connection) -> None:
    """A migration whose process is killed when half of it is done."""
    connection.execute("CREATE TABLE half (y)")
    connection.execute("UPDATE a SET x = 99")
    os._exit(9)


def test_an_older_file_is_read_through_a_migrated_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    before = path.read_bytes()
    with contextlib.closing(database.connect(path, newer(FILL), write=False)) as connection:
        assert connection.execute("SELECT y FROM b").fetchone()["y"] == 2
        with pytest.raises(LdimportError, match="readonly"):
            connection.execute("INSERT INTO b VALUES (3)")
    assert path.read_bytes() == before


def test_an_older_file_is_read_while_another_connection_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with contextlib.closing(database.connect(path, KIND)) as writer, database.writing(writer):
        writer.execute("INSERT INTO a VALUES (2)")
        with contextlib.closing(database.connect(path, newer(FILL), write=False)) as reader:
            assert [row["x"] for row in reader.execute("SELECT x FROM a")] == [1]


def test_an_older_file_that_is_too_large_to_copy_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    monkeypatch.setattr(database, "COPY_MOST", 4096)
    with pytest.raises(StateFileError) as caught:
        database.connect(path, newer(FILL), write=False)
    assert caught.value.code == "state-older"
    assert "next command that writes" in str(caught.value.hint)
    database.connect(path, newer(FILL)).close()
    database.connect(path, newer(FILL), write=False).close()


def test_a_look_at_a_file_neither_copies_nor_migrates(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    database.check(path, newer(die))
    with pytest.raises(StateFileError, match="newer ldimport"):
        database.check(path, dataclasses.replace(KIND, migrations=()))
    with pytest.raises(StateFileError, match="does not exist"):
        database.check(tmp_path / "missing.sqlite", KIND)


def test_a_database_in_memory_has_the_newest_schema() -> None:
    with contextlib.closing(database.in_memory(newer(FILL))) as connection:
        assert connection.execute("SELECT x, y FROM a, b").fetchone()["y"] == 2


def test_a_migration_killed_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    code = (
        "import sys, test_system_and_database as t\n"
        "t.database.connect(t.Path(sys.argv[1]), t.newer(t.FILL, t.die))"
    )
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    assert subprocess.run([sys.executable, "-c", code, path], env=here).returncode == 9
    with contextlib.closing(database.connect(path, KIND)) as connection:
        assert [row["x"] for row in connection.execute("SELECT x FROM a")] == [1]
        names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_master")]
        assert names == ["a"]
    with contextlib.closing(database.connect(path, newer(FILL))) as connection:
        assert connection.execute("SELECT y FROM b").fetchone()["y"] == 2


def test_two_processes_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    code = (
        "import sys, test_system_and_database as t\n"
        "t.database.connect(t.Path(sys.argv[1]), t.newer(t.FILL)).close()"
    )
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code, path]
    both = [subprocess.Popen(command, env=here) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    with contextlib.closing(database.connect(path, newer(FILL))) as connection:
        assert connection.execute("SELECT count(*) FROM b").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("name", "application_id", "version", "table"),
    [("state.sqlite", 0x6C646D73, 1, "image"), ("engine/catalogue.sqlite", 0x6C646963, 2, "item")],
)
def test_files_of_the_first_version_open_for_ever(
    tmp_path: Path, name: str, application_id: int, version: int, table: str
) -> None:
    path = tmp_path / "file.sqlite"
    shutil.copy(FIXTURES / name, path)
    before = path.read_bytes()
    never_run = ("CREATE TABLE never (x);",) * version
    kind = newer(
        f"ALTER TABLE {table} ADD COLUMN later TEXT;",
        lambda connection: connection.execute(f"UPDATE {table} SET later = 'now'"),
        kind=database.DatabaseKind("old file", application_id, never_run, ""),
    )
    for write in (False, True):
        with contextlib.closing(database.connect(path, kind, write=write)) as connection:
            found = connection.execute(f"SELECT count(*), min(later) FROM {table}").fetchone()
            assert found[0] > 0 and found[1] == "now"
            assert connection.execute("PRAGMA user_version").fetchone()[0] == version + 2
        assert (path.read_bytes() == before) is not write


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


LARGE = newer("CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT);\nCREATE INDEX i ON t (x);")


def test_damage_met_in_the_middle_is_told_as_such(tmp_path: Path) -> None:
    """Each page in turn, by each way to read: what comes back is true, or an error of ours."""
    path = tmp_path / "a.sqlite"
    with contextlib.closing(database.connect(path, LARGE)) as connection:
        with database.writing(connection):
            connection.executemany(
                "INSERT INTO t (x) VALUES (?)", ([f"{n}" * 9] for n in range(999))
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = [tuple(row) for row in connection.execute("SELECT * FROM t")]
    sound, met = path.read_bytes(), 0
    ways = (
        lambda c: [tuple(row) for row in c.execute("SELECT * FROM t")],
        lambda c: [tuple(row) for row in c.execute("SELECT * FROM t").fetchall()],
        lambda c: [(row["n"], row["x"]) for row in c.execute("SELECT * FROM t ORDER BY x, n")],
        lambda c: [
            tuple(c.execute("SELECT * FROM t WHERE n = ?", (n,)).fetchone()) for n in (1, 9)
        ],
    )
    for page in range(1, len(sound) // 4096):
        path.write_bytes(sound[: page * 4096] + b"\x5a" * 4096 + sound[(page + 1) * 4096 :])
        for way in ways:
            with contextlib.closing(database.connect(path, LARGE, write=False)) as connection:
                try:
                    assert sorted(way(connection)) in (whole, [whole[0], whole[8]])
                except StateFileError as error:
                    met += 1
                    assert (error.code, error.hint) == ("state-damaged", LARGE.way_out)
    assert met > 30


def test_a_table_that_is_gone_is_damage(tmp_path: Path) -> None:
    with contextlib.closing(database.connect(tmp_path / "a.sqlite", KIND)) as connection:
        connection.execute("DROP TABLE a")
        for ask in (
            lambda: connection.execute("SELECT x FROM a"),
            lambda: connection.executemany("INSERT INTO a VALUES (?)", [(1,)]),
        ):
            with pytest.raises(StateFileError, match="no such table") as caught:
                ask()
            assert caught.value.code == "state-damaged"
        with pytest.raises(sqlite3.OperationalError):  # that is a bug of ours
            connection.execute("SELEC x FROM a")


def test_too_many_open_files_are_not_told_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says that it cannot open a file, whatever the reason is."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened, pytest.raises(TemporaryError) as caught:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                opened.enter_context(open(os.devnull))  # noqa: PTH123
        with database.translated(path, KIND):
            raise sqlite3.OperationalError("unable to open database file")
    assert caught.value.code == "no-process" and "open files" in caught.value.message


def test_a_disk_that_fills_in_a_statement_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with contextlib.closing(database.connect(path, LARGE)) as connection:
        connection.execute("PRAGMA max_page_count=8")
        rows = ([f"{n}" * 50] for n in range(999))
        with pytest.raises(TemporaryError, match="full") as caught, database.writing(connection):
            connection.executemany("INSERT INTO t (x) VALUES (?)", rows)
        assert str(tmp_path) in caught.value.message
        assert "free some space" in (caught.value.hint or "")
        assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 0


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_file_is_refused_and_nothing_is_left_beside_it(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "a.sqlite"
    database.connect(path, newer(FILL)).close()
    with pytest.raises(StateFileError, match="newer"):
        database.connect(path, KIND, write=write)
    with pytest.raises(StateFileError, match="newer"):
        database.check(path, KIND)
    assert [each.name for each in tmp_path.iterdir()] == ["a.sqlite"]


def test_a_full_disk_is_told_as_one_though_the_folder_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(TemporaryError, match="No space left"):
        database.connect(tmp_path / "new" / "deep" / "a.sqlite", KIND)


def test_what_a_failed_transaction_wrote_is_gone(tmp_path: Path) -> None:
    with contextlib.closing(database.connect(tmp_path / "a.sqlite", KIND)) as connection:
        with pytest.raises(ZeroDivisionError), database.writing(connection):
            connection.execute("INSERT INTO a VALUES (2)")
            raise ZeroDivisionError
        with database.writing(connection):
            connection.execute("INSERT INTO a VALUES (3)")
        assert [row["x"] for row in connection.execute("SELECT x FROM a")] == [1, 3]


def test_the_name_of_a_new_file_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(database, "sync_folder", synced.append)
    database.connect(tmp_path / "deep" / "a.sqlite", KIND).close()
    assert synced == [tmp_path / "deep"]


def test_what_a_dead_maker_left_goes_at_the_next_start(tmp_path: Path) -> None:
    """Also its journal, and a second name of the file itself, which must come to no harm."""
    path = tmp_path / "a.sqlite"
    database.connect(path, KIND).close()
    os.link(path, path.with_name("a.sqlite.new-linked"))
    for name in ("a.sqlite.new-old", "a.sqlite.new-old-journal", "other.sqlite.new-x"):
        path.with_name(name).write_bytes(b"half")
    alive = ProcessLock(path.with_name("a.sqlite.new-alive"))
    assert alive.acquire()
    with contextlib.closing(database.connect(path, KIND)) as connection:
        assert connection.execute("SELECT x FROM a").fetchone()[0] == 1
        left = {each.name for each in tmp_path.iterdir()} - {"a.sqlite-wal", "a.sqlite-shm"}
    assert left == {"a.sqlite", "a.sqlite.new-alive", "other.sqlite.new-x"}
    alive.release()


def test_a_note_outlives_its_process(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.lock")
    assert lock.acquire("me")
    for value in (0, 7, 1234567890123, 8):
        lock.note(value)
        assert ProcessLock(lock.path).holder()["note"] == value
    lock.release()
    assert lock.take()  # and taking it changes nothing
    assert lock.holder()["note"] == 8
    lock.discard()


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    one, two = database.connect(path, KIND), database.connect(path, KIND)
    with database.writing(one):
        one.execute("INSERT INTO a VALUES (2)")
        two.execute("PRAGMA busy_timeout=50")
        started = time.monotonic()
        with pytest.raises(TemporaryError, match="locked"), database.writing(two):
            pass
        assert time.monotonic() > started
    with database.writing(two):
        two.execute("INSERT INTO a VALUES (3)")
    assert one.execute("SELECT count(*) FROM a").fetchone()[0] == 3
    one.close()
    two.close()
