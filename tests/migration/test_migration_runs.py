"""A migration against a scripted target: what is sent, what is recorded, what adds up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from standin import StandIn, arrived, refused

from ldimport.errors import (
    DeadlineError,
    ExitCode,
    LockedError,
    QuotaError,
    RefusedError,
    StateFileError,
    TemporaryError,
    UsageError,
)
from ldimport.migration import (
    Migration,
    RetryOptions,
    StateStore,
    SubmitOptions,
    Wishes,
    open_source,
)
from ldimport.migration.events import BatchSent, Event, Planned, Summary
from ldimport.migration.model import Failure, Filter
from ldimport.migration.source import Source
from ldimport.migration.submit import InvalidManifest
from ldimport.model import MAX_OPEN_JOBS, ImportRequest, JobOptions, JobState, Status
from ldimport.schema import config
from ldimport.targets.base import BatchLimits


def manifest(folder: Path, rows: int, name: str = "archive.csv", caption: str = "c") -> Path:
    path = folder / name
    lines = [f"id{n},https://img.example/{n}.jpg,Image {n},{caption}" for n in range(1, rows + 1)]
    path.write_text("id,url,fileName,metadata.caption\n" + "\n".join(lines) + "\n")
    return path


def source(path: Path, name: str | None = "archive", **wishes: object) -> Source:
    return open_source(
        [path],
        config.default(),
        Wishes(system_name=name, **wishes),  # type: ignore[arg-type]
        JobOptions(),
        local=True,
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / "state.sqlite", write=True) as opened:
        yield opened


def submit(state: StateStore, target: StandIn, path: Path, **options: object) -> list[Event]:
    wishes = {k: options.pop(k) for k in ("name",) if k in options}
    with source(path, **wishes).manifest as opened:  # type: ignore[arg-type]
        fresh = replace(source(path, **wishes), manifest=opened)  # type: ignore[arg-type]
        return list(Migration(state, target).submit(fresh, SubmitOptions(**options)))  # type: ignore[arg-type]


def summary(events: list[Event]) -> Summary:
    last = events[-1]
    assert isinstance(last, Summary)
    return last


def planned(events: list[Event]) -> Planned:
    return next(event for event in events if isinstance(event, Planned))


def test_every_row_ends_in_exactly_one_state(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda i: refused(i) if i == "id3" else arrived(i))
    events = submit(state, target, manifest(tmp_path, 5))
    end = summary(events)
    assert (end.totals.success, end.totals.failed, end.totals.rows) == (4, 1, 5)
    assert end.exit_code == ExitCode.FAILURES
    assert [event.external_id for event in events if isinstance(event, Failure)] == ["id3"]
    assert state.overview().totals == end.totals


def test_second_submit_sends_nothing(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 3)
    submit(state, target, path)
    end = summary(submit(state, target, path))
    assert len(target.requests) == 1
    assert (end.plan and end.plan.unchanged, end.totals.success) == (3, 3)
    assert end.exit_code == ExitCode.OK


def test_an_edited_row_and_a_new_row_are_sent_alone(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 3)
    submit(state, target, path)
    path.write_text(path.read_text().replace("Image 2,", "Other 2,") + "id9,https://a.b/9,N,c\n")
    events = submit(state, target, path)
    assert target.sent_ids()[3:] == ["id2", "id9"]
    assert (planned(events).plan.new, planned(events).plan.changed) == (1, 1)


def test_a_new_signature_in_the_url_is_no_change(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), tmp_path / "m.csv"
    path.write_text("id,url,fileName\na,https://s3.example/a.jpg?v=1&X-Amz-Date=1&Expires=2,A\n")
    submit(state, target, path)
    path.write_text("id,url,fileName\na,https://s3.example/a.jpg?v=1&X-Amz-Date=9&Expires=7,A\n")
    submit(state, target, path)
    assert len(target.requests) == 1
    path.write_text("id,url,fileName\na,https://s3.example/a.jpg?v=2&X-Amz-Date=9&Expires=7,A\n")
    submit(state, target, path)
    assert len(target.requests) == 2


def test_failed_rows_wait_for_retry(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(answer=refused), manifest(tmp_path, 2)
    submit(state, target, path)
    again = summary(submit(state, target, path))
    assert len(target.requests) == 1
    assert again.plan is not None
    assert (again.plan.failed, again.exit_code) == (2, ExitCode.FAILURES)
    target.answer = arrived
    end = summary(list(Migration(state, target).retry()))
    assert target.sent_ids()[2:] == ["id1", "id2"]
    assert (end.totals.success, end.exit_code) == (2, ExitCode.OK)
    assert state.overview().totals.failed == 0


def test_retry_can_be_narrowed_to_one_cause(state: StateStore, tmp_path: Path) -> None:
    reasons = {"id1": "origin answered 503", "id2": "origin answered 404"}
    target = StandIn(answer=lambda i: refused(i, reasons[i]))
    submit(state, target, manifest(tmp_path, 2))
    list(Migration(state, target).retry(RetryOptions(cause="origin-503")))
    assert target.sent_ids()[2:] == ["id1"]
    causes = state.causes()
    assert {(each.cause, each.retryable) for each in causes} == {
        ("origin-503", True),
        ("origin-404", False),
    }


def test_skipped_for_a_changed_entry_is_not_taken_over(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 1)
    submit(state, target, path)
    target.answer = lambda i: arrived(i, Status.SKIPPED)
    manifest(tmp_path, 1, caption="edited")
    end = summary(submit(state, target, path))
    assert (end.totals.skipped, end.totals.not_taken_over) == (1, 1)
    assert planned(submit(state, target, path)).plan.changed == 1, "it stays changed"


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.LOST])
def test_images_of_a_dead_job_are_sent_again(
    state: StateStore, tmp_path: Path, end: JobState
) -> None:
    target, path = StandIn(end=end), manifest(tmp_path, 2)
    first = summary(submit(state, target, path))
    assert (first.exit_code, first.totals.unsubmitted) == (ExitCode.REFUSED, 2)
    target.end = JobState.SUCCESS
    second = summary(submit(state, target, path))
    assert (second.exit_code, second.totals.success) == (ExitCode.OK, 2)


def test_quota_stops_in_order_and_the_same_command_goes_on(
    state: StateStore, tmp_path: Path
) -> None:
    path = manifest(tmp_path, 5)
    open_days = [2]

    def quota(request: ImportRequest) -> None:
        if not open_days[0]:
            raise QuotaError("quota reached", limit=4, used=4, trying=2)
        open_days[0] -= 1

    target = StandIn(before=quota, limits=BatchLimits(images=2))
    end = summary(submit(state, target, path))
    assert (end.exit_code, end.totals.success, end.totals.unsubmitted) == (ExitCode.QUOTA, 4, 1)
    open_days[0] = 5
    end = summary(submit(state, target, path))
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 5)
    assert sorted(target.sent_ids()) == ["id1", "id2", "id3", "id4", "id5"]


def test_a_lost_answer_is_reconciled_with_the_same_key(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 2)

    class Cut(StandIn):
        def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
            target.submit(request, key, options)  # it arrived, but the answer did not
            raise TemporaryError("connection lost")

    end = summary(submit(state, Cut(), path))
    assert (end.exit_code, end.totals.pending) == (ExitCode.TEMPORARY, 2)
    end = summary(list(Migration(state, Cut()).watch()))
    assert (end.exit_code, end.totals.pending) == (ExitCode.TEMPORARY, 2)
    end = summary(submit(state, target, path))
    assert (end.totals.success, len(target.requests)) == (2, 1)


def test_a_batch_that_is_too_large_is_halved(state: StateStore, tmp_path: Path) -> None:
    def small_only(request: ImportRequest) -> None:
        if len(request.images) > 2:
            raise RefusedError("too large", code="too-large")

    target = StandIn(before=small_only)
    end = summary(submit(state, target, manifest(tmp_path, 7)))
    assert end.totals.success == 7
    assert target.sent_ids() == [f"id{n}" for n in range(1, 8)]


def test_later_batches_keep_to_what_was_learned_from_a_refusal(
    state: StateStore, tmp_path: Path
) -> None:
    tried: list[int] = []
    target = StandIn(limits=BatchLimits(images=8))

    def learning(request: ImportRequest) -> None:
        tried.append(len(request.images))
        if len(request.images) > 2:
            target.limits = BatchLimits(images=len(request.images) // 2)
            raise RefusedError("too large", code="too-large")

    target.before = learning
    assert summary(submit(state, target, manifest(tmp_path, 20))).totals.success == 20
    assert tried == [8, 4, 2, 2, 4, 2, 2, *[2] * 6]


def test_at_most_sixteen_jobs_are_open(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(limits=BatchLimits(images=1))
    open_jobs: list[int] = []

    def count(request: ImportRequest) -> None:
        ended = sum(looks >= target.looks for looks in target.asked.values())
        open_jobs.append(len(target.jobs) - ended + 1)

    target.before, target.looks = count, 3
    assert summary(submit(state, target, manifest(tmp_path, 40))).totals.success == 40
    assert max(open_jobs) == MAX_OPEN_JOBS == 16


def test_a_refused_batch_leaves_the_state_as_it_was(state: StateStore, tmp_path: Path) -> None:
    def refuse(request: ImportRequest) -> None:
        raise RefusedError("400")

    path = manifest(tmp_path, 2)
    submit(state, StandIn(), path)
    manifest(tmp_path, 2, caption="edited")
    end = summary(submit(state, StandIn(before=refuse), path))
    assert end.exit_code == ExitCode.REFUSED
    assert state.overview().totals.success == 2, "the old outcomes stand"


def test_an_image_without_a_result_counts_as_failed(state: StateStore, tmp_path: Path) -> None:
    class Forgetful(StandIn):
        def status(self, job_id: str):  # type: ignore[no-untyped-def]
            job = super().status(job_id)
            return replace(job, results=job.results[1:])

    end = summary(submit(state, Forgetful(), manifest(tmp_path, 2)))
    assert (end.totals.success, end.totals.failed) == (1, 1)
    row = next(state.results(Filter(status=Status.FAILED)))
    assert row.reason == "the target gave no result for this image"


def test_limit_sends_only_so_many(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 5)
    end = summary(submit(state, target, path, limit=2))
    assert target.sent_ids() == ["id1", "id2"]
    assert (end.totals.success, end.totals.unsubmitted, end.totals.rows) == (2, 3, 5)


def test_errors_stop_before_anything_is_sent(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 3)
    path.write_text(path.read_text() + "id1,https://a.b/c,again,c\n")
    with pytest.raises(InvalidManifest) as caught:
        submit(state, target, path)
    assert (caught.value.validation.invalid, target.requests) == (1, [])
    end = summary(submit(state, target, path, valid_only=True))
    assert (end.totals.success, end.totals.invalid, end.totals.rows) == (3, 1, 4)
    assert end.exit_code == ExitCode.FAILURES


def test_another_archive_under_the_default_name_is_stopped(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn()
    submit(state, target, manifest(tmp_path, 2, "a.csv"), name=None)
    with pytest.raises(UsageError, match="another manifest"):
        submit(state, target, manifest(tmp_path, 2, "b.csv", caption="other"), name=None)


def test_batches_respect_count_and_bytes(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(limits=BatchLimits(images=100, bytes=700))
    events = submit(state, target, manifest(tmp_path, 20))
    from ldimport import wire

    sizes = [len(wire.encode(wire.request_to_json(request))) for request in target.requests]
    assert max(sizes) <= 700
    assert planned(events).plan.batches == len(sizes)
    assert planned(events).plan.bytes >= sum(sizes)
    assert [event.images for event in events if isinstance(event, BatchSent)] == [
        len(request.images) for request in target.requests
    ]


def test_interrupting_answers_with_a_summary(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(looks=1_000_000, limits=BatchLimits(images=2))
    with source(manifest(tmp_path, 4)).manifest as opened:
        fresh = replace(source(tmp_path / "archive.csv"), manifest=opened)
        events = Migration(state, target).submit(fresh)
        while not isinstance(next(events), BatchSent):
            pass
        end = events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert isinstance(end, Summary)
    assert (end.exit_code, end.totals.pending, end.totals.unsubmitted) == (130, 2, 2)


def test_a_deadline_counts_from_the_start_of_the_command(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    options = {"deadline": 60, "since": time.monotonic() - 61}
    with pytest.raises(DeadlineError, match="nothing was sent"):
        submit(state, target, manifest(tmp_path, 3), **options)
    assert target.requests == []
    assert state.overview().jobs == ()


def test_watch_follows_the_jobs_that_are_named(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(looks=2)
    submit(state, target, manifest(tmp_path, 4), batch_size=2, wait=False)
    end = summary(list(Migration(state, target).watch(["job2"])))
    assert [(job.id, job.state) for job in end.jobs] == [("job2", JobState.SUCCESS)]
    assert (end.totals.success, end.totals.pending) == (2, 0)
    assert state.overview().totals.pending == 2
    assert summary(list(Migration(state, target).watch())).totals.success == 2


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


def test_failed_images_of_an_unnamed_archive_come_back_in_another_file(
    state: StateStore, tmp_path: Path
) -> None:
    """Nothing has arrived under their ids, so nothing is overwritten."""
    target = StandIn(answer=lambda id_: refused(id_) if id_ == "id1" else arrived(id_))
    submit(state, target, manifest(tmp_path, 2), name=None)
    target.answer = arrived
    again = manifest(tmp_path, 1, "failed.csv", caption="corrected")
    assert summary(submit(state, target, again, name=None)).totals.success == 1
    other = manifest(tmp_path, 2, "other.csv", caption="other")
    with pytest.raises(UsageError, match="another manifest"):
        submit(state, target, other, name=None)


def test_the_plan_counts_batches_of_the_size_asked_for(state: StateStore, tmp_path: Path) -> None:
    end = summary(submit(state, StandIn(), manifest(tmp_path, 5), batch_size=2))
    assert end.plan is not None and (end.plan.batches, len(end.jobs)) == (3, 3)


def test_results_tell_the_target(state: StateStore, tmp_path: Path) -> None:
    submit(state, StandIn(), manifest(tmp_path, 1))
    assert [row.target for row in state.results()] == ["stand-in"]
