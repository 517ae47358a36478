"""Does the suite see what it is there to see? The checker, the disk that fails, the power cut."""

from __future__ import annotations

import errno
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_archive import Archive
from crash_check import assert_sound, findings, modes
from crash_place import GROUP, PROCESS, Ended, Fault, Place
from crash_replay import Recording, standing

pytestmark = [pytest.mark.slow, pytest.mark.crash]
Damage = Callable[[Place], object]


def state(sql: str) -> Damage:
    return lambda place: _sql(place.state, sql)


def catalogue(sql: str) -> Damage:
    return lambda place: _sql(place.engine / "catalogue.sqlite", sql)


def _sql(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA foreign_keys=0")
        assert db.execute(sql).rowcount > 0
    db.close()


COPIED = {
    "asset": "media key sha256 source_sha256 mime_type width height size frames orientation "
    "created_at",
    "job": "id key body system_name terms state images created_at",
    "media": "id system_name external_id media_type title metadata request url asset "
    "created_at updated_at",
}


def a_copy(table: str, **changed: str) -> Damage:
    """A row of the catalogue once more, but for some columns."""
    names = COPIED[table].split()
    values = ",".join(changed.get(name, name) for name in names)
    into = f"INSERT INTO {table} ({','.join(names)})"
    return catalogue(f"{into} SELECT {values} FROM {table} LIMIT 1")


def blob(place: Place) -> Path:
    return min(path for path in (place.engine / "blobs").rglob("*") if path.is_file())


ONE = "WHERE external_id = 'id-7'"
DAMAGES: dict[str, tuple[str, Damage]] = {
    "a blob is gone": ("blobs: missing", lambda p: blob(p).unlink()),
    "a blob is empty": ("blobs with other bytes", lambda p: blob(p).write_bytes(b"")),
    "a blob has another bit": (
        "blobs with other bytes",
        lambda p: blob(p).write_bytes(blob(p).read_bytes()[:-1] + b"x"),
    ),
    "a blob too many": ("blobs: too many", lambda p: (blob(p).parent / ("0" * 64)).touch()),
    "a row is forgotten": ("state, rows: missing", state(f"DELETE FROM image {ONE}")),
    "a row is open": ("without a final state", state(f"UPDATE image SET status = NULL {ONE}")),
    "a row too many": (
        "state, rows: too many",
        state("INSERT INTO image (scope, external_id, row, source_url) VALUES (1, 'x', 1, '')"),
    ),
    "a good one failed": (
        "rows that failed: too many",
        state(f"UPDATE image SET status = 'failed', reason = 'x' {ONE}"),
    ),
    "one failed without a reason": (
        "rows that failed: missing",
        state("UPDATE image SET reason = NULL WHERE status = 'failed'"),
    ),
    "an arrived one has no asset": (
        "without a final",
        state(f"UPDATE image SET media_id = NULL {ONE}"),
    ),
    "the sums differ": ("sums of the archive", state("UPDATE scope SET success = success + 1")),
    "a batch is open": ("open batches", state("UPDATE batch SET state = 'started'")),
    "a batch's sums differ": ("sums of batches", state("UPDATE batch SET failed = failed + 1")),
    "a job is forgotten": ("state, jobs: missing", state("UPDATE batch SET job_id = 'other'")),
    "a row for retry is gone": ("rows kept: missing", state("DELETE FROM kept")),
    "an entry is gone": ("entries: missing", catalogue(f"DELETE FROM media {ONE}")),
    "an entry too many": (
        "entries: too many",
        a_copy("media", id="'m'", external_id="'x'"),
    ),
    "an entry has other bytes": (
        "entries: too many",
        catalogue("UPDATE asset SET source_sha256 = 'x' WHERE id = 5"),
    ),
    "an asset twice": ("the same bytes again", a_copy("asset", key="'k'")),
    "an asset without an entry": (
        "without an entry",
        catalogue("UPDATE asset SET media = 'm' WHERE id = 5"),
    ),
    "a job too many": (
        "by their keys: too many",
        a_copy("job", id="'j'", key="'k'", images="0"),
    ),
    "an image is open": ("open images", catalogue(f"UPDATE item SET status = NULL {ONE}")),
    "a lease stays": ("open images", catalogue(f"UPDATE item SET worker = 9 {ONE}")),
    "a dead worker stays": (
        "dead workers",
        catalogue("INSERT INTO worker (name, expires) VALUES ('w', 0)"),
    ),
    "a folder below tmp": ("left lying about", lambda p: (p.engine / "tmp" / "x").mkdir()),
    "a worker's lock": ("left lying about", lambda p: (p.engine / "workers" / "x.lock").touch()),
    "half a state file": ("left lying about", lambda p: p.state.with_name("x.new-1").touch()),
    "a temporary file": ("left lying about", lambda p: (p.disk / "tmp" / "x").touch()),
}


@pytest.fixture(scope="module")
def good(
    tmp_path_factory: pytest.TempPathFactory, built: Path, archive: Archive
) -> tuple[Path, Ended]:
    """A place after a run without a fault."""
    place = Place(tmp_path_factory.mktemp("good"), built)
    return place.root, place.run(place.submit(archive.local))


@pytest.mark.parametrize("name", DAMAGES)
def test_the_checker_sees(
    good: tuple[Path, Ended], tmp_path: Path, built: Path, archive: Archive, name: str
) -> None:
    wanted, damage = DAMAGES[name]
    shutil.copytree(good[0], tmp_path / "place")
    place = Place(tmp_path / "place", built)
    damage(place)
    found = findings(place, archive, good[1])
    assert any(wanted in each for each in found), found


def test_the_checker_finds_nothing_wrong_with_a_whole_run(
    good: tuple[Path, Ended], tmp_path: Path, built: Path, archive: Archive
) -> None:
    assert_sound(Place(good[0], built), archive, good[1])


def test_the_checker_sees_files_and_folders_for_all(
    good: tuple[Path, Ended], tmp_path: Path, built: Path
) -> None:
    shutil.copytree(good[0], tmp_path / "place")
    place = Place(tmp_path / "place", built)
    before = modes(place)
    place.state.chmod(0o644)
    (place.engine / "blobs").chmod(0o755)
    assert set(modes(place)) - set(before) == {
        "mode 644: data/a/b/state.sqlite",
        "mode 755: data/c/d/blobs",
    }


def test_the_checker_misses_a_job_that_was_acknowledged(
    good: tuple[Path, Ended], built: Path, archive: Archive
) -> None:
    other = Ended(["submit"], 1, '{"type":"batch","jobId":"gone"}\n', "")
    found = findings(Place(good[0], built), archive, good[1], [other])
    assert {"state, jobs: missing ['gone']", "engine, jobs: missing ['gone']"} <= set(found)


# -- the disk that fails ----------------------------------------------------------------------

STEPS = """
import os, sys
os.chdir("../data")
def step(do, *more):
    try:
        do(*more)
    except OSError as error:
        print(error.errno, end=" ", flush=True)
    else:
        print("ok", end=" ", flush=True)
step(os.mkdir, "new")                       # 1
file = os.open("new/file", os.O_RDWR | os.O_CREAT) if os.path.isdir("new") else 0  # 2
step(os.write, file, b"one")                # 3
step(os.fsync, file)                        # 4
step(os.pwrite, file, b"two", 3)            # 5
step(os.link, "new/file", "linked")         # 6
step(os.rename, "linked", "renamed")        # 7
step(os.ftruncate, file, 4)                 # 8
step(os.unlink, "new/file")                 # 9
"""


def stepped(place: Place, fault: Fault) -> str:
    return place.faulty(["-c", STEPS], fault).out.strip()


def test_every_change_counts_once(place: Place) -> None:
    assert stepped(place, Fault()) == " ".join(["ok"] * 8)
    assert place.count == 9


def test_what_is_not_counted_goes_on(place: Place) -> None:
    assert stepped(place, Fault(2, errno.EIO, calls="fsync link unlink")) == "ok ok ok ok 5 2 ok ok"


def test_a_call_fails_once(place: Place) -> None:
    assert stepped(place, Fault(4, errno.EIO)) == "ok ok 5 ok ok ok ok ok"


def test_all_calls_fail_from_one_on(place: Place) -> None:
    full = Fault(5, errno.ENOSPC, on=True)
    assert stepped(place, full) == "ok ok ok 28 28 28 28 28"


@pytest.mark.parametrize("how", [GROUP, PROCESS])
def test_a_process_dies_before_the_call(place: Place, how: int) -> None:
    ended = place.faulty(["-c", STEPS], Fault(6, how))
    assert (ended.code, ended.out.split()) == (-signal.SIGKILL, ["ok"] * 4)
    assert sorted(path.name for path in (place.disk / "data").iterdir()) == ["new"]


# -- the power cut ----------------------------------------------------------------------------

WRITER = """
import os
def synced(path):
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
os.chdir("../data")
synced("..")
for name in ("sure", "bytes", "name", "neither"):
    file = os.open(name + ".new", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"first ")
    if name in ("sure", "bytes"):
        os.fsync(file)
        os.write(file, b"second")
    os.close(file)
    if name in ("sure", "name"):
        os.rename(name + ".new", name)
        synced(".")
os.mkdir("folder")
os.mkdir("folder/inner")
synced("folder")
os.unlink("sure")
os.open("sure", os.O_WRONLY | os.O_CREAT)
os.write(1, b"done")
"""


@pytest.mark.parametrize(
    ("keeps", "held"),
    [
        ("nothing", {"sure": b"first ", "name": b"", "bytes.new": b"first "}),
        (
            "names",
            {"sure": b"", "name": b"", "bytes.new": b"first ", "neither.new": b"", "folder": None},
        ),
    ],
)
def test_a_cut_takes_what_was_not_synced(
    place: Place, tmp_path: Path, keeps: str, held: dict[str, bytes | None]
) -> None:
    before = standing(place.disk)
    assert place.faulty(["-c", WRITER], Fault()).code == 0
    recording = Recording(place.journal, place.disk, before)
    assert recording.said(len(recording.calls)) == "done"
    assert recording.restore(len(recording.calls), keeps, tmp_path / "after") > 0
    found = tmp_path / "after" / "data"
    assert {p.name: p.read_bytes() if p.is_file() else None for p in found.iterdir()} == held


def test_a_recorded_run_can_be_brought_back_whole(
    tmp_path: Path, built: Path, archive: Archive
) -> None:
    """The state file that replaying gives is, byte for byte, the one that the run left."""
    place = Place(tmp_path, built)
    before = standing(place.disk)
    place.faulty(place.submit(archive.local), Fault())
    recording = Recording(place.journal, place.disk, before)
    recording.restore(len(recording.calls), "everything", tmp_path / "after")
    data = place.disk / "data"
    files = {path.relative_to(data) for path in data.rglob("*") if path.is_file()}
    again = tmp_path / "after" / "data"
    assert {p.relative_to(again) for p in again.rglob("*") if p.is_file()} == files
    assert all((again / each).read_bytes() == (data / each).read_bytes() for each in files)
