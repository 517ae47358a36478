"""The state file: whole, private, locked, readable for ever; and what it tells."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from archives import Time, left_open, manifest, submit, summary
from standin import StandIn, arrived, refused

from ldimport.cli import main
from ldimport.errors import LockedError, StateFileError, UsageError
from ldimport.migration import Migration, RetryOptions, StateStore
from ldimport.migration.model import BatchState, Failed, Filter
from ldimport.migration.store.schema import KIND
from ldimport.model import JobState, JobStatus, Result, Status


def test_only_one_writer(state: StateStore, tmp_path: Path) -> None:
    with pytest.raises(LockedError) as caught:
        StateStore.open(state.path, write=True)
    assert "process" in caught.value.facts["who"]
    StateStore.open(state.path, write=False).close()


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all", b"SQLite format 3\0" + b"\0" * 200]
)
def test_a_foreign_file_is_left_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.sqlite"
    path.write_bytes(content)
    for write in (True, False):
        with pytest.raises(StateFileError):
            StateStore.open(path, write=write)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_an_orderly_close_leaves_one_private_file(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateStore.open(path, write=True) as opened:
        submit(opened, StandIn(), manifest(tmp_path, 2))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not path.with_name("state.sqlite-wal").exists()


def test_an_orderly_close_leaves_one_whole_file_though_a_reader_has_it_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.sqlite"
    StateStore.open(path, write=True).close()
    with StateStore.open(path, write=False) as reader:
        with StateStore.open(path, write=True) as opened:
            submit(opened, StandIn(), manifest(tmp_path, 2))
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(path.read_bytes())
        assert reader.overview().totals.success == 2
    with StateStore.open(copy, write=False) as opened:
        assert opened.overview().totals.success == 2, "nothing was left in the log beside it"


def test_what_is_not_there_reads_as_empty_and_stays_absent(tmp_path: Path) -> None:
    path = tmp_path / "none" / "state.sqlite"
    with Migration.open(path, write=False) as migration:
        assert migration.overview().scopes == ()
        assert list(migration.results()) == []
        assert (migration.causes(), migration.history("a")) == ((), [])
        assert list(migration.failed_rows()) == []
    assert not path.parent.exists()


def test_a_transaction_that_fails_changes_nothing(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldimport.migration.store import recording

    left_open(state, StandIn(), manifest(tmp_path, 2))
    before = state.overview()
    monkeypatch.setitem(recording.SQL, "keep", "INSERT INTO nowhere VALUES (?, ?, ?)")
    (batch,) = state.open_batches("test:1")
    status = JobStatus("job1", JobState.SUCCESS)
    with pytest.raises(StateFileError, match="nowhere"):
        state.settle(batch, status, 1.0)
    assert (state.overview(), state.open_batches("test:1")) == (before, [batch])
    assert next(state.results()).status is None


# -- files of schema 1 ---------------------------------------------------------------------

FIRST = Path(__file__).parent.parent / "fixtures" / "first_version"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """State file and engine as the version before made them."""
    return Path(shutil.copytree(FIRST, tmp_path / "first")) / "state.sqlite"


CAUSES = {"truncated", "not-an-image", "address-not-allowed"}


def schema(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version


def test_a_file_of_schema_1_is_read_and_stays_as_it_is(first: Path) -> None:
    before = first.read_bytes()
    with StateStore.open(first, write=False) as opened:
        assert {row.cause for row in opened.causes()} == CAUSES
        assert opened.overview().totals.failed == 3
        told = opened.job_status("zibkuvlipy5mg6").results
        assert {each.cause for each in told if each.status is Status.FAILED} == CAUSES
        assert [len(each.attempts) for each in opened.history("a-3")] == [2]
        assert {row["id"] for row, _ in opened.failed_rows()} == {"a-3", "a-4", "a-6"}
    assert (first.read_bytes(), schema(first)) == (before, 1)


def test_a_file_of_schema_1_is_migrated_by_who_writes(first: Path) -> None:
    with StateStore.open(first, write=True) as opened:
        rows = {row.external_id: row for row in opened.results(Filter(status=Status.FAILED))}
        assert {row.cause for row in rows.values()} == CAUSES
        assert not rows["a-6"].retryable, "by the cause, not by the guess of before"
        (batch,) = opened.open_batches(opened.overview().jobs[0].target)
        parcel = opened.parcel(batch)
        assert [each.image.id for each in parcel.images] == ["a-2", "b-1", "b-2"]
        assert parcel.options.allow_files == ("/srv/archive",)
        kept = list(opened.failed_images(1, Failed(cause="truncated")))
        assert [each.image.id for each, _, _ in kept] == ["a-3"]
    assert schema(first) == len(KIND.migrations)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["results", "--failed", "--format", "csv"], "address-not-allowed"),
        (["results", "--cause", "truncated", "--format", "csv"], "a-3"),
        (["status", "--json"], '"failed":3'),
        (["status", "zibkuvlipy5mg6", "--json"], '"cause":"truncated"'),
        (["explain", "a-4"], "not an image"),
        (["watch"], "3 images"),
        (["retry", "--cause", "truncated"], "failed"),
    ],
)
def test_commands_work_on_a_file_of_schema_1(
    first: Path, words: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = ["--engine", str(first.with_name("engine"))]
    code = main([*words, "--state", str(first), *engine])
    out = capfd.readouterr()
    assert code in (0, 1), out.err
    assert said in out.out


# -- what it tells -------------------------------------------------------------------------


def test_the_sums_of_an_archive_are_those_of_its_images(state: StateStore, tmp_path: Path) -> None:
    answers = {"id1": refused, "id2": lambda id_: arrived(id_, Status.SKIPPED)}
    target = StandIn(answer=lambda id_: answers.get(id_, arrived)(id_))
    submit(state, target, manifest(tmp_path, 5), limit=4)
    found = state.overview()
    statuses = [row.status for row in state.results()]
    assert found.totals.success == statuses.count(Status.SUCCESS) == 2
    assert (found.totals.skipped, found.totals.failed, found.totals.rows) == (1, 1, 4)
    assert [each.totals for each in found.scopes] == [found.totals]
    assert [job.counts.total for job in found.jobs] == [4]


def test_results_are_chosen_by_what_is_asked(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda id_: refused(id_) if id_ == "id2" else arrived(id_))
    submit(state, target, manifest(tmp_path, 2), name="one")
    submit(state, StandIn(identity="test:2"), manifest(tmp_path, 1, "b.csv"), name="two")

    def ids(**wanted: object) -> list[str]:
        return [row.external_id for row in state.results(Filter(**wanted))]  # type: ignore[arg-type]

    assert ids() == ["id1", "id2", "id1"]
    assert ids(status=Status.FAILED) == ids(cause="origin-404") == ["id2"]
    assert ids(system_name="two") == ids(target="test:2") == ["id1"]
    assert ids(target="test") == ["id1", "id2", "id1"], "every target of a kind"
    assert ids(host="img.example") == ids()
    assert ids(host="example") == ids(manifest="/none") == ids(job="none") == []
    assert ids(manifest=str(tmp_path / "b.csv")) == ["id1"]
    first = [row.external_id for row in state.results(failures_first=True)]
    assert first == ["id2", "id1", "id1"]


def test_jobs_come_unfinished_first_then_newest_first(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 2), batch_size=1)
    migration = Migration(state, target)
    migration.refresh("job2")
    other = StandIn(identity="test:2", by_key={"taken": "job2"}, jobs={"job2": target.requests[0]})
    submit(state, other, manifest(tmp_path, 3, "c.csv"))
    found = [(job.id, job.state, job.counts.total) for job in migration.jobs()]
    assert found == [
        ("job1", JobState.STARTED, 1),
        ("job2", JobState.SUCCESS, 3),
        ("job2", JobState.SUCCESS, 1),
    ]
    assert [job.id for job in migration.jobs(["job1", "none"])] == ["job1"]
    with pytest.raises(UsageError, match="no job"):
        migration.job("none")


def test_a_refused_batch_is_no_job(state: StateStore, tmp_path: Path) -> None:
    from ldimport.errors import RefusedError

    def refuse(request: object) -> None:
        raise RefusedError("400")

    submit(state, StandIn(before=refuse), manifest(tmp_path, 1))
    assert list(state.jobs()) == []
    assert state.open_batches("test:1") == []
    with sqlite3.connect(state.path) as connection:
        assert connection.execute("SELECT state FROM batch").fetchone()[0] == BatchState.REFUSED


def test_every_try_of_an_image_is_told(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(answer=refused), manifest(tmp_path, 1)
    submit(state, target, path)
    target.answer = arrived
    list(Migration(state, target, Time().clock).retry(RetryOptions(everything=True)))
    (found,) = state.history("id1")
    tries = [(each.job_id, each.status, each.reason) for each in found.attempts]
    assert tries == [
        ("job1", Status.FAILED, "origin answered 404"),
        ("job2", Status.SUCCESS, None),
    ]
    assert (found.status, found.cause, found.open) == (Status.SUCCESS, None, False)
    assert (Path(found.manifest), found.row, found.media_id) == (path, 1, "m-id1")
    assert state.history("id2") == []


def test_a_job_tells_its_results_as_the_target_did(state: StateStore, tmp_path: Path) -> None:
    def answer(id_: str) -> Result:
        return refused(id_) if id_ == "id2" else arrived(id_)

    submit(state, StandIn(answer=answer), manifest(tmp_path, 3))
    told = state.job_status("job1")
    expected = [answer(f"id{n}") for n in range(1, 4)]
    expected[1] = replace(expected[1], cause="origin-404", retryable=False)
    assert list(told.results) == expected
    assert state.job_status("none").state is JobState.LOST


def test_the_outcome_of_before_is_not_told_of_an_image_that_is_under_way(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 1))
    target.looks = 1_000
    manifest(tmp_path, 1, caption="edited")
    submit(state, target, tmp_path / "archive.csv", wait=False)
    (row,) = state.results()
    assert (row.status, row.reason, row.cause, row.retryable) == (None, None, None, False)
    assert (state.causes(), list(state.failed_rows())) == ((), list(state.failed_rows()))
    assert summary(submit(state, target, tmp_path / "archive.csv", wait=False)).totals.pending == 1


def test_what_arrived_once_is_still_known_when_its_change_fails(
    state: StateStore, tmp_path: Path
) -> None:
    target, path = StandIn(), manifest(tmp_path, 1)
    submit(state, target, path)
    target.answer = refused
    submit(state, target, manifest(tmp_path, 1, caption="edited"))
    (row,) = state.results()
    assert (row.status, row.media_id, row.width, row.attempts) == (Status.FAILED, "m-id1", 10, 2)
    first, second = (state.job_status(job).results[0] for job in ("job1", "job2"))
    assert first.asset is not None and second.asset is None


def test_rows_are_kept_only_while_they_are_failed(state: StateStore, tmp_path: Path) -> None:
    def kept() -> int:
        with sqlite3.connect(state.path) as connection:
            count: int = connection.execute("SELECT count(*) FROM kept").fetchone()[0]
            return count

    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 3))
    assert kept() == 3
    target.answer = lambda id_: refused(id_) if id_ == "id2" else arrived(id_)
    list(Migration(state, target, Time().clock).retry(RetryOptions(everything=True)))
    assert (kept(), [row["id"] for row, _ in state.failed_rows()]) == (1, ["id2"])


def test_an_image_without_a_title_has_its_file_name(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda id_: replace(arrived(id_), title=None))
    submit(state, target, manifest(tmp_path, 1))
    assert [row.title for row in state.results()] == ["Image 1"]


# -- files of schema 4 ---------------------------------------------------------------------


def test_a_file_of_the_version_before_goes_on(tmp_path: Path) -> None:
    before = Path(shutil.copytree(FIRST.with_name("schema_4"), tmp_path / "before"))
    with StateStore.open(before / "state.sqlite", write=False) as read:
        assert schema(before / "state.sqlite") == 4
        assert read.overview().totals.failed == 3
    with StateStore.open(before / "state.sqlite", write=True) as opened:
        known = opened.known(1, ["a-1", "a-4"])
        assert (known["a-1"].tries, known["a-4"].tries) == (0, 1)
        assert known["a-4"].failing_since == known["a-4"].failed_at is not None
        (batch,) = opened.open_batches(opened.overview().jobs[0].target)
        ok = JobStatus(batch.job_id or "", JobState.SUCCESS)
        opened.settle(batch, ok, 5.0)
        assert opened.overview().totals.failed == 5
    assert schema(before / "state.sqlite") == len(KIND.migrations)


def test_an_older_job_that_ends_later_takes_nothing_away(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 1))
    left_open(state, target, manifest(tmp_path, 1, caption="edited"))
    older, newer = state.open_batches("test:1")
    for batch, result in ((newer, refused("id1")), (older, arrived("id1"))):
        job = JobStatus(batch.job_id or "", JobState.SUCCESS, results=(result,))
        state.settle(batch, job, 2_000_000_000.0)
    assert state.overview().totals.failed == 1
    ((row, _),) = state.failed_rows()
    assert row["metadata.caption"] == "edited"
