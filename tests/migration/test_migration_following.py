"""Thousands of jobs are followed: few questions a second, ended ones found early, a target that is
busy or slow, jobs that the target no longer knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from archives import Time, manifest, many_open, submit, summary
from standin import StandIn, arrived

from ldimport.errors import AuthError, ExitCode, QuotaError, TemporaryError
from ldimport.migration import Migration, StateStore
from ldimport.migration.events import Event, JobEnded, Progress
from ldimport.migration.quota import QuotaRules
from ldimport.model import Asset, ImportRequest, JobOptions, JobState, JobStatus, Notice


@dataclass
class Remote(StandIn):
    """A target over HTTP: ``ended`` says which jobs have, ``takes`` how many seconds an answer
    needs; each question has its time in ``times``."""

    time: Time = field(default_factory=Time)
    local: bool = False
    requests_per_second: float = 5
    ended: Callable[[int, float], bool] = lambda number, at: True
    takes: float = 0.0
    busy: int = 0
    times: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    def status(self, job_id: str) -> JobStatus:
        self.question()
        number = int(job_id.removeprefix("job"))
        self.order.append(number)
        if self.busy:
            self.busy -= 1
            raise TemporaryError("not available for now (503)", code="busy")
        if job_id in self.jobs and not self.ended(number, self.time.at - 1_000):
            return JobStatus(job_id, JobState.STARTED)
        return super().status(job_id)

    def question(self) -> None:
        self.times.append(self.time.at)
        self.time.at += self.takes

    def most_in_a_second(self) -> int:
        """Questions in any second."""
        times = self.times
        return max(sum(at <= each < at + 0.999 for each in times[n : n + 20])
                   for n, at in enumerate(times))  # fmt: skip


def watch(state: StateStore, target: Remote, deadline: float | None = None) -> list[Event]:
    return list(Migration(state, target, target.time.clock).watch(deadline=deadline))


def test_ended_jobs_are_harvested_with_one_question_each(state: StateStore) -> None:
    target = Remote()
    many_open(state, 600, target)
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.success, len(target.times)) == (ExitCode.OK, 600, 600)
    assert target.order == [*range(1, 601)], "oldest first"
    assert target.most_in_a_second() == 5
    assert 119 < target.time.at - 1_000 < 121


@pytest.mark.parametrize("per_second", [5, 50])
@pytest.mark.parametrize("order", ["as accepted", "last first", "the oldest hang"])
def test_jobs_that_end_while_others_run_are_found_early(
    state: StateStore, order: str, per_second: int
) -> None:
    """A job ends each second, and it is not known which; the last is found soon after its end."""
    ends: dict[str, Callable[[int, float], bool]] = {
        "as accepted": lambda number, at: at >= number,
        "last first": lambda number, at: at >= 301 - number,
        "the oldest hang": lambda number, at: at >= (400 if number <= 100 else number - 100),
    }
    target = Remote(ended=ends[order], requests_per_second=per_second)
    many_open(state, 300, target)
    found = {}
    for event in Migration(state, target, target.time.clock).watch():
        if isinstance(event, Progress):
            found[event.counts.success] = target.time.at - 1_000
    assert min(at for images, at in found.items() if images >= 75) < 75 + 75
    assert found[300] < 300 + 35 + (100 if order == "the oldest hang" else 0)
    assert target.most_in_a_second() <= per_second


def test_few_jobs_are_asked_less_and_less_often(state: StateStore) -> None:
    target = Remote(ended=lambda number, at: at > 3_600)
    many_open(state, 2, target)
    watch(state, target)
    assert len(target.times) < 2 * 3_600 / 30 + 30


def test_a_deadline_holds_where_every_answer_is_slow(state: StateStore) -> None:
    target = Remote(takes=20.0)
    many_open(state, 40, target)
    end = summary(watch(state, target, deadline=90))
    assert end.exit_code == ExitCode.DEADLINE
    assert (end.totals.success, end.totals.pending) == (5, 35)
    assert target.time.at - 1_000 < 90 + 20 + 1
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 35)


def test_a_busy_target_is_asked_more_slowly_and_ends_no_run(state: StateStore) -> None:
    target = Remote(busy=6)
    many_open(state, 20, target)
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 20)
    pauses = [b - a for a, b in zip(target.times[:7], target.times[1:7], strict=False)]
    assert pauses == sorted(pauses) and pauses[-1] > 15
    target = Remote(busy=10_000)
    many_open_again(state, target)
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.pending) == (ExitCode.TEMPORARY, 1)
    assert 600 < target.time.at - 1_000 < 700


def many_open_again(state: StateStore, target: Remote) -> None:
    target.identity = "test:2"
    target.jobs = {"job99": ImportRequest("archive", ())}
    path = manifest(Path(state.path).parent, 1, "again.csv")
    target.by_key = {}
    submit(state, target, path, wait=False)


def test_a_watcher_beside_a_run_reads_no_row_twice(
    state: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Remote()
    many_open(state, 300, target)
    batches = state.open_batches(target.identity)
    rows: list[int] = []

    class Working(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            for batch in [batches.pop() for _ in range(min(50, len(batches)))]:
                results = tuple(arrived(each.id) for each in target.jobs[batch.job_id or ""].images)
                job = JobStatus(batch.job_id or "", JobState.SUCCESS, results=results)
                state.settle(batch, job, 1_800_000_000.0)

    with StateStore.open(state.path, write=False) as reader:
        jobs = reader.jobs
        monkeypatch.setattr(
            reader, "jobs", lambda ids, **of: rows.append(len(ids)) or jobs(ids, **of)
        )
        events = list(Migration(reader, target, Working().clock).watch())
    assert sum(isinstance(event, JobEnded) for event in events) == 300
    assert rows == [300, 50, 50, 50, 50, 50, 50]
    assert summary(events).totals.success == 300
    assert target.times == [], "the run asks, not the watcher"


# -- lost jobs ------------------------------------------------------------------------------


@dataclass
class Forgetful(Remote):
    """Has a media library; the jobs in ``lost`` are unknown, ``stored`` of their images are there,
    and each job is unknown for the first ``late`` questions."""

    lost: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    late: int = 0
    forbidden: bool = False
    looked_up: list[str] = field(default_factory=list)
    refuses: Exception | None = None

    def status(self, job_id: str) -> JobStatus:
        asked = self.asked[job_id] = self.asked.get(job_id, 0) + 1
        if job_id in self.lost or asked <= self.late:
            self.question()
            return JobStatus(job_id, JobState.LOST)
        return super().status(job_id)

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        if self.refuses is not None and self.requests:
            raise self.refuses
        return super().submit(request, key, options)

    def find(self, system_name: str, external_id: str) -> Asset | None:
        self.question()
        self.looked_up.append(external_id)
        if self.forbidden:
            raise AuthError("the token lacks public-api:read")
        return arrived(external_id).asset if external_id in self.stored else None


def test_a_job_is_lost_only_when_it_was_asked_about_again(
    state: StateStore, tmp_path: Path
) -> None:
    target = Forgetful(late=3)
    end = summary(submit(state, target, manifest(tmp_path, 2), time=target.time))
    assert (end.exit_code, len(target.requests), len(target.times)) == (ExitCode.OK, 1, 4)
    pauses = [b - a for a, b in zip(target.times, target.times[1:], strict=False)]
    assert pauses == sorted(pauses) and sum(pauses) >= 6.9


def test_a_lost_job_is_reconciled_image_by_image_and_its_rest_sent_again(
    state: StateStore, tmp_path: Path
) -> None:
    target = Forgetful(lost={"job1"}, stored={"id2", "id4"})
    events = submit(state, target, manifest(tmp_path, 5), time=target.time)
    end = summary(events)
    assert (end.exit_code, end.totals.success, end.totals.rows) == (ExitCode.OK, 5, 5)
    assert target.sent_ids()[5:] == ["id1", "id3", "id5"]
    assert [(row.status, row.media_id) for row in state.results()] == [
        ("success", f"m-id{n}") for n in range(1, 6)
    ]
    notices = (event for event in events if isinstance(event, Notice))
    (told,) = [event.text for event in notices if event.code == "lost-job"]
    assert "2 of its 5 images arrived, 3 are sent again" in told
    assert target.most_in_a_second() <= 5
    assert state.overview().totals == end.totals


def test_a_job_that_is_lost_twice_is_left_for_the_next_run(
    state: StateStore, tmp_path: Path
) -> None:
    target = Forgetful(lost={"job1", "job2"}, stored={"id2"})
    path = manifest(tmp_path, 3)
    end = summary(submit(state, target, path, time=target.time))
    assert (end.exit_code, len(target.requests)) == (ExitCode.REFUSED, 2)
    assert (end.totals.success, end.totals.unsubmitted, end.totals.rows) == (1, 2, 3)
    again = summary(submit(state, target, path, time=target.time))
    assert (again.exit_code, again.totals.success) == (ExitCode.OK, 3)
    assert target.sent_ids()[5:] == ["id1", "id3"]


def test_all_of_a_lost_job_may_have_arrived(state: StateStore, tmp_path: Path) -> None:
    target = Forgetful(lost={"job1"}, stored={"id1", "id2"})
    end = summary(submit(state, target, manifest(tmp_path, 2), time=target.time))
    assert (end.exit_code, end.totals.success, len(target.requests)) == (ExitCode.OK, 2, 1)


def test_without_a_library_lost_images_are_not_sent(state: StateStore, tmp_path: Path) -> None:
    target = Forgetful(lost={"job1", "job2"}, forbidden=True)
    events = submit(state, target, manifest(tmp_path, 4), time=target.time, batch_size=2)
    end = summary(events)
    assert (end.exit_code, end.totals.unsubmitted) == (ExitCode.REFUSED, 4)
    (told,) = [e.text for e in events if isinstance(e, Notice) and e.code == "lost-job"]
    assert "count as not sent" in told and "public-api:read" in told
    assert (len(target.requests), target.looked_up) == (2, ["id1"]), "it is asked once in a run"


def test_many_images_that_are_not_there_are_not_all_looked_up(
    state: StateStore, tmp_path: Path
) -> None:
    target = Forgetful(lost={"job1"})
    end = summary(submit(state, target, manifest(tmp_path, 500), time=target.time))
    assert (end.exit_code, end.totals.success, len(target.looked_up)) == (ExitCode.OK, 500, 20)


def test_watch_reconciles_what_an_earlier_run_lost(state: StateStore) -> None:
    target = Forgetful(lost={"job1", "job3"}, stored={"id1-1", "id3-0", "id3-1"})
    many_open(state, 4, target, images=2)
    events = watch(state, target)
    end = summary(events)
    assert (end.exit_code, end.totals.success, end.totals.rows) == (ExitCode.OK, 8, 8)
    assert target.sent_ids() == ["id1-0"]


def test_a_run_that_ends_among_lookups_leaves_the_job_open(state: StateStore) -> None:
    target = Forgetful(lost={"job1"}, stored={f"id1-{n}" for n in range(0, 100, 2)})
    many_open(state, 1, target, images=100)
    before = state.overview()
    end = summary(watch(state, target, deadline=15))
    assert end.exit_code == ExitCode.DEADLINE
    assert 10 < len(target.looked_up) < 60
    assert (state.overview().totals, state.overview().under_way) == (
        before.totals, before.under_way)  # fmt: skip
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.success, end.totals.rows) == (ExitCode.OK, 100, 100)
    assert len(target.sent_ids()) == 50


def test_what_cannot_be_sent_again_now_is_not_sent(state: StateStore, tmp_path: Path) -> None:
    target = Forgetful(lost={"job1"}, stored={"id1"}, refuses=QuotaError("100 a day"))
    path = manifest(tmp_path, 3)
    end = summary(submit(state, target, path, time=target.time))
    assert (end.exit_code, end.totals.success, end.totals.unsubmitted) == (ExitCode.QUOTA, 1, 2)
    target.refuses = None
    assert summary(submit(state, target, path, time=target.time)).totals.success == 3


def test_what_takes_the_place_of_a_named_lost_job_is_followed_too(state: StateStore) -> None:
    target = Forgetful(lost={"job2"})
    many_open(state, 3, target)
    migration = Migration(state, target, target.time.clock)
    target.ended = lambda number, at: number < 4
    end = summary(list(migration.watch(["job2"], deadline=60)))
    assert (end.exit_code, end.totals.pending, len(end.jobs)) == (ExitCode.DEADLINE, 1, 2)
    target.ended = lambda number, at: True
    assert summary(watch(state, target)).totals.success == 3


def test_what_a_lost_job_left_waits_for_room_in_the_quota(
    state: StateStore, tmp_path: Path
) -> None:
    target = Forgetful(lost={"job1"}, stored={"id1"})
    target.refuses = QuotaError("no room", retry_after=3_600.0)

    class Later(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.at > 1_000 + 3_600:
                target.refuses = None

    target.time = Later()
    rules, path = QuotaRules(wait=True), manifest(tmp_path, 3)
    end = summary(submit(state, target, path, time=target.time, quota=rules))
    assert (end.exit_code, end.totals.success, len(target.requests)) == (ExitCode.OK, 3, 2)
