"""A notice of a webhook is a hint: it saves questions, and finds a job whose answer was lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import Time, manifest, many_open, source, summary
from standin import StandIn
from test_migration_following import Remote, many_open_again, watch

from ldimport.errors import ExitCode, TemporaryError
from ldimport.migration import Migration, StateStore, SubmitOptions
from ldimport.migration.account import Account
from ldimport.migration.batch import Envelope
from ldimport.migration.events import Event
from ldimport.migration.hints import Hints
from ldimport.migration.inbox import Inbox
from ldimport.migration.model import OpenBatch
from ldimport.model import Counts, ImportRequest, JobHint, JobOptions, JobState, JobStatus, Notice

HOOK = "http://127.0.0.1:9096/"


class Notifying(Remote):
    """Jobs end after an hour; the webhook comes at once."""

    inbox: Inbox | None = None

    def tell(self) -> None:
        if self.inbox is not None and self.time.at - 1_000 > 3_600:
            for job in self.jobs:
                self.inbox.add(JobHint(job, "success"))

    def hook(self) -> Time:
        real, tell = self.time, self.tell

        class Telling(Time):
            def sleep(self, seconds: float) -> None:
                real.sleep(seconds)
                self.at = real.at
                tell()

        return Telling()


def followed(state: StateStore, *, webhook: str | None = HOOK, listens: bool) -> Notifying:
    target = Notifying(ended=lambda number, at: at > 3_600)
    many_open(state, 3, target, webhook=webhook)
    target.inbox = inbox = Inbox(state.path)
    clock = target.hook().clock
    if listens:
        with inbox.listening():
            end = summary(list(Migration(state, target, clock).watch()))
    else:
        target.inbox = None
        end = summary(list(Migration(state, target, clock).watch()))
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 3)
    return target


def test_who_listens_asks_ten_times_less_and_hears_at_once(tmp_path: Path) -> None:
    asked = {}
    for name in ("listens", "alone"):
        with StateStore.open(tmp_path / name, write=True) as state:
            asked[name] = followed(state, listens=name == "listens")
    assert len(asked["alone"].times) > 3 * 3_600 / 30
    assert len(asked["listens"].times) < len(asked["alone"].times) / 4
    assert asked["listens"].time.at - 1_000 < 3_600 + 3
    assert Inbox(tmp_path / "listens").all() == [], "what was used is gone"


def test_jobs_without_a_webhook_are_asked_as_ever(state: StateStore) -> None:
    target = followed(state, webhook=None, listens=True)
    assert len(target.times) > 3 * 3_600 / 30


def test_a_notice_is_a_hint_and_never_a_result(state: StateStore) -> None:
    target = Remote(ended=lambda number, at: at > 100)
    many_open(state, 1, target, webhook=HOOK)
    Inbox(state.path).add(JobHint("job1", "failed"))
    Inbox(state.path).add(JobHint("elsewhere", "lost"))
    end = summary(watch(state, target))
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 1)
    assert [each.job for each in Inbox(state.path).all()] == ["elsewhere"]


def test_a_notice_that_came_late_goes_with_the_next_run(state: StateStore) -> None:
    target = Remote()
    many_open(state, 1, target, webhook=HOOK)
    watch(state, target)
    Inbox(state.path).add(JobHint("job1", "success"))
    many_open_again(state, target)
    watch(state, target)
    assert Inbox(state.path).all() == []


def test_a_notice_before_the_job_is_known_makes_it_due(state: StateStore) -> None:
    Inbox(state.path).add(JobHint("job1", "success"))
    target = Remote()
    time = target.time
    opened = source(manifest(state.path.parent, 1), webhook=HOOK)
    with opened.manifest:
        list(Migration(state, target, time.clock).submit(opened, SubmitOptions()))
    assert target.times[0] < 1_000.3


# -- the answer is lost ---------------------------------------------------------------------


class Dropping(StandIn):
    """Takes a batch, and drops the connection before it answers; it knows no keys, as
    Livingdocs."""

    drops = 1

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        job = f"job{len(self.jobs) + 1}"
        self.jobs[job] = request
        self.requests.append(request)
        if self.drops:
            self.drops -= 1
            raise TemporaryError("the connection broke", code="unreachable")
        return job

    def status(self, job_id: str) -> JobStatus:
        found = super().status(job_id)
        return found if job_id in self.jobs else JobStatus(job_id, JobState.LOST)


def sent(state: StateStore, target: StandIn) -> list[Event]:
    opened = source(manifest(state.path.parent, 3), webhook=HOOK)
    with opened.manifest:
        return list(Migration(state, target, Time().clock).submit(opened, SubmitOptions()))


def test_of_several_jobs_of_a_batch_the_one_that_made_the_images_counts(state: StateStore) -> None:
    inbox, account = Inbox(state.path), Account(state, StandIn(local=False))
    for job, success in (("job1", 0), ("job2", 20), ("job3", 0)):
        inbox.add(JobHint(job, "success", Counts(success, 20 - success), "key"))
    hints = Hints(account)
    list(hints.due())
    assert hints.job_of(OpenBatch(1, 1, "key", None, 20)) == "job2"


@pytest.mark.parametrize("told", [True, False])
def test_a_job_whose_answer_was_lost_is_found_by_its_batch(state: StateStore, told: bool) -> None:
    target = Dropping(local=False)
    assert summary(sent(state, target)).exit_code == ExitCode.TEMPORARY
    (request,) = target.requests
    key = (request.context or {})["ldimportBatch"]
    if told:
        Inbox(state.path).add(JobHint("job1", "success", None, str(key)))
    events = sent(state, target)
    assert any(isinstance(each, Notice) and each.code == "found-job" for each in events) is told
    end = summary(events)
    assert (end.exit_code, end.totals.success) == (ExitCode.OK, 3)
    assert len(target.requests) == (1 if told else 2)
    if not told:
        assert target.requests[1] == request, "the very same body"


def test_a_repeat_of_a_batch_that_had_no_key_stays_as_it_was(
    state: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Dropping(local=False)
    with monkeypatch.context() as before:
        before.setattr(Envelope, "marked", lambda self, key: self)
        sent(state, target)
    sent(state, target)
    assert [each.context for each in target.requests] == [None, None]


def test_where_the_key_goes_and_where_not() -> None:
    key = "k" * 32
    with_hook = Envelope("a", HOOK, {"mine": 1})
    assert with_hook.marked(key).context == {"mine": 1, "ldimportBatch": key}
    assert with_hook.marked(key).unmarked(key) == with_hook
    assert Envelope("a", HOOK).marked(key).unmarked(key) == Envelope("a", HOOK)
    own = Envelope("a", HOOK, {"ldimportBatch": "mine"})
    assert own.marked(key) is own and own.unmarked(key) is own
    alone = Envelope("a", None, {"mine": 1})
    assert alone.marked(key) is alone
    for size, fits in ((8_000, True), (8_192 - 15, False)):
        full = Envelope("a", HOOK, {"ä": "x" * (size - 10)})
        assert (full.marked(key) is not full) is fits
