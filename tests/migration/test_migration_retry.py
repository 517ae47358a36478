"""Failed images are sent again, as they were sent before; open jobs are followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import Time, left_open, manifest, source, submit, summary
from standin import StandIn, arrived, refused

from ldimport.errors import ExitCode, UsageError
from ldimport.migration import Migration, RetryOptions, StateStore, SubmitOptions
from ldimport.migration.events import BatchSent, Event, JobEnded, Notice, Progress, Summary
from ldimport.migration.model import Filter
from ldimport.model import Counts, Integrity, JobOptions, JobState, JobStatus
from ldimport.targets.base import BatchLimits


def retry(state: StateStore, target: StandIn, **options: object) -> Summary:
    migration = Migration(state, target, Time().clock)
    wanted = RetryOptions(**{"everything": True, **options})  # type: ignore[arg-type]
    return summary(list(migration.retry(wanted)))


def watch(state: StateStore, target: StandIn, *jobs: str, time: Time | None = None) -> list[Event]:
    return list(Migration(state, target, (time or Time()).clock).watch(jobs))


def test_failed_rows_wait_for_retry(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(answer=refused), manifest(tmp_path, 2)
    submit(state, target, path)
    again = summary(submit(state, target, path))
    assert len(target.requests) == 1
    assert again.plan is not None
    assert (again.plan.failed, again.exit_code) == (2, ExitCode.FAILURES)
    target.answer = arrived
    end = retry(state, target)
    assert target.sent_ids()[2:] == ["id1", "id2"]
    assert (end.totals.success, end.exit_code) == (2, ExitCode.OK)
    assert state.overview().totals.failed == 0


def test_retry_can_be_narrowed_to_one_cause(state: StateStore, tmp_path: Path) -> None:
    reasons = {"id1": "origin answered 503", "id2": "origin answered 404"}
    target = StandIn(answer=lambda i: refused(i, reasons[i]))
    submit(state, target, manifest(tmp_path, 2))
    retry(state, target, cause="origin-503")
    assert target.sent_ids()[2:] == ["id1"]
    causes = state.causes()
    assert {(each.cause, each.retryable) for each in causes} == {
        ("origin-503", True),
        ("origin-404", False),
    }


def test_retry_takes_one_job(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 4), batch_size=2)
    end = retry(state, target, job="job2")
    assert target.sent_ids()[4:] == ["id3", "id4"]
    assert (end.totals.failed, end.exit_code) == (2, ExitCode.FAILURES)


def test_what_is_being_retried_is_not_sent_again(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 2))
    target.looks = 1_000_000
    retry(state, target, wait=False)
    assert retry(state, target, wait=False).totals.pending == 2
    assert target.sent_ids() == ["id1", "id2"] * 2


def test_retry_takes_one_archive(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 1), name="one")
    submit(state, target, manifest(tmp_path, 2, "two.csv"), name="two")
    target.answer = arrived
    assert retry(state, target, system_name="two").totals.success == 2
    assert [request.system_name for request in target.requests] == ["one", "two", "two"]
    assert retry(state, target, system_name="never heard of").totals.rows == 0
    assert retry(state, target).totals.success == 1


def test_retry_treats_images_as_their_job_did_but_for_what_is_given(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 1))
    retry(state, target, integrity=Integrity.FAST, allow_hosts=("10.0.0.1",))
    first, second = target.options
    assert second == JobOptions(("10.0.0.1",), first.allow_files, Integrity.FAST, first.lenient)
    retry(state, target)
    assert target.options[2] == second, "the last ones are recorded"


def test_what_is_not_retried_counts_as_not_sent(state: StateStore, tmp_path: Path) -> None:
    from ldimport.errors import QuotaError

    target = StandIn(answer=refused, limits=BatchLimits(images=2))
    submit(state, target, manifest(tmp_path, 4))

    def quota(request: object) -> None:
        if len(target.requests) == 3:
            raise QuotaError("quota reached", limit=6, used=6, trying=2)

    target.before, target.answer = quota, arrived
    end = retry(state, target)
    assert (end.exit_code, end.totals.success, end.totals.unsubmitted) == (ExitCode.QUOTA, 2, 2)
    assert state.overview().totals.failed == 2


# -- watch ---------------------------------------------------------------------------------


def test_watch_follows_the_jobs_that_are_named(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 4), batch_size=2)
    end = summary(watch(state, target, "job2"))
    assert [(job.id, job.state) for job in end.jobs] == [("job2", JobState.SUCCESS)]
    assert (end.totals.success, end.totals.pending) == (2, 0)
    assert state.overview().totals.pending == 2
    assert summary(watch(state, target)).totals.success == 2


def test_watch_names_the_job_that_was_meant(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 1))
    with pytest.raises(UsageError) as caught:
        Migration(state, target).watch(["job11"])
    assert caught.value.hint == "did you mean job1?"


def test_watch_tells_of_failures_with_their_causes(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    left_open(state, target, manifest(tmp_path, 2))
    end = summary(watch(state, target))
    assert (end.exit_code, [row.cause for row in end.causes]) == (ExitCode.FAILURES, ["origin-404"])


def test_a_batch_that_was_never_accepted_is_handed_over(state: StateStore, tmp_path: Path) -> None:
    from ldimport.errors import TemporaryError

    def cut(request: object) -> None:
        raise TemporaryError("connection lost")

    target = StandIn(before=cut)
    submit(state, target, manifest(tmp_path, 3))
    target.before = lambda request: None
    events = watch(state, target)
    sent = next(event for event in events if isinstance(event, BatchSent))
    assert (sent.images, sent.first_row, sent.last_row) == (3, 1, 3)
    assert summary(events).totals.success == 3


def test_a_batch_that_is_refused_when_handed_over_is_open_no_more(
    state: StateStore, tmp_path: Path
) -> None:
    from ldimport.errors import RefusedError, TemporaryError

    def cut(request: object) -> None:
        raise TemporaryError("connection lost")

    def refuse(request: object) -> None:
        raise RefusedError("400")

    target = StandIn(before=cut)
    submit(state, target, manifest(tmp_path, 3))
    target.before = refuse
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.pending) == (ExitCode.REFUSED, 0)
    assert not state.open_batches(target.identity)


def beside(state: StateStore) -> StateStore:
    return StateStore.open(state.path, write=False)


def test_beside_another_run_watch_tells_what_that_run_stores(
    state: StateStore, tmp_path: Path
) -> None:
    target, time = StandIn(), Time()
    submit(state, target, manifest(tmp_path, 1, "before.csv"), name="before")
    target.answer = lambda id_: refused(id_) if id_ == "id1" else arrived(id_)
    left_open(state, target, manifest(tmp_path, 4), batch_size=2)
    left = ["job2", "job3"]

    class Working(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            Migration(state, target, time.clock).refresh(left.pop(0))

    with beside(state) as reader:
        events = watch(reader, target, time=Working())
    assert [event.job_id for event in events if isinstance(event, JobEnded)] == ["job2", "job3"]
    steps = [event for event in events if isinstance(event, Progress)]
    assert [step.open_jobs for step in steps] == [2, 1, 0]
    end = summary(events)
    assert (end.totals.success, end.totals.failed) == (3, 1)
    assert (end.exit_code, end.seconds) == (ExitCode.FAILURES, 2.0)


def test_beside_another_run_watch_ends_at_its_deadline(state: StateStore, tmp_path: Path) -> None:
    target, time = StandIn(), Time()
    left_open(state, target, manifest(tmp_path, 2))
    with beside(state) as reader:
        events = Migration(reader, target, time.clock).watch(deadline=5)
        end = summary(list(events))
    assert (end.exit_code, end.totals.pending) == (ExitCode.DEADLINE, 2)
    assert time.waits == [1.0] * 5


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.LOST])
def test_beside_another_run_watch_tells_of_dead_jobs(
    state: StateStore, tmp_path: Path, end: JobState
) -> None:
    target = StandIn(end=end)
    left_open(state, target, manifest(tmp_path, 2))
    (batch,) = state.open_batches(target.identity)

    class Working(Time):
        def sleep(self, seconds: float) -> None:
            state.settle(batch, JobStatus("job1", end), 1_800_000_000.0)

    with beside(state) as reader:
        last = summary(watch(reader, target, time=Working()))
    assert (last.exit_code, [job.state for job in last.jobs]) == (ExitCode.REFUSED, [end])


class Gone(Time):
    """After some looks the run that was followed is gone, however it ended."""

    def __init__(self, state: StateStore, looks: int = 3) -> None:
        super().__init__()
        self.state, self.looks = state, looks

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.looks -= 1
        if self.looks == 0:
            assert self.state._lock is not None
            self.state._lock.release()


def test_a_watcher_takes_the_place_of_the_run_that_it_follows(
    state: StateStore, tmp_path: Path
) -> None:
    """Killed, or told not to wait: nobody else will store an end any more."""
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 4), batch_size=2)
    with beside(state) as reader:
        events = watch(reader, target, time=Gone(state))
        assert not reader.held, "the lock is given back"
    assert [event.code for event in events if isinstance(event, Notice)] == ["took-over"]
    assert [event.job_id for event in events if isinstance(event, JobEnded)] == ["job1", "job2"]
    end = summary(events)
    assert (end.exit_code, end.totals.success, end.totals.pending) == (ExitCode.OK, 4, 0)
    assert end.seconds >= 3.0
    assert state.overview().totals.success == 4


def test_what_ended_before_a_watcher_takes_over_is_in_its_sums(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn(answer=lambda id_: refused(id_) if id_ == "id1" else arrived(id_))
    left_open(state, target, manifest(tmp_path, 4), batch_size=2)

    class Working(Gone):
        def sleep(self, seconds: float) -> None:
            if self.looks == 2:
                Migration(state, target).refresh("job1")
            super().sleep(seconds)

    with beside(state) as reader:
        events = watch(reader, target, time=Working(state))
    end = summary(events)
    assert [event.job_id for event in events if isinstance(event, JobEnded)] == ["job1", "job2"]
    assert (end.totals.success, end.totals.failed, len(end.jobs)) == (3, 1, 2)


def test_a_watcher_hands_over_what_a_dead_run_never_sent(state: StateStore, tmp_path: Path) -> None:
    from ldimport.errors import TemporaryError

    def cut(request: object) -> None:
        raise TemporaryError("connection lost")

    target = StandIn(before=cut)
    submit(state, target, manifest(tmp_path, 3))
    target.before = lambda request: None
    left_open(state, target, manifest(tmp_path, 2, "other.csv"), name="other")
    with beside(state) as reader:
        end = summary(watch(reader, target, time=Gone(state)))
    assert (end.totals.success, end.totals.pending) == (5, 0)


def test_a_watcher_gives_a_run_time_between_two_batches(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process is at work, and has no open job for a moment."""
    monkeypatch.setattr(StateStore, "held_elsewhere", True)
    target = StandIn()
    path = manifest(tmp_path, 4)
    left_open(state, target, path, limit=2)

    class Working(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.waits) == 2:
                Migration(state, target).refresh("job1")
            if len(self.waits) == 5:
                left_open(state, target, path)
            if len(self.waits) == 7:
                Migration(state, target).refresh("job2")

    time = Working()
    with beside(state) as reader:
        end = summary(watch(reader, target, time=time))
    assert [job.id for job in end.jobs] == ["job1", "job2"]
    assert 7 < len(time.waits) < 20, "it does not wait for ever either"


