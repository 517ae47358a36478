"""The quota of a target: what fits, when more will, and how a run keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from archives import Time, manifest, submit, summary
from hypothesis import given
from hypothesis import strategies as st
from standin import StandIn, arrived, refused

from ldimport.errors import ConfigError, ExitCode, QuotaError, TemporaryError
from ldimport.migration.events import Event, Notice, Summary, Waiting
from ldimport.migration.idle import worth_saying
from ldimport.migration.model import RunRow
from ldimport.migration.quota import DAY, SOON, Accepted, QuotaRules, QuotaSeen, Uploads, quota_at
from ldimport.migration.store import StateStore
from ldimport.model import ImportRequest, Result
from ldimport.targets.base import BatchLimits

HOUR = 3_600.0
NOW = Time().now()

# -- arithmetic ----------------------------------------------------------------------------------


def ago(hours: float, images: int) -> Accepted:
    return Accepted(NOW - hours * HOUR, images, images)


def test_until_a_refusal_or_a_statement_nothing_is_known() -> None:
    quota = quota_at(NOW, [ago(1, 50)], None, QuotaRules())
    assert (quota.allowed, quota.room, quota.next_room(), quota.forecast(9)) == (None,) * 4
    stated = quota_at(NOW, [ago(1, 50)], None, QuotaRules(daily_limit=80, reserve=10))
    assert (stated.used, stated.room) == (50, 20)


def test_room_comes_back_when_the_oldest_leave() -> None:
    ledger = [ago(20, 60), ago(20 - SOON / HOUR, 20), ago(2, 20)]
    quota = quota_at(NOW, ledger, QuotaSeen(100, 100, NOW - 60), QuotaRules())
    assert quota.room == 0
    opens = quota.next_room()
    assert opens == Uploads(NOW + 4 * HOUR, 80), "what leaves soon after belongs to it"
    error = quota.refusal()
    assert (error.resume_at, error.fits, error.at_the_latest) == (NOW + 4 * HOUR, 80, False)


def test_what_others_sent_leaves_nobody_knows_when() -> None:
    quota = quota_at(NOW, [ago(1, 30)], QuotaSeen(100, 100, NOW), QuotaRules())
    assert (quota.used, quota.others) == (100, 70)
    opens = quota.next_room()
    assert opens is not None and opens.at == NOW + 23 * HOUR
    assert quota.refusal().at_the_latest


def test_batches_that_have_just_left_may_still_be_counted_there() -> None:
    """Images are made a little later than their batch was accepted."""
    ledger = [ago(24 + 2 / 60, 100)]
    quota = quota_at(NOW, ledger, QuotaSeen(100, 100, NOW), QuotaRules())
    assert quota.others == 0
    opens = quota.next_room()
    assert opens is not None and NOW < opens.at <= NOW + 3 * 60, "not a day"


def test_failed_images_that_the_target_does_not_count_are_taken_off() -> None:
    quota = quota_at(NOW, [ago(5, 60), ago(1, 40)], QuotaSeen(100, 90, NOW), QuotaRules())
    assert (quota.used, quota.room) == (90, 10)


def test_what_was_open_at_a_refusal_and_failed_since_is_nobody_elses() -> None:
    batch = Accepted(NOW - 60, 494, 500, NOW - 10)
    quota = quota_at(NOW, [batch], QuotaSeen(500, 500, NOW - 50), QuotaRules())
    assert (quota.others, quota.used, quota.room) == (0, 494, 6)


def test_what_lies_in_the_future_was_accepted_now() -> None:
    quota = quota_at(NOW, [ago(-48, 60)], None, QuotaRules(daily_limit=100))
    assert quota.next_room() == Uploads(NOW, 40)
    assert quota.leaving == (Uploads(NOW + DAY, 60),)


def test_the_target_is_believed_for_a_day_then_the_user() -> None:
    rules = QuotaRules(daily_limit=500)
    assert quota_at(NOW, [], QuotaSeen(100, 0, NOW - HOUR), rules).allowed == 100
    assert quota_at(NOW, [], QuotaSeen(100, 0, NOW - 2 * DAY), rules).allowed == 500
    smaller = QuotaRules(daily_limit=50)
    assert quota_at(NOW, [], QuotaSeen(100, 0, NOW - HOUR), smaller).allowed == 50


@pytest.mark.parametrize(
    ("limit", "images", "days"), [(100, 240, 3), (500, 20_000, 40), (100, 100, 1), (100, 101, 2)]
)
def test_how_many_days_it_takes(limit: int, images: int, days: int) -> None:
    forecast = quota_at(NOW, [], None, QuotaRules(daily_limit=limit)).forecast(images)
    assert forecast is not None and forecast.days == days
    assert forecast.finish_at == NOW + (days - 1) * DAY


@given(
    st.lists(st.tuples(st.floats(-1, 49), st.integers(0, 300)), max_size=20),
    st.integers(1, 500),
    st.integers(0, 500),
    st.integers(1, 5_000),
    st.one_of(st.none(), st.tuples(st.integers(0, 600), st.floats(0, 30))),
)
def test_a_forecast_is_what_a_run_that_always_sends_would_do(
    sent: list[tuple[float, int]],
    limit: int,
    reserve: int,
    images: int,
    seen: tuple[int, float] | None,
) -> None:
    refusal = None if seen is None else QuotaSeen(limit, seen[0], NOW - seen[1] * HOUR)
    rules = QuotaRules(daily_limit=limit, reserve=min(reserve, limit - 1))
    quota = quota_at(NOW, [ago(*each) for each in sent], refusal, rules)
    assert quota.used == sum(each.images for each in quota.leaving) >= quota.others
    forecast, window, at, left = quota.forecast(images), list(quota.leaving), NOW, images
    assert forecast is not None and quota.ours
    while left:  # send whatever fits, at each moment at which something leaves
        window = [each for each in window if each.at > at]
        fits = max(0, min(left, quota.ours - sum(each.images for each in window)))
        left -= fits
        window.append(Uploads(at + DAY, fits))
        last, at = at, min(each.at for each in window)
    assert forecast.finish_at == pytest.approx(last)


# -- runs ----------------------------------------------------------------------------------------


class Metered:
    """Accepts ``limit`` images in a rolling day, as a server does; ``others`` upload too."""

    def __init__(self, time: Time, limit: int, *, numbers: bool = True) -> None:
        self.time, self.limit, self.numbers = time, limit, numbers
        self.accepted: list[tuple[float, int]] = []
        self.refused: list[int] = []

    def others(self, images: int) -> None:
        self.accepted.append((self.time.now(), images))

    def __call__(self, request: ImportRequest) -> None:
        self.time.at += 0.001  # as any request takes
        images, now = len(request.images), self.time.now()
        used = sum(n for at, n in self.accepted if at > now - DAY)
        if used + images > self.limit:
            self.refused.append(images)
            said: dict[str, Any] = {"limit": self.limit, "used": used, "trying": images}
            raise QuotaError("quota", **(said if self.numbers else {}))
        self.accepted.append((now, images))

    @property
    def batches(self) -> list[int]:
        return [images for _, images in self.accepted]


Night = Callable[..., list[Event]]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def night(state: StateStore, tmp_path: Path, time: Time) -> Night:
    """One run over 240 rows in batches of ``most``."""
    path = manifest(tmp_path, 240)

    def run(
        server: Callable[[ImportRequest], None],
        most: int = 500,
        answer: Callable[[str], Result] = arrived,
        **options: Any,
    ) -> list[Event]:
        target = StandIn(answer, server, limits=BatchLimits(images=most))
        return submit(state, target, path, time=time, **options)

    return run


def end(events: list[Event]) -> Summary:
    return summary(events)


def test_a_batch_larger_than_the_limit_is_cut_to_it(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    first = end(night(server))
    assert (first.exit_code, first.totals.success, first.totals.unsubmitted) == (6, 100, 140)
    assert (server.batches, server.refused) == ([100], [240])
    assert isinstance(first.stopped, QuotaError)
    assert first.stopped.fits == 100
    assert first.stopped.resume_at == pytest.approx(NOW + DAY, abs=1)
    time.at += DAY + 1
    assert end(night(server)).totals.success == 200
    time.at += DAY + 1
    last = end(night(server))
    assert (last.exit_code, last.totals.success) == (ExitCode.OK, 240)
    assert server.batches == [100, 100, 40], "the numbers were believed"
    assert server.refused == [240, 1], "each run asks once whether there is more"


def test_the_last_batch_of_a_day_fits_exactly(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    end(night(server, 30, quota=QuotaRules(daily_limit=100)))
    assert (server.batches, server.refused) == ([30, 30, 30, 10], []), "stated: nothing is refused"


def test_a_reserve_is_left_to_others(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    rules = QuotaRules(daily_limit=100, reserve=25)
    stopped = end(night(server, 30, quota=rules)).stopped
    assert sum(server.batches) == 75 and "25 are left for others" in str(stopped)
    with pytest.raises(ConfigError, match="leaves nothing"):
        raise end(night(server, quota=replace(rules, reserve=100))).stopped or AssertionError


def test_what_others_use_is_learned(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    server.others(60)
    stopped = end(night(server)).stopped
    assert server.batches == [60, 40]
    assert isinstance(stopped, QuotaError) and stopped.at_the_latest is True


def test_a_target_without_numbers_gets_ever_smaller_batches(night: Night, time: Time) -> None:
    server = Metered(time, 100, numbers=False)
    first = end(night(server))
    assert first.exit_code == 6 and 60 <= sum(server.batches) <= 100


def test_a_run_without_room_asks_once_with_one_image(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    night(server)
    time.at += HOUR
    idle = end(night(server))
    assert (idle.exit_code, server.refused) == (6, [240, 1])
    server.limit = 200
    assert end(night(server)).totals.success == 200, "the limit was raised"
    assert server.batches == [100, 1, 99]


def test_a_raised_limit_is_noticed_by_one_run_a_day(night: Night, time: Time) -> None:
    server = Metered(time, 10)
    night(server)
    time.at += DAY + HOUR
    server.limit = 1_000
    done = end(night(server))
    assert (done.exit_code, done.totals.success) == (ExitCode.OK, 240)


def test_a_canary_that_the_quota_cuts_short_is_judged(night: Night, time: Time) -> None:
    server = Metered(time, 10)
    stopped = end(night(server, canary=30, answer=refused))
    assert stopped.exit_code == ExitCode.FAILURE_LIMIT
    assert sum(server.batches) == 10, "nothing but the canary was sent"
    server = Metered(time, 10)
    time.at += 2 * DAY
    assert end(night(server, canary=30)).exit_code == ExitCode.QUOTA, "it passed"


def test_room_that_is_there_soon_is_waited_for(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    night(server)
    time.at += NOW + DAY - 60 - time.now()
    events = night(server)
    assert [each.until for each in events if isinstance(each, Waiting)] == [
        pytest.approx(NOW + DAY, abs=1)
    ]
    assert sum(server.batches) == 200 and server.refused == [240, 1]


def test_waiting_for_the_quota_goes_on_by_itself(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    done = end(night(server, quota=QuotaRules(wait=True)))
    assert (done.exit_code, done.totals.success) == (ExitCode.OK, 240)
    assert NOW + 2 * DAY <= time.now() < NOW + 2 * DAY + HOUR


def test_no_wait_begins_that_the_deadline_would_end(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    stopped = end(night(server, quota=QuotaRules(wait=True), deadline=HOUR))
    assert stopped.exit_code == ExitCode.QUOTA and time.now() < NOW + HOUR


def test_a_recorded_batch_that_the_quota_no_longer_admits_is_cut(
    night: Night, state: StateStore, time: Time
) -> None:
    def lost(_: ImportRequest) -> None:
        raise TemporaryError("the answer was lost")

    server = Metered(time, 100)
    assert end(night(lost)).exit_code == 5
    first = end(night(server))
    assert (first.totals.success, first.totals.unsubmitted + first.totals.pending) == (100, 140)
    assert (first.exit_code, server.batches) == (ExitCode.QUOTA, [100])
    assert not state.open_batches("test:1")


def stuck(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice) and each.code == "quota-stuck"]


def test_the_second_run_that_sends_nothing_says_why(night: Night, time: Time) -> None:
    server = Metered(time, 100)
    server.others(100)
    assert stuck(night(server)) == []
    time.at += HOUR
    (text,) = stuck(night(server))
    assert "240 images wait" in text and "by others 100" in text
    time.at += HOUR
    assert stuck(night(server)) == [], "once a day is enough"


def test_nights_that_send_nothing_speak_every_night() -> None:
    def run(at: float, sent: int = 0) -> RunRow:
        return RunRow("t", "a", "submit", at - 60, at, 6, sent, 5)

    nights: list[RunRow] = []
    said = []
    for n in range(5):
        said.append(worth_saying(nights, NOW + n * DAY))
        nights.insert(0, run(NOW + n * DAY))
    assert said == [False, True, True, True, True]
    assert not worth_saying([run(NOW, sent=5), *nights], NOW + HOUR), "something was sent"
    assert not worth_saying([run(NOW)], NOW + HOUR, NOW + 60), "by a run that was killed"
