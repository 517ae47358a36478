"""A migration against a scripted target: what is sent, what is recorded, what adds up."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from archives import Time, left_open, manifest, planned, source, submit, summary
from standin import StandIn, arrived, refused

from ldimport import wire
from ldimport.errors import (
    DeadlineError,
    ExitCode,
    FailureLimitError,
    ManifestError,
    QuotaError,
    RefusedError,
    TemporaryError,
    TooLargeError,
    UsageError,
)
from ldimport.migration import (
    Migration,
    StateStore,
    SubmitOptions,
)
from ldimport.migration.batch import cut
from ldimport.migration.events import BatchSent, JobEnded, Notice, Planned, Progress, Summary
from ldimport.migration.limits import FailureLimit
from ldimport.migration.model import Failure, Filter, Totals
from ldimport.migration.submit import InvalidManifest
from ldimport.model import (
    MAX_OPEN_JOBS,
    ImportRequest,
    JobOptions,
    JobState,
    JobStatus,
    Result,
    Status,
)
from ldimport.targets.base import BatchLimits


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
            raise TooLargeError("too large", size=500_000)

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
            raise TooLargeError("too large", size=500_000)

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


def test_a_limit_announces_what_it_lets_through_and_its_sums_are_about_that(
    state: StateStore, tmp_path: Path
) -> None:
    target, path = StandIn(answer=lambda id_: refused(id_, f"odd {id_}")), manifest(tmp_path, 50)
    events = submit(state, target, path, limit=20, batch_size=7)
    plan = planned(events).plan
    assert (plan.to_send, plan.left_out, plan.batches, plan.sources) == (
        20, 30, 3, {"img.example": 20}
    )  # fmt: skip
    end = summary(events)
    assert end.own == Totals(failed=20) and end.shown == end.own
    assert sum(row.images for row in end.causes) == 20
    target.answer = arrived
    end = summary(submit(state, target, path, limit=20))
    assert end.own == Totals(success=20)
    assert sum(row.images for row in end.causes) == 0, "those failed in an earlier run"
    assert (end.totals.failed, end.totals.unsubmitted, end.totals.rows) == (20, 10, 50)


def test_notes_to_images_that_arrived_are_counted_by_kind(
    state: StateStore, tmp_path: Path
) -> None:
    def noted(id_: str) -> Result:
        code = {"id1": "unpacked", "id2": "damaged-chunk", "id4": "unpacked"}.get(id_)
        return replace(arrived(id_), cause=code, reason=code)

    end = summary(submit(state, StandIn(answer=noted), manifest(tmp_path, 4), batch_size=2))
    assert end.notes == {"unpacked": 2, "damaged-chunk": 1}
    assert (end.totals.success, end.causes) == (4, ())


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
    sizes = [len(wire.request_body(request)) for request in target.requests]
    assert max(sizes) <= 700
    assert planned(events).plan.batches == len(sizes)
    assert planned(events).plan.bytes >= sum(sizes)
    assert [event.images for event in events if isinstance(event, BatchSent)] == [
        len(request.images) for request in target.requests
    ]


def test_interrupting_answers_with_a_summary(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(looks=1_000_000, limits=BatchLimits(images=2))
    opened = source(manifest(tmp_path, 4))
    with opened.manifest:
        events = Migration(state, target, Time().clock).submit(opened)
        while not isinstance(next(events), BatchSent):
            pass
        end = events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert isinstance(end, Summary)
    assert (end.exit_code, end.totals.pending, end.totals.unsubmitted) == (130, 2, 2)


def test_a_deadline_counts_from_the_start_of_the_command(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    time = Time()
    with pytest.raises(DeadlineError, match="nothing was sent"):
        submit(state, target, manifest(tmp_path, 3), time=time, deadline=60, since=time.at - 61)
    assert target.requests == []
    assert state.overview().jobs == ()


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


def test_a_row_that_is_edited_while_its_job_runs_is_sent_again(
    state: StateStore, tmp_path: Path
) -> None:
    """What counts is the last version, whichever job ends last."""
    target, path = StandIn(looks=1_000_000), manifest(tmp_path, 3)
    submit(state, target, path, wait=False)
    path.write_text(path.read_text().replace("Image 2,", "Other 2,"))
    second = submit(state, target, path, wait=False)
    assert (planned(second).plan.changed, planned(second).plan.in_progress) == (1, 2)
    assert target.sent_ids() == ["id1", "id2", "id3", "id2"]
    assert summary(second).totals.pending == 3
    target.looks = 1
    end = summary(list(Migration(state, target, Time().clock).watch()))
    assert (end.totals.success, end.totals.pending) == (4, 0), "four outcomes of three images"
    assert state.overview().totals.success == 3
    assert planned(submit(state, target, path)).plan.unchanged == 3, "the edit has arrived"


def test_a_manifest_that_changes_after_the_check_is_not_sent(
    state: StateStore, tmp_path: Path
) -> None:
    path, target = manifest(tmp_path, 1_200), StandIn()
    for begun, sent in ((Planned, 0), (BatchSent, 100)):
        opened = source(path)
        with opened.manifest:
            options = SubmitOptions(batch_size=100)
            events = Migration(state, target, Time().clock).submit(opened, options)
            while not isinstance(next(events), begun):
                pass
            path.write_text(path.read_text().replace("Image 1200,", "Other 1200,"))
            *_, last = events
        assert isinstance(last, Summary) and isinstance(last.stopped, ManifestError)
        assert (len(target.sent_ids()), last.exit_code) == (sent, ExitCode.INVALID)
        assert last.totals.unsubmitted == 1_200 - sent
        path = manifest(tmp_path, 1_200)


def test_a_plan_is_none_of_files_that_were_read_before_they_changed(
    state: StateStore, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    first = manifest(tmp_path / "archive", 2, "1.csv")
    second = first.with_name("2.csv")
    second.write_text(first.read_text().replace("id", "other").replace("other,", "id,"))
    size, opened = first.stat().st_size, source(first.parent)

    def tick(read: int) -> None:
        if read > size:
            os.utime(first, ns=(1, 1))

    with opened.manifest, pytest.raises(ManifestError, match=r"1\.csv changed"):
        Migration(state, StandIn(), Time().clock).plan(opened, tick=tick)


def test_a_deadline_ends_a_run_that_waits(state: StateStore, tmp_path: Path) -> None:
    target, time = StandIn(looks=1_000_000), Time()
    end = summary(submit(state, target, manifest(tmp_path, 2), time=time, deadline=30))
    assert (end.exit_code, end.totals.pending) == (ExitCode.DEADLINE, 2)
    assert sum(time.waits) == pytest.approx(30, abs=1)
    assert end.seconds == pytest.approx(30, abs=1)


def test_a_server_is_asked_ever_less_often(state: StateStore, tmp_path: Path) -> None:
    target, time = StandIn(looks=12, local=False), Time()
    assert summary(submit(state, target, manifest(tmp_path, 1), time=time)).totals.success == 1
    pauses = [0.5 * 1.5**n for n in range(11)]
    assert sum(time.waits) == pytest.approx(0.5 + sum(min(30.0, 1.5 * p) for p in pauses), rel=0.01)
    assert max(time.waits) <= 0.5, "a wait is short: Ctrl-C and deadlines are looked at"


def test_a_row_that_is_too_large_alone_fails_and_the_others_go_on(
    state: StateStore, tmp_path: Path
) -> None:
    def too_large(request: ImportRequest) -> None:
        if any(each.id == "id3" for each in request.images):
            raise TooLargeError("too large", size=500_000)

    target = StandIn(before=too_large, looks=3)
    events = submit(state, target, manifest(tmp_path, 7))
    end = summary(events)
    assert (end.exit_code, end.totals.success, end.totals.failed) == (ExitCode.FAILURES, 6, 1)
    (failure,) = [each for each in events if isinstance(each, Failure)]
    assert (failure.external_id, failure.row) == ("id3", 3)
    assert (failure.cause, failure.retryable) == ("too-large-to-send", False)
    assert state.overview().totals == end.totals
    sent = len(target.requests)
    assert summary(submit(state, target, manifest(tmp_path, 7))).totals == end.totals
    assert len(target.requests) == sent


def test_what_is_under_way_when_the_quota_ends_is_followed(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn(looks=3, limits=BatchLimits(images=2))

    def quota(request: ImportRequest) -> None:
        if len(target.requests) == 2:
            raise QuotaError("quota reached", limit=4, used=4, trying=2)

    target.before = quota
    end = summary(submit(state, target, manifest(tmp_path, 6)))
    assert (end.exit_code, end.totals.success, end.totals.pending) == (ExitCode.QUOTA, 4, 0)


def test_a_deadline_ends_a_run_that_sends(state: StateStore, tmp_path: Path) -> None:
    time = Time()
    target = StandIn(limits=BatchLimits(images=1), before=lambda request: time.sleep(10))
    end = summary(submit(state, target, manifest(tmp_path, 10), time=time, deadline=25))
    assert (end.exit_code, end.totals.rows) == (ExitCode.DEADLINE, 10)
    assert (end.totals.success, end.totals.unsubmitted) == (3, 7)


def test_many_jobs_share_the_questions_that_a_server_is_asked(
    state: StateStore, tmp_path: Path
) -> None:
    time, asked = Time(), []

    class Timed(StandIn):
        def status(self, job_id: str) -> JobStatus:
            asked.append(time.at)
            return super().status(job_id)

    target = Timed(looks=4, local=False, limits=BatchLimits(images=1), requests_per_second=5)
    submit(state, target, manifest(tmp_path, MAX_OPEN_JOBS), time=time)
    assert len([at for at in asked if at < 1_003.6]) == MAX_OPEN_JOBS, "each once, five a second"
    assert len(asked) == 4 * MAX_OPEN_JOBS


def test_too_many_failures_stop_the_run(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused, limits=BatchLimits(images=1))
    end = summary(submit(state, target, manifest(tmp_path, 40), max_failures=FailureLimit.of("4")))
    assert (end.exit_code, end.totals.rows) == (ExitCode.FAILURE_LIMIT, 40)
    assert end.totals.unsubmitted > 0
    assert isinstance(end.stopped, FailureLimitError) and "of" in end.stopped.message


def test_what_the_manifest_leaves_out_is_told_before_anything_is_sent(
    state: StateStore, tmp_path: Path
) -> None:
    path = manifest(tmp_path, 1)
    path.write_text(path.read_text().replace("metadata.caption", "Fotograf"))
    first, *_ = submit(state, StandIn(), path)
    assert isinstance(first, Notice) and "Fotograf" in first.text


def test_webhooks_that_did_not_arrive_are_told(state: StateStore, tmp_path: Path) -> None:
    class Unheard(StandIn):
        def undelivered(self) -> tuple[str, ...]:
            return ("webhook of job job1: no answer",)

    events = submit(state, Unheard(), manifest(tmp_path, 1))
    notices = [event for event in events if isinstance(event, Notice)]
    assert [(each.code, each.text) for each in notices][-1] == (
        "webhook-undelivered",
        "webhook of job job1: no answer",
    )


def test_resend_sends_what_has_not_changed(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 2)
    submit(state, target, path)
    target.answer = lambda id_: arrived(id_, Status.SKIPPED)
    end = summary(submit(state, target, path, resend=True))
    assert target.sent_ids() == ["id1", "id2"] * 2
    assert (end.totals.skipped, end.totals.not_taken_over) == (2, 0)


def test_requests_carry_their_entries_rendered(state: StateStore, tmp_path: Path) -> None:
    """Nobody has to render them again: neither the client nor the state file."""
    target = StandIn()
    submit(state, target, manifest(tmp_path, 3))
    request = target.requests[0]
    assert [json.loads(body)["id"] for body in request.bodies] == ["id1", "id2", "id3"]
    assert wire.request_body(request) == wire.request_body(replace(request, bodies=()))


def test_the_counts_of_a_run_add_up_while_it_runs(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(looks=2, limits=BatchLimits(images=3))
    events = submit(state, target, manifest(tmp_path, 8))
    steps = [event for event in events if isinstance(event, Progress)]
    assert {step.to_send for step in steps} == {8}
    assert [step.sent for step in steps] == sorted(step.sent for step in steps)
    assert all(step.counts.total == step.sent for step in steps)
    assert (steps[-1].counts.success, steps[-1].open_jobs) == (8, 0)
    assert sum(event.counts.success for event in events if isinstance(event, JobEnded)) == 8


def test_a_manifest_that_changes_while_it_is_checked_is_not_sent(
    state: StateStore, tmp_path: Path
) -> None:
    path, target = manifest(tmp_path, 3_000), StandIn()
    opened = source(path)
    edits = iter([lambda: manifest(tmp_path, 3_000, caption="edited")])

    def tick(read: int) -> None:
        next(edits, lambda: None)()

    with opened.manifest, pytest.raises(ManifestError, match="chang"):
        list(Migration(state, target, Time().clock).submit(opened, tick=tick))
    assert target.requests == []


def test_a_change_that_was_lost_is_still_a_change(state: StateStore, tmp_path: Path) -> None:
    """The image is at the target in its older state; only one that never arrived is new."""
    target, path = StandIn(), manifest(tmp_path, 1)
    submit(state, target, path)
    target.end = JobState.LOST
    submit(state, target, manifest(tmp_path, 2, caption="edited"))
    assert state.overview().totals.unsubmitted == 2
    assert [row.status for row in state.results()] == [None, None]
    plan = planned(submit(state, target, path)).plan
    assert (plan.changed, plan.new) == (1, 1)


def test_an_unnamed_archive_does_not_take_over_what_is_under_way(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 2, "a.csv"), name=None)
    with pytest.raises(UsageError, match="another manifest"):
        submit(state, target, manifest(tmp_path, 2, "b.csv", caption="other"), name=None)


def test_rows_under_way_at_the_plan_are_counted_once_though_their_job_is_lost(
    state: StateStore, tmp_path: Path
) -> None:
    class Forgetful(StandIn):
        def status(self, job_id: str) -> JobStatus:
            told = super().status(job_id)
            return JobStatus(job_id, JobState.LOST) if job_id == "job1" and told.finished else told

    target, path = Forgetful(), manifest(tmp_path, 700)
    head, *rows = path.read_text().splitlines()
    one = tmp_path / "one.csv"
    one.write_text(f"{head}\n{rows[599]}\n")
    left_open(state, target, one)
    end = summary(submit(state, target, path, batch_size=100))
    assert target.sent_ids().count("id600") == 2, "at once: the library has not got it"
    assert (end.totals.success, end.totals.unsubmitted, end.totals.rows) == (700, 0, 700)


def test_failures_of_another_manifest_are_told_with_their_causes(
    state: StateStore, tmp_path: Path
) -> None:
    """The same rows in another file: nothing is sent, and why they failed still counts."""
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 2, "a.csv"))
    end = summary(submit(state, target, manifest(tmp_path, 2, "b.csv")))
    assert (len(target.requests), end.totals.failed) == (1, 2)
    assert [(row.cause, row.images) for row in end.causes] == [("origin-404", 2)]


def test_a_state_file_that_was_lost_costs_nothing_but_time(
    state: StateStore, tmp_path: Path
) -> None:
    """What the target skips, because it has it, has arrived."""
    target, path = StandIn(answer=lambda id_: arrived(id_, Status.SKIPPED)), manifest(tmp_path, 2)
    end = summary(submit(state, target, path))
    assert (end.totals.skipped, end.totals.not_taken_over) == (2, 0)
    assert planned(submit(state, target, path)).plan.unchanged == 2


def test_the_next_batch_is_made_while_a_server_takes_one(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = threading.Semaphore(0)

    def counted(*words: Any) -> Iterator[Any]:
        for each in cut(*words):
            made.release()
            yield each
        made.release()  # there is no other

    monkeypatch.setattr("ldimport.migration.submit.cut", counted)
    beside: list[bool] = []

    def taking(_request: ImportRequest) -> None:
        if not beside:
            made.acquire()  # this first one
        beside.append(made.acquire(timeout=20))

    target = StandIn(local=False, before=taking)
    end = summary(submit(state, target, manifest(tmp_path, 5), batch_size=2))
    assert beside == [True, True, True]
    assert (end.totals.success, end.exit_code) == (5, ExitCode.OK)
    assert target.sent_ids() == [f"id{n}" for n in range(1, 6)]


def test_a_batch_on_its_way_is_kept_where_the_next_cannot_be_made(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any) -> Iterator[Any]:
        yield next(cut(*words))
        raise ManifestError("the manifest is gone")

    monkeypatch.setattr("ldimport.migration.submit.cut", broken)
    target = StandIn(local=False)
    end = summary(submit(state, target, manifest(tmp_path, 4), batch_size=2))
    assert str(end.stopped) == "the manifest is gone"
    assert len(target.requests) == 1
    assert (end.totals.rows, end.totals.unsubmitted) == (4, 2)
    assert [row.id for row in state.jobs()] == ["job1"]
