"""A few images first, a limit of failures, and hosts that fail over and over."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import Time, manifest, submit, summary
from hypothesis import given
from hypothesis import strategies as some
from standin import StandIn, arrived, refused

from ldimport.errors import ExitCode, FailureLimitError, QuotaError, TemporaryError
from ldimport.migration import Migration, RetryOptions, StateStore
from ldimport.migration.batch import Outgoing
from ldimport.migration.canary import spread
from ldimport.migration.events import CanaryEnded, Event, Notice, Summary
from ldimport.migration.hosts import IN_A_ROW, PORTION
from ldimport.migration.limits import FailureLimit
from ldimport.model import Image, JobState, Result
from ldimport.targets.base import BatchLimits

BUSY = "origin answered 503"


def canary_of(events: list[Event]) -> CanaryEnded:
    (found,) = [each for each in events if isinstance(each, CanaryEnded)]
    return found


def numbers(target: StandIn) -> list[int]:
    return [int(each.removeprefix("id")) for each in target.sent_ids()]


# -- the canary ----------------------------------------------------------------------------


@given(some.integers(1, 300), some.integers(1, 300))
def test_a_canary_is_spread_evenly(whole: int, many: int) -> None:
    images = [Outgoing.of(Image(str(n), "https://a.b/c", "", {}), n) for n in range(whole)]
    rows = [each.row for each in spread(images, whole, many)]
    assert len(rows) == min(whole, many)
    for n, row in enumerate(rows if many < whole else []):
        assert n * whole // many <= row < (n + 1) * whole / many


def test_the_first_batch_is_spread_and_the_others_follow(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    events = submit(state, target, manifest(tmp_path, 100), canary=4)
    assert [len(each.images) for each in target.requests] == [4, 96]
    assert numbers(target)[:4] == [13, 38, 63, 88]
    assert sorted(numbers(target)) == [*range(1, 101)], "none is sent twice"
    found = canary_of(events)
    assert (found.totals.success, found.totals.rows, found.passed) == (4, 4, True)
    assert summary(events).totals.success == 100


def test_the_others_stay_behind_where_too_many_fail(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda i: refused(i) if i in ("id13", "id38") else arrived(i))
    events = submit(state, target, manifest(tmp_path, 100), canary=4)
    end, found = summary(events), canary_of(events)
    assert (found.totals.failed, found.passed, found.limit) == (2, False, "10%")
    assert (end.exit_code, end.totals.unsubmitted, end.totals.rows) == (
        ExitCode.FAILURE_LIMIT, 96, 100,
    )  # fmt: skip
    assert isinstance(end.stopped, FailureLimitError)
    assert end.stopped.message.startswith("stopped after the canary: 2 of 4 images failed")
    assert end.stopped.facts["causes"].startswith("2 the image server answered 404")
    assert [each.cause for each in end.causes] == ["origin-404"]
    again = submit(state, target, manifest(tmp_path, 100), canary=4)
    assert summary(again).totals.rows == 100 and len(set(numbers(target))) == len(numbers(target))


@pytest.mark.parametrize(
    ("limit", "passed"), [("any", False), ("3", True), ("2", False), ("50%", True), ("49%", False)]
)
def test_the_limit_of_failures_is_the_canary_s(
    state: StateStore, tmp_path: Path, limit: str, passed: bool
) -> None:
    target = StandIn(answer=lambda i: refused(i) if i in ("id2", "id7") else arrived(i))
    events = submit(
        state, target, manifest(tmp_path, 10), canary=4, max_failures=FailureLimit.of(limit)
    )
    assert numbers(target)[:4] == [2, 4, 7, 9]
    assert (canary_of(events).limit, canary_of(events).passed) == (limit, passed)
    assert len(target.requests) == 1 + passed


def test_a_canary_that_is_lost_has_not_passed(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(end=JobState.LOST)
    end = summary(submit(state, target, manifest(tmp_path, 50), canary=5))
    assert (len(target.requests), end.totals.unsubmitted) == (2, 50), "sent once more, lost again"
    assert isinstance(end.stopped, FailureLimitError)


def test_it_waits_for_the_canary_whatever_was_asked(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(looks=3)
    events = submit(state, target, manifest(tmp_path, 30), canary=3, wait=False)
    assert canary_of(events).totals.success == 3
    end = summary(events)
    assert (len(target.requests), end.totals.pending) == (2, 27)


def test_a_canary_lies_within_the_limit(state: StateStore, tmp_path: Path) -> None:
    target = StandIn()
    end = summary(submit(state, target, manifest(tmp_path, 100), canary=2, limit=10))
    assert numbers(target)[:2] == [3, 8] and sorted(numbers(target)) == [*range(1, 11)]
    assert (end.totals.success, end.totals.unsubmitted) == (10, 90)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_canary_of_all_is_all(state: StateStore, tmp_path: Path, rows: int) -> None:
    target = StandIn()
    events = submit(state, target, manifest(tmp_path, rows), canary=50)
    assert (canary_of(events).totals.rows, len(target.requests)) == (rows, 1)


def test_nothing_to_send_needs_no_canary(state: StateStore, tmp_path: Path) -> None:
    submit(state, StandIn(), manifest(tmp_path, 2))
    events = submit(state, StandIn(), manifest(tmp_path, 2), canary=5)
    assert not any(isinstance(each, CanaryEnded) for each in events)


def test_a_canary_that_the_quota_cuts_off_is_judged_by_what_was_sent(
    state: StateStore, tmp_path: Path
) -> None:
    def quota(request: object) -> None:
        if len(target.requests) == 1:
            raise QuotaError("quota reached", limit=2, used=2, trying=2)

    target = StandIn(before=quota, limits=BatchLimits(images=2))
    events = submit(state, target, manifest(tmp_path, 20), canary=4)
    end = summary(events)
    assert (end.exit_code, end.totals.success, end.totals.rows) == (ExitCode.QUOTA, 2, 20)
    assert canary_of(events).totals.rows == 2


def test_an_answer_that_keeps_the_canary_from_its_end_ends_the_run(
    state: StateStore, tmp_path: Path
) -> None:
    class Busy(StandIn):
        def status(self, job_id: str) -> object:  # type: ignore[override]
            raise TemporaryError("503", code="server-error")

    target = Busy()
    end = summary(submit(state, target, manifest(tmp_path, 20), canary=4))
    assert (len(target.requests), end.exit_code) == (1, ExitCode.TEMPORARY)


# -- the limit while it runs ---------------------------------------------------------------


def test_what_stops_a_run_names_the_leading_causes(state: StateStore, tmp_path: Path) -> None:
    reasons = ["origin answered 404", "no such file: x", "not an image: text"]
    target = StandIn(
        answer=lambda i: refused(i, reasons[int(i[2:]) % 3 if int(i[2:]) > 20 else 0]),
        limits=BatchLimits(images=2),
    )
    limit = FailureLimit.of("30")
    end = summary(submit(state, target, manifest(tmp_path, 200), max_failures=limit))
    assert end.exit_code is ExitCode.FAILURE_LIMIT and end.totals.rows == 200
    assert isinstance(end.stopped, FailureLimitError)
    assert "more than --max-failures allows" in end.stopped.message
    assert len(end.stopped.facts) == 4 and end.stopped.facts["limit"] == "30"
    assert "404" in end.stopped.facts["causes"]


def test_a_retry_is_stopped_too(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 30))
    target.limits = BatchLimits(images=1)
    options = RetryOptions(everything=True, max_failures=FailureLimit.of("3"))
    end = summary(list(Migration(state, target, Time().clock).retry(options)))
    assert end.exit_code is ExitCode.FAILURE_LIMIT and end.totals.unsubmitted > 0
    assert state._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


# -- hosts ---------------------------------------------------------------------------------


def two_hosts(folder: Path, rows: int) -> Path:
    """Rows of two hosts in turn: ``down.example`` and ``up.example``."""
    path = folder / "archive.csv"
    hosts = ("down", "up")
    lines = [f"{hosts[n % 2]}{n},https://{hosts[n % 2]}.example/{n}.jpg,T" for n in range(rows)]
    path.write_text("id,url,fileName\n" + "\n".join(lines) + "\n")
    return path


def down(id_: str) -> Result:
    return refused(id_, BUSY) if id_.startswith("down") else arrived(id_)


def nights(state: StateStore, target: StandIn, path: Path, n: int) -> list[Event]:
    return submit(state, target, path, time=Time(1_000 + n * 86_400.0))


def sent_of(target: StandIn, host: str) -> int:
    return sum(each.startswith(host) for each in target.sent_ids())


def notes(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice) and "host" in each.code]


def test_a_host_that_fails_over_and_over_is_held_back(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=down, limits=BatchLimits(images=10))
    path = two_hosts(tmp_path, 1_000)
    events = nights(state, target, path, 0)
    end = summary(events)
    assert end.totals.success == 500 and end.totals.rows == 1_000
    assert end.totals.failed == sent_of(target, "down") <= IN_A_ROW + 17 * 5
    assert end.held == {"down.example": end.totals.unsubmitted}
    assert notes(events) == [
        "down.example failed 20 times in a row: no more of it is sent in this run"
    ]
    assert (end.stopped, end.exit_code) == (None, ExitCode.FAILURES)


def test_the_next_run_tries_a_few_of_it_first(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=down, limits=BatchLimits(images=10))
    path = two_hosts(tmp_path, 1_000)
    nights(state, target, path, 0)
    before = sent_of(target, "down")
    events = nights(state, target, path, 1)
    assert sent_of(target, "down") == before + PORTION
    assert summary(events).held["down.example"] == 500 - PORTION
    assert notes(events) == [
        "down.example failed 5 times in a row: no more of it is sent in this run"
    ]
    target.answer = arrived
    end = summary(nights(state, target, path, 2))
    assert (end.totals.success, end.totals.rows, end.held) == (1_000, 1_000, {})


def test_one_that_arrives_between_lets_a_host_go_on(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(
        answer=lambda i: arrived(i) if i.endswith("0") else refused(i, BUSY),
        limits=BatchLimits(images=10),
    )
    end = summary(submit(state, target, manifest(tmp_path, 300)))
    assert (end.held, end.totals.success, end.totals.failed) == ({}, 30, 270)


def test_what_is_wrong_with_images_says_nothing_of_their_host(
    state: StateStore, tmp_path: Path
) -> None:
    for reason in ("origin answered 404", "not an image: text", "Could not upload image"):
        target = StandIn(
            answer=lambda i, reason=reason: refused(i, reason), limits=BatchLimits(images=10)
        )
        end = summary(submit(state, target, manifest(tmp_path, 100), resend=True))
        assert (end.held, end.totals.failed) == ({}, 100)


def retried(state: StateStore, target: StandIn, **options: object) -> Summary:
    clock = Time(2_000).clock
    wanted = RetryOptions(**options)  # type: ignore[arg-type]
    return summary(list(Migration(state, target, clock).retry(wanted)))


def test_a_retry_tries_a_few_of_it_first_too(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda i: refused(i, BUSY))
    submit(state, target, manifest(tmp_path, 200))
    end = retried(state, target)
    assert (end.totals.failed, end.totals.unsubmitted) == (PORTION, 195)
    assert end.held == {"img.example": 195}
    assert retried(state, target, host="img.example").totals.failed == 200, "asked for by name"
    target.answer = arrived
    assert retried(state, target).totals.success == 200


def test_scattered_failures_say_nothing_of_a_host(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda i: arrived(i) if i.endswith("0") else refused(i, BUSY))
    submit(state, target, manifest(tmp_path, 60))
    target.answer = arrived
    end = retried(state, target)
    assert (end.held, end.totals.success, end.totals.unsubmitted) == ({}, 54, 0)
    assert len(target.requests) == 2, "all at once, and not a few first"
