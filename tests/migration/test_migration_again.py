"""Failed images that ``submit`` sends again by itself: which, how often, and how long after."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from archives import Time, manifest, planned, submit, summary
from hypothesis import given
from hypothesis import strategies as some
from standin import StandIn, arrived, refused

from ldimport.errors import ExitCode, RefusedError
from ldimport.migration import Migration, RetryOptions, StateStore
from ldimport.migration.again import DAY, EARLY, HOUR, SPAN, Again, due_at
from ldimport.migration.events import Summary
from ldimport.migration.model import Failed, Known
from ldimport.model import JobState, Result, Status

BUSY = "origin answered 503"


def busy(id_: str) -> Result:
    return refused(id_, BUSY)


def failed(tries: int, since: float, last: float, **more: object) -> Known:
    known = (Status.FAILED, b"x", None, None, False, False, None)
    facts = {"retryable": True, "tries": tries, "failing_since": since, "failed_at": last, **more}
    return Known(*known, **facts)  # type: ignore[arg-type]


# -- the one place that decides ------------------------------------------------------------


def tried(starts: list[float], *, most: int = 5, took: float = 0.0) -> list[float]:
    """When an image that always fails is sent by runs that start at these times, and fails
    ``took`` seconds later."""
    sent: list[float] = []
    for now in starts:
        known = failed(len(sent), sent[0] + took, sent[-1] + took) if sent else None
        if known is None or Again(now, most).sends(known):
            sent.append(now)
    return sent


@given(
    some.lists(some.floats(-1_800, 1_800), min_size=5, max_size=30),
    some.floats(0, 5 * HOUR),
)
def test_a_nightly_line_tries_each_night_until_the_tries_are_used_up(
    late: list[float], took: float
) -> None:
    nights = [n * DAY + delay for n, delay in enumerate(late)]
    assert tried(nights, took=took) == nights[:5]


@given(
    some.lists(some.floats(60, 2 * DAY), min_size=1, max_size=60),
    some.integers(1, 9),
    some.floats(0, DAY),
)
def test_whenever_it_runs_tries_are_bounded_and_waits_grow(
    gaps: list[float], most: int, took: float
) -> None:
    starts = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
    sent = tried(starts, most=most, took=took)
    assert 1 <= len(sent) <= most
    for n, (before, after) in enumerate(pairwise(sent), 1):
        assert after - before >= took + [HOUR, 6 * HOUR, DAY - EARLY][min(n, 3) - 1]


def test_an_hourly_line_spreads_its_tries_over_three_days() -> None:
    hours = [n * HOUR for n in range(24 * 14)]
    found = tried(hours)
    assert [at / HOUR for at in found[:4]] == [0, 1, 7, 25]
    assert SPAN - EARLY <= found[4] <= SPAN and len(found) == 5
    assert tried(hours, most=1) == [0]


@given(some.integers(1, 50), some.floats(0, 1e9), some.floats(0, 30 * DAY))
def test_an_image_is_never_due_at_once(tries: int, since: float, later: float) -> None:
    assert due_at(tries, since, since + later) >= since + later + HOUR


@pytest.mark.parametrize("more", [{"retryable": False}, {"waived": True}])
def test_what_needs_a_person_is_left_to_one(more: dict[str, object]) -> None:
    assert Again(1e12).sends(failed(1, 0, 0))
    assert not Again(1e12).sends(failed(1, 0, 0, **more))


# -- runs ----------------------------------------------------------------------------------


def night(state: StateStore, target: StandIn, path: Path, n: float, **options: object) -> Summary:
    """A submit so many days after the first one."""
    return summary(submit(state, target, path, time=Time(1_000 + n * DAY), **options))


def test_a_plain_nightly_line_heals_what_passes(state: StateStore, tmp_path: Path) -> None:
    reasons = {"id1": BUSY, "id2": "origin answered 404"}
    target = StandIn(answer=lambda i: refused(i, reasons[i]) if i in reasons else arrived(i))
    path = manifest(tmp_path, 3)
    assert night(state, target, path, 0).exit_code is ExitCode.FAILURES
    again = night(state, target, path, 0.01)
    assert again.plan is not None and (again.plan.retried, again.plan.failed) == (0, 2)
    del reasons["id1"]
    healed = night(state, target, path, 1)
    assert healed.plan is not None
    assert (healed.plan.retried, healed.plan.failed, healed.plan.to_send) == (1, 1, 1)
    assert target.sent_ids() == ["id1", "id2", "id3", "id1"]
    assert (healed.totals.success, healed.totals.failed, healed.totals.rows) == (2, 1, 3)


def test_it_gives_up_and_begins_anew_with_an_edited_row(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(answer=busy), manifest(tmp_path, 1)
    for n in range(9):
        end = night(state, target, path, n)
        assert end.totals.rows == 1 and end.exit_code is ExitCode.FAILURES
    assert len(target.requests) == 5
    (row,) = state.results()
    assert (row.tries, row.retryable) == (5, True)
    night(state, target, manifest(tmp_path, 1, caption="edited"), 9)
    (row,) = state.results()
    assert (row.tries, len(target.requests)) == (1, 6)
    night(state, target, path, 10)
    assert len(target.requests) == 7


def test_the_number_of_tries_can_be_set(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(answer=busy), manifest(tmp_path, 1)
    for n in range(4):
        night(state, target, path, n, tries=1)
    assert len(target.requests) == 1
    for n in range(4, 9):
        night(state, target, path, n, tries=3)
    assert len(target.requests) == 3


def test_the_plan_tells_what_a_submit_then_does(state: StateStore, tmp_path: Path) -> None:
    """Every row is in one of its counts; a limit counts those that are tried again too."""
    target = StandIn(answer=lambda i: busy(i) if i in ("id1", "id2") else arrived(i))
    submit(state, target, manifest(tmp_path, 4))
    path = manifest(tmp_path, 6)
    events = submit(state, target, path, time=Time(1_000 + DAY), limit=3)
    plan = planned(events).plan
    assert (plan.new, plan.unchanged, plan.retried, plan.sendable, plan.to_send) == (2, 2, 2, 4, 3)
    assert target.sent_ids()[4:] == ["id1", "id2", "id5"]
    assert summary(events).totals.rows == 6


# -- sums ----------------------------------------------------------------------------------


STEPS = some.lists(
    some.tuples(
        some.sampled_from(("submit", "edit", "retry", "waive", "undo", "lost", "refuse")),
        some.sets(some.sampled_from(("id1", "id2", "id3")), min_size=1),
    ),
    max_size=8,
)


@given(STEPS)
def test_sums_are_those_of_the_images_whatever_is_waived(
    steps: list[tuple[str, set[str]]],
) -> None:
    with TemporaryDirectory() as name, StateStore.open(Path(name) / "s", write=True) as state:
        for n, (what, ids) in enumerate(steps):
            _step(state, Path(name), n, what, ids)
            (counted,) = state._connection.execute(COUNTED).fetchall()
            sums = state.overview().totals
            names = ("success", "failed", "pending", "unsubmitted", "waived", "tried_of_others")
            assert [*counted] == [getattr(sums, each, 0) for each in names]


COUNTED = """SELECT
  total(open_batch IS NULL AND status = 'success'),
  total(open_batch IS NULL AND status = 'failed' AND waived_at IS NULL),
  total(open_batch IS NOT NULL),
  total(open_batch IS NULL AND status IS NULL),
  total(open_batch IS NULL AND waived_at IS NOT NULL),
  total(status IS NOT 'failed' AND (tries > 0 OR failing_since IS NOT NULL) AND status IS NOT NULL)
FROM image"""


def _step(state: StateStore, folder: Path, n: int, what: str, ids: set[str]) -> None:
    def refuse(request: object) -> None:
        raise RefusedError("400")

    target = StandIn(answer=lambda i: busy(i) if i in ids else arrived(i))
    target.jobs = {f"job{10 * n + k}": None for k in range(10 * n)}  # type: ignore[misc]
    target.end = JobState.LOST if what == "lost" else JobState.SUCCESS
    target.before = refuse if what == "refuse" else target.before
    caption = f"edit {n}" if what in ("edit", "lost", "refuse") else "c"
    migration = Migration(state, target, Time(1_000 + n * DAY).clock)
    archive = next(iter(state.archives()), None)
    if what == "retry":
        list(migration.retry(RetryOptions(everything=True)))
    elif what in ("waive", "undo") and archive is not None and archive.totals.rows:
        migration.waive(archive, Failed(), sorted(ids), "why" if what == "waive" else None)
    else:
        path = manifest(folder, 3, caption=caption)
        submit(state, target, path, time=Time(1_000 + n * DAY))
