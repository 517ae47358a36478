"""The commands that look after the state file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ldimport import database
from ldimport.cli import main
from ldimport.migration import StateStore
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel
from ldimport.migration.store.copying import Copying
from ldimport.migration.store.schema import KIND
from ldimport.model import Image, JobOptions, JobState, JobStatus, Result, Status

FIXTURE = Path(__file__).parent.parent / "fixtures" / "schema_4"
Call = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """A command in a folder with the state file of the version before."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = Path(shutil.copytree(FIXTURE, tmp_path / "place"))
    monkeypatch.chdir(place)
    monkeypatch.setenv("LDIMPORT_STATE", "state.sqlite")
    monkeypatch.setenv("LDIMPORT_ENGINE", "engine")

    def called(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        return (code, *capfd.readouterr())

    return called


def document(call: Call, line: str) -> Any:
    return json.loads(call(f"{line} --json")[1])


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, and what each column holds."""
    with closing(sqlite3.connect(path)) as found:
        names = found.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        return {
            name: sorted(found.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for (name,) in names.fetchall()
        }


def schema(path: Path) -> int:
    with closing(sqlite3.connect(path)) as found:
        return int(found.execute("PRAGMA user_version").fetchone()[0])


def broken(statement: str) -> None:
    with closing(sqlite3.connect("state.sqlite")) as file, file:
        file.execute(statement)


# -- info and check ------------------------------------------------------------------------------


def test_info_reads_an_older_file_as_it_is(call: Call) -> None:
    before = Path("state.sqlite").read_bytes()
    found = document(call, "state info")
    assert (found["schema"], found["newest"], found["older"]) == (4, len(KIND.migrations), True)
    assert found["size"] == len(before) and found["jobs"] == {"started": 1, "success": 2}
    assert found["archives"][0]["totals"]["failed"] == 3
    assert found["holder"] is None and found["lastRun"] is None and found["lastChange"]
    code, out, _ = call("state info")
    assert code == 0 and "schema 4 of 6; the next command that writes brings it up to date" in out
    assert Path("state.sqlite").read_bytes() == before
    with StateStore.open(Path("state.sqlite"), write=True, command="submit a.csv"):
        found = document(call, "state info")
        assert "running “submit a.csv”" in found["holder"] and not found["older"]


@pytest.mark.parametrize("command", ["info", "check", "backup x", "export x", "check --repair"])
def test_a_state_file_that_is_not_there_is_said(call: Call, command: str) -> None:
    code, _, err = call(f"state {command} --state none.sqlite")
    assert code == 2 and "none.sqlite" in err and not Path("none.sqlite").exists()
    Path("foreign.sqlite").write_text("mine")
    assert call(f"state {command} --state foreign.sqlite")[0] == 4
    assert Path("foreign.sqlite").read_text() == "mine" and not Path("x").exists()


DAMAGE = {
    "UPDATE scope SET success = 99, pending = 0": "success 99 is 2, pending 0 is 2",
    "UPDATE batch SET failed = 77 WHERE state = 'success'": "are not those of its outcomes",
    "UPDATE image SET open_batch = 1, pending = x'00' WHERE status = 'failed'": "in a job that is",
    "UPDATE image SET pending = NULL": "are under way in a job that is not",
    "UPDATE batch SET packed = x'0102' WHERE state = 'started'": "cannot be read",
    "UPDATE kept SET packed = x'78'": "3 failed images cannot be read",
    "DELETE FROM kept": "3 images failed and are not kept",
    "UPDATE attempt SET status = 'bogus' WHERE n = 0": "words of no meaning",
    "UPDATE image SET row = 'x'": "image.row holds what cannot be there",
    "DELETE FROM batch WHERE state = 'started'": "name what is not there",
    "DROP INDEX image_open": "index image_open is missing",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_what_is_wrong_is_said_with_what_to_do(call: Call, statement: str) -> None:
    assert call("state check --repair")[0] == 0, "migrated"
    broken(statement)
    code, out, err = call("state check")
    assert code == 4 and DAMAGE[statement] in out + err
    told = json.loads(call("state check --json")[1])
    assert told["exitCode"] == 4
    if "faults" in told:
        assert told["faults"] and all(each["fix"] for each in told["faults"])


@pytest.mark.parametrize("statement", list(DAMAGE)[:2])
def test_sums_are_counted_again(call: Call, statement: str) -> None:
    assert call("state check --repair")[0] == 0
    whole = tables(Path("state.sqlite"))
    broken(statement)
    with StateStore.open(Path("state.sqlite"), write=True):
        assert call("state check --repair")[0] == 7
    found = document(call, "state check --repair")
    assert found["sound"] and found["repaired"] >= 1
    assert tables(Path("state.sqlite")) == whole


def test_a_broken_page_is_found(call: Call) -> None:
    with Path("state.sqlite").open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)
    code, out, err = call("state check")
    assert code == 4 and "damage" in out + err and "Traceback" not in err
    assert call("state backup copy.sqlite")[0] == 4
    assert not Path("copy.sqlite").exists()


# -- backup --------------------------------------------------------------------------------------


def parcel(store: StateStore, n: int) -> tuple[Parcel, str]:
    archive = store.archive("https://cms.example/api", "cms.example", "archiv")
    assert archive is not None
    images = tuple(
        Outgoing.of(Image(f"{n}-{k}", f"https://old.example/{n}-{k}.jpg", f"T {k}", {}), k)
        for k in range(1, 20)
    )
    envelope, origin = Envelope("archiv"), Origin("a.csv", "/a.csv")
    return Parcel(archive, envelope, JobOptions(), origin, images), f"key-{n}"


def test_a_copy_is_whole_while_another_run_writes(call: Call) -> None:
    done, begun, failures = threading.Event(), threading.Event(), []

    def write() -> None:
        n = 0
        with StateStore.open(Path("state.sqlite"), write=True) as store:
            while not done.is_set():
                n += 1
                batch = store.record_intent(*parcel(store, n), 1_000.0 + n)
                batch = store.accept(batch, f"job-{n}", 1_000.5 + n)
                results = tuple(
                    Result(f"{n}-{k}", Status.FAILED, None, "gone", None) for k in range(1, 20)
                )
                job = JobStatus(f"job-{n}", JobState.SUCCESS, None, results)
                store.settle(batch, job, 1_001.0 + n)
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(30)
    try:
        for n in range(5):
            code, _, err = call(f"state backup copy-{n}.sqlite")
            failures += [err] if code else []
    finally:
        done.set()
        writer.join()
    assert not failures
    for n in range(5):
        assert Path(f"copy-{n}.sqlite").stat().st_mode & 0o777 == 0o600
        assert document(call, f"state check --state copy-{n}.sqlite")["sound"]
    assert not list(Path().glob("*.tmp*"))


def test_a_copy_of_an_older_file_is_as_old_and_goes_on(call: Call) -> None:
    assert call("state backup copy.sqlite")[0] == 0
    assert schema(Path("copy.sqlite")) == 4
    assert tables(Path("copy.sqlite")) == tables(Path("state.sqlite"))
    assert call("status --state copy.sqlite")[0] == 0


def test_nothing_is_replaced_unasked_and_the_state_file_never(call: Call) -> None:
    Path("there").write_text("mine")
    Path("link").symlink_to("state.sqlite")
    os.link("state.sqlite", "hard")
    for command in ("backup", "export"):
        code, _, err = call(f"state {command} there")
        assert code == 2 and "--force" in err and Path("there").read_text() == "mine"
        for name in ("state.sqlite", "link", "hard", "./state.sqlite", "state.sqlite-wal",
                     "state.sqlite.lock", "../place/state.sqlite"):  # fmt: skip
            code, _, err = call(f"state {command} {name} --force")
            assert code == 2 and "the state file itself" in err, name
        assert call(f"state {command} nowhere/copy")[0] == 2
        assert call(f"state {command} . --force")[0] == 2
    assert call("state check")[0] == 0
    assert call("state backup there --force")[0] == 0
    assert document(call, "state check --state there")["sound"]


# -- JSON Lines and back -------------------------------------------------------------------------


def fill_every_column(path: Path) -> None:
    """A row in each table, with a value in each column, and odd ones."""
    odd = {"TEXT": "ü\u2028\x00\n\"'😀", "BLOB": bytes(range(256)), "INTEGER": 1, "REAL": 0.1}
    with closing(database.connect(path, KIND)) as file, database.writing(file):
        names = file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        for (table,) in names.fetchall():
            columns = file.execute(f"PRAGMA table_info({table})").fetchall()
            row = {each["name"]: odd[each["type"]] for each in columns}
            marks = ", ".join("?" * len(row))
            file.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({marks})",
                [*row.values()],
            )


def test_nothing_is_lost_on_the_way(call: Call) -> None:
    """A new table or column that is not carried makes this fail."""
    full = Path("full.sqlite")
    fill_every_column(full)
    before = tables(full)
    assert all(before.values()) and len(before) >= 9
    assert all(None not in row for rows in before.values() for row in rows)
    for name in ("full", "state"):
        assert call(f"state export {name}.jsonl --state {name}.sqlite")[0] == 0
        assert Path(f"{name}.jsonl").stat().st_mode & 0o777 == 0o600
        code, _, err = call(f"state import {name}.jsonl --state new-{name}.sqlite")
        assert code == 0, err
        assert call(f"state export - --state new-{name}.sqlite")[1] == Path(
            f"{name}.jsonl"
        ).read_text("utf-8")
    assert tables(Path("new-full.sqlite")) == before
    assert call("state check --state new-state.sqlite")[0] == 0
    assert document(
        call, "plan manifests/m.csv --state new-state.sqlite --system-name archive"
    ) == (document(call, "plan manifests/m.csv --system-name archive"))


def test_a_file_that_holds_something_is_not_imported_into(call: Call) -> None:
    assert call("state export x.jsonl")[0] == 0
    before = Path("state.sqlite").read_bytes()
    code, _, err = call("state import x.jsonl")
    assert code == 2 and "holds something already" in err
    assert tables(Path("state.sqlite"))["image"] and before
    assert call("state import none.jsonl --state new.sqlite")[0] == 2
    assert not Path("new.sqlite").exists()


BAD: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "line 1: it is not JSON": lambda lines: [b"id,url\n", *lines],
    "line 1: this is not what": lambda lines: [b"{}\n", *lines[1:]],
    "line 3: it is not JSON": lambda lines: [*lines[:2], lines[2][:20]],
    "line 4: no row": lambda lines: [*lines[:3], b'{"table": "x; DROP", "row": {}}\n'],
    "line 2: no row": lambda lines: [lines[0], b"[" * 50 + b"]" * 50 + b"\n"],
    "line 2: it is not JSON": lambda lines: [lines[0], b"[" * 99_999 + b"\n"],
    "line 22: it ends in the middle": lambda lines: lines[:22],
    "line 23: the counts": lambda lines: [*lines[:5], *lines[6:], lines[-1].replace(b"1", b"1")],
    "line 25: something stands behind": lambda lines: [*lines, b"{}\n"],
    "line 3: such a row": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "cannot be in scope": lambda lines: [lines[0], lines[1].replace(b'"id":1', b'"id":true')],
    "a row of batch names": lambda lines: [*lines[:1], lines[1].replace(b'"id":1', b'"id":9'),
                                           *lines[2:]],
    "holds what cannot be": lambda lines: [each.replace(b'"row":1,', b'"row":"x",')
                                           for each in lines],
    "bytes are not base64": lambda lines: [each.replace(b'{"base64":"', b'{"base64":"#')
                                           for each in lines],
}  # fmt: skip


@pytest.mark.parametrize("said", BAD)
def test_a_bad_line_is_told_and_nothing_imported(call: Call, said: str) -> None:
    assert call("state export x.jsonl")[0] == 0
    lines = Path("x.jsonl").read_bytes().splitlines(keepends=True)
    Path("bad.jsonl").write_bytes(b"".join(BAD[said](lines)))
    code, _, err = call("state import bad.jsonl --state new.sqlite")
    assert code == 3 and "bad.jsonl, line " in err and said.split(": ")[-1] in err, err
    assert not any(tables(Path("new.sqlite")).values())
    assert call("state import x.jsonl --state new.sqlite")[0] == 0, "an empty one is taken"


def test_an_export_of_a_newer_version_is_refused(call: Call) -> None:
    assert call("state export x.jsonl")[0] == 0
    text = Path("x.jsonl").read_text("utf-8").replace('"schema":6', '"schema":7', 1)
    Path("x.jsonl").write_text(text, "utf-8")
    code, _, err = call("state import x.jsonl --state new.sqlite")
    assert code == 4 and "upgrade ldimport" in err
    assert Copying.__doc__


# -- merging and rebuilding ----------------------------------------------------------------------


def test_two_laptops(call: Call) -> None:
    assert call("state merge state.sqlite --state new.sqlite")[0] == 2, "a name that was mistyped"
    StateStore.open(Path("new.sqlite"), write=True).close()
    code, out, _ = call("state merge state.sqlite --state new.sqlite")
    assert code == 0 and "7 images new" in out and "1 local engine" in out
    assert (
        document(call, "status --state new.sqlite")["totals"]
        == (document(call, "status")["totals"])
    )
    assert "nothing new" in call("state merge state.sqlite --state new.sqlite")[1]
    found = document(call, "state merge new.sqlite")
    assert found["added"] == found["updated"] == found["batches"] == 0
    assert call("state merge state.sqlite")[0] == 2
    assert call("state merge none.sqlite")[0] == 2
    with StateStore.open(Path("state.sqlite"), write=True):
        assert call("state merge new.sqlite")[0] == 7


def test_a_lost_state_file_is_made_again(call: Call) -> None:
    manifest = "manifests/m.csv --system-name archive"
    code, out, _ = call(f"state rebuild {manifest} --state new.sqlite")
    assert code == 0 and "✓ there      2" in out and "→ ldimport plan manifests/m.csv" in out
    assert "--state new.sqlite --system-name archive" in out
    plan = document(call, f"plan {manifest} --state new.sqlite")
    assert (plan["unchanged"], plan["new"]) == (2, 3)
    found = document(call, "status --state new.sqlite")
    assert found["jobs"] == [] and found["totals"]["success"] == 2
    assert "nothing has been submitted" not in call("status --state new.sqlite")[1]
    assert "of \n" not in call("explain a-1 --state new.sqlite")[1]
    assert document(call, "state check --state new.sqlite")["sound"]
    assert document(call, f"state rebuild {manifest} --state new.sqlite")["known"] == 2
    code, out, _ = call("state rebuild manifests/m.csv --system-name wrong --state wrong.sqlite")
    assert code == 0 and "nothing of this is in the media library under this systemName" in out
    assert call("state rebuild none.csv --state new.sqlite")[0] == 2


# -- the version before --------------------------------------------------------------------------

COMMANDS = {
    "plan manifests/m.csv --system-name archive": 0,
    "plan manifests/m2.csv --system-name archive --json": 0,
    "submit manifests/m.csv --system-name archive": 1,
    "submit manifests/m.csv --system-name archive --canary 2": 11,
    "submit manifests/m.csv --system-name archive --dry-run": 0,
    "submit manifests/m.csv --system-name archive --update": 1,
    "submit manifests/m.csv --system-name archive --daily-limit 1": 6,
    "plan manifests/m.csv --system-name archive --daily-limit 2 --reserve 1": 0,
    "results --waived": 0,
    "waive a-3 --undo": 2,
    "webhooks list": 0,
    "retry": 1,
    "retry --all": 1,
    "retry a-4": 1,
    "watch": 1,
    "waive a-3 --reason gone": 0,
    "waive --cause not-an-image --reason gone": 0,
    "results": 0,
    "results --failed --as-manifest": 0,
    "results --json": 0,
    "verify": 0,
    "verify --bytes": 0,
    "verify --sample 1": 0,
    "export map": 0,
    "export redirects": 0,
    "export undo": 0,
    "explain a-1": 0,
    "explain a-4 --json": 0,
    "status": 0,
    "status --json": 0,
    "state info": 0,
    "state check": 0,
    "state check --repair": 0,
    "state backup copy.sqlite": 0,
    "state export copy.jsonl": 0,
    "state merge other.sqlite": 0,
    "state rebuild manifests/m.csv --system-name archive": 0,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_on_a_state_file_of_the_version_before(
    call: Call, command: str
) -> None:
    shutil.copy("state.sqlite", "other.sqlite")
    assert schema(Path("state.sqlite")) == 4
    code, _, err = call(command)
    assert "bug" not in err and "Traceback" not in err
    assert code == COMMANDS[command], err
    assert document(call, "state check")["sound"]
    assert sum(document(call, "status")["totals"].values()) >= 7


def test_an_export_of_the_version_before_comes_back(call: Call) -> None:
    assert call("state export x.jsonl")[0] == 0
    assert call("state import x.jsonl --state new.sqlite")[0] == 0
    assert call("submit manifests/m.csv --system-name archive --state new.sqlite")[0] == 1
    assert document(call, "state check --state new.sqlite")["sound"]


def test_killed_in_the_middle_of_the_migration_it_is_as_old_as_before(call: Call) -> None:
    before = tables(Path("state.sqlite"))

    def dies(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE image SET status = 'lost'")
        os._exit(9)

    pid = os.fork()
    if not pid:
        object.__setattr__(KIND, "migrations", (*KIND.migrations, dies))
        main(["state", "check", "--repair"])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert schema(Path("state.sqlite")) == 4 and tables(Path("state.sqlite")) == before
    assert call("state check --repair")[0] == 0 and schema(Path("state.sqlite")) == 6


@pytest.mark.parametrize("command", ["state info", "state check", "status", "state backup x",
                                     "state export x", "state merge newer.sqlite"])  # fmt: skip
def test_a_newer_file_is_refused_with_its_advice(call: Call, command: str) -> None:
    assert call("state check --repair")[0] == 0
    shutil.copy("state.sqlite", "newer.sqlite")
    with closing(sqlite3.connect("newer.sqlite")) as file:
        file.execute("PRAGMA user_version=99")
    if "merge" not in command:
        command += " --state newer.sqlite"
    code, _, err = call(command)
    assert code == 4 and "newer" in err and "upgrade ldimport" in err