def test_a_watcher_looks_on_at_whoever_was_faster(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 2))

    class Faster(Gone):
        def monotonic(self) -> float:  # asked between the look and the attempt
            if self.looks == 0 and state._lock is not None:
                state._lock.acquire("submit other.csv")
                self.looks = -1
            return super().monotonic()

    time = Faster(state)
    with beside(state) as reader:
        events = Migration(reader, target, time.clock).watch(deadline=9)
        end = summary(list(events))
    assert (end.exit_code, end.totals.pending) == (ExitCode.DEADLINE, 2)


def test_a_watcher_shows_what_the_engine_has_done_of_open_jobs(
    state: StateStore, tmp_path: Path
) -> None:
    """The state file hears of it at the job's end only."""
    target, done = StandIn(), iter((1, 2, 3))
    left_open(state, target, manifest(tmp_path, 4))

    def progress(job_id: str) -> Counts:
        return Counts(n := next(done), pending=4 - n)

    target.progress = progress  # type: ignore[method-assign]

    class Working(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.waits) == 3:
                Migration(state, target).refresh("job1")

    with beside(state) as reader:
        events = watch(reader, target, time=Working())
    steps = [event.counts.success for event in events if isinstance(event, Progress)]
    assert steps == [1, 2, 3, 4]


def test_one_job_is_asked_about_and_its_end_stored(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 2))
    migration = Migration(state, target)
    with beside(state) as reader:
        told = Migration(reader, target).refresh("job1")
        assert told is not None and len(told.results) == 2
        assert reader.job_status("job1").state is JobState.STARTED, "who only reads stores nothing"
    assert migration.refresh("job1") is not None
    assert migration.job_status("job1").state is JobState.SUCCESS
    assert migration.refresh("job1") is None, "not open any more"


def test_failed_rows_come_back_as_they_stood_in_the_manifest(
    state: StateStore, tmp_path: Path
) -> None:
    path = tmp_path / "archive.csv"
    path.write_text("url,_note,id,fileName\nhttps://a.b/1,mine,id1,One\nhttps://a.b/2,,id2,Two\n")
    opened = source(path)
    target = StandIn(answer=lambda id_: refused(id_) if id_ == "id1" else arrived(id_))
    with opened.manifest:
        list(Migration(state, target, Time().clock).submit(opened, SubmitOptions()))
    ((row, result),) = state.failed_rows(Filter(system_name="archive"))
    assert list(row.items())[:3] == [("url", "https://a.b/1"), ("_note", "mine"), ("id", "id1")]
    assert (result.external_id, result.row, result.attempts) == ("id1", 1, 1)
