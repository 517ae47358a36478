"""What must hold of a place after a fault and one more run of the same command: every row in one
final state, every identity one entry, every content one blob with the right bytes, sums that add
up, nothing left lying about."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import sqlite3
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_archive import BROKEN, ROWS, Archive
from crash_place import Ended, Place

IDS = {f"id-{n}" for n in range(1, ROWS + 1)}


def assert_sound(
    place: Place, archive: Archive, last: Ended, earlier: Iterable[Ended] = (), *, tidy: bool = True
) -> None:
    """Nothing is wrong after ``last``, a submit that went to its end; and nothing lies about, if it
    has begun after the fault (``tidy``)."""
    found = findings(place, archive, last, earlier, tidy=tidy)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def findings(
    place: Place, archive: Archive, last: Ended, earlier: Iterable[Ended] = (), *, tidy: bool = True
) -> list[str]:
    """All that is wrong after ``last``."""
    acknowledged = last.acknowledged.union(*(each.acknowledged for each in earlier))
    found = [f"still running: {each}" for each in place.left_running()]
    for run in (*earlier, last):
        found += told_badly(run)
    if last.code != 1 or last.summary is None:
        return [*found, f"the last run did not end as it should: {last}"]
    for path, look in ((place.state, _state), (place.engine / "catalogue.sqlite", _engine)):
        if not path.is_file():
            return [*found, f"there is no {path.name}"]
        with copy_of(path) as db:
            found += _sqlite(db, path.name)
            found += look(db, archive, acknowledged)
    found += _blobs(place)
    found += _one_job_each(place)
    found += _summary(last)
    found += litter(place) if tidy else []
    return found + _results(place)


def told_badly(run: Ended) -> list[str]:
    """A run that hung, or whose words are for programmers."""
    text = run.out + run.err
    found = ["a traceback"] if "Traceback (most recent" in text or 'File "' in run.err else []
    found += ["called a bug"] if "bug in ldimport" in text else []
    found += ["stuck"] if run.code is None else []
    found += ["exit 70"] if run.code == 70 else []
    return [f"{what}: {run}" for what in found]


@contextmanager
def copy_of(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy with its log: looking changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copy(source, Path(folder, f"copy{suffix}"))
        db = sqlite3.connect(Path(folder, "copy"))
        db.row_factory = sqlite3.Row
        try:
            yield db
        finally:
            db.close()


def column(db: sqlite3.Connection, sql: str, *values: object) -> list[object]:
    """The first column."""
    return [row[0] for row in db.execute(sql, values)]


def _differ(what: str, found: Iterable[object], wanted: Iterable[object]) -> list[str]:
    """What is missing, and what is there too often."""
    have, want = Counter(found), Counter(wanted)
    return [
        f"{what}: {word} {sorted(map(str, each))[:3]}"
        for word, each in (("missing", want - have), ("too many", have - want))
        if each
    ]


def _none(db: sqlite3.Connection, what: str, sql: str) -> list[str]:
    """Rows that should not be."""
    rows = [tuple(row) for row in db.execute(sql)]
    return [f"{what}: {rows[:3]}"] if rows else []


def _sqlite(db: sqlite3.Connection, name: str) -> list[str]:
    found = _differ(f"{name}, integrity", column(db, "PRAGMA integrity_check"), ["ok"])
    return found + _none(db, f"{name}, foreign keys", "PRAGMA foreign_key_check")


# -- the state file --------------------------------------------------------------------------


def _state(db: sqlite3.Connection, archive: Archive, acknowledged: set[str]) -> list[str]:
    found = _differ("state, rows", column(db, "SELECT external_id FROM image"), IDS)
    found += _differ(
        "state, rows that failed",
        column(db, "SELECT external_id FROM image WHERE status = 'failed' AND reason <> ''"),
        BROKEN,
    )
    found += _differ("state, rows kept", column(db, "SELECT external_id FROM kept"), BROKEN)
    found += _none(
        db, "state, rows without a final state",
        """SELECT external_id, status FROM image
            WHERE status IS NULL OR open_batch IS NOT NULL OR pending IS NOT NULL
               OR status IN ('success', 'skipped') AND media_id IS NULL""",
    )  # fmt: skip
    found += _none(
        db, "state, open batches",
        "SELECT id, state FROM batch WHERE state IN ('intent', 'started') OR packed IS NOT NULL",
    )  # fmt: skip
    found += _none(
        db, "state, sums of batches",
        """SELECT id, success, skipped, failed, images FROM batch WHERE state = 'success'
              AND (success + skipped + failed <> images
                   OR images <> (SELECT count(*) FROM attempt WHERE batch = batch.id))""",
    )  # fmt: skip
    found += _none(
        db, "state, sums of the archive",
        """SELECT success, skipped, failed, pending, unsubmitted FROM scope
            WHERE success <> (SELECT count(*) FROM image WHERE status = 'success')
               OR skipped <> (SELECT count(*) FROM image WHERE status = 'skipped')
               OR failed <> (SELECT count(*) FROM image WHERE status = 'failed')
               OR pending <> 0 OR unsubmitted <> 0""",
    )  # fmt: skip
    jobs = column(db, "SELECT job_id FROM batch WHERE job_id IS NOT NULL")
    found += _differ("state, jobs", jobs, set(jobs) | acknowledged)
    return found


# -- the engine ------------------------------------------------------------------------------


def _engine(db: sqlite3.Connection, archive: Archive, acknowledged: set[str]) -> list[str]:
    entries = """SELECT m.external_id || ' ' || a.source_sha256
                   FROM media m JOIN asset a ON a.id = m.asset"""
    found = _differ(
        "engine, entries", column(db, entries), (" ".join(each) for each in archive.sources.items())
    )
    found += _none(
        db, "engine, open images",
        "SELECT external_id, worker FROM item WHERE status IS NULL OR worker IS NOT NULL",
    )  # fmt: skip
    found += _none(
        db, "engine, sums of jobs",
        """SELECT id, state, success, skipped, failed, images FROM job
            WHERE state <> 'success' OR success + skipped + failed <> images
               OR images <> (SELECT count(*) FROM item WHERE job = job.n)
               OR success <> (SELECT count(*) FROM item WHERE job = job.n AND status = 'success')
               OR failed <> (SELECT count(*) FROM item WHERE job = job.n AND status = 'failed')""",
    )  # fmt: skip
    found += _none(
        db, "engine, the same bytes again for one entry",
        "SELECT media FROM asset GROUP BY media, sha256 HAVING count(*) > 1",
    )  # fmt: skip
    found += _none(
        db, "engine, assets without an entry",
        "SELECT id FROM asset WHERE media NOT IN (SELECT id FROM media)",
    )  # fmt: skip
    jobs = column(db, "SELECT id FROM job")
    return found + _differ("engine, jobs", jobs, set(jobs) | acknowledged)


def _blobs(place: Place) -> list[str]:
    with copy_of(place.engine / "catalogue.sqlite") as db:
        rows = {(row["sha256"], row["size"]) for row in db.execute("SELECT * FROM asset")}
    files = [each for each in (place.engine / "blobs").rglob("*") if each.is_file()]
    stored = [(each.name, each.stat().st_size) for each in files]
    wrong = [e.name for e in files if hashlib.sha256(e.read_bytes()).hexdigest() != e.name]
    found = _differ("blobs", stored, rows)
    return found + ([f"blobs with other bytes: {wrong[:3]}"] if wrong else [])


def _one_job_each(place: Place) -> list[str]:
    """Each batch that was not refused has one job, and each job a batch."""
    with copy_of(place.state) as db:
        keys = column(db, "SELECT key FROM batch WHERE state <> 'refused'")
    with copy_of(place.engine / "catalogue.sqlite") as db:
        return _differ("jobs by their keys", column(db, "SELECT key FROM job"), keys)


# -- what the user sees ------------------------------------------------------------------------


def _summary(last: Ended) -> list[str]:
    assert last.summary is not None
    totals = last.summary["totals"]
    arrived = totals["success"] + totals["skipped"]
    open_ = totals["pending"] + totals["unsubmitted"] + totals["invalid"]
    right = (arrived, totals["failed"], open_) == (ROWS - len(BROKEN), len(BROKEN), 0)
    return [] if right else [f"the summary's totals: {totals}"]


def _results(place: Place) -> list[str]:
    ended = place.run([*place.words("results"), "--format", "csv", "-n", "0"])
    if ended.code != 0:
        return [f"results: {ended}"]
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    found = _differ("results", (row["externalId"] for row in rows), IDS)
    media = [row["mediaId"] for row in rows if row["mediaId"]]
    found += _differ("results, media ids", media, set(media))
    arrived = ("mediaId", "url", "width", "mimeType")
    for row in rows:
        needed = ("reason",) if row["externalId"] in BROKEN else arrived
        if not all(row[name] for name in needed):
            found.append(f"results: {row['externalId']} lacks one of {needed}")
    return found


def litter(place: Place) -> list[str]:
    """Files, and entries of workers, that nobody needs any more."""
    here = {
        place.disk: {"data", "home", "tmp"},
        place.disk / "tmp": set(),
        place.state.parent: {place.state.name, f"{place.state.name}.lock"},
        place.engine: {"catalogue.sqlite", "blobs", "tmp", "workers"},
        place.engine / "tmp": set(),
        place.engine / "workers": set(),
    }
    with copy_of(place.engine / "catalogue.sqlite") as db:
        found = _none(db, "left lying about, dead workers", "SELECT name FROM worker")
    for folder, known in here.items():
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if folder.name == "tmp":  # Python tries out TMPDIR with a file of such a name
            names = {name for name in names if not re.fullmatch("[a-z0-9_]{8}", name)}
        found += [f"left lying about: {folder / name}" for name in sorted(names - known)]
    return found


def modes(place: Place) -> list[str]:
    """Files and folders of ours that others may read, or their owner may not."""
    return [
        f"mode {stat.S_IMODE(path.lstat().st_mode):o}: {path.relative_to(place.disk)}"
        for path in sorted((place.disk / "data").rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) != (0o700 if path.is_dir() else 0o600)
    ]
