"""Runs that sent nothing for the quota, again and again: silence must never mean stuck."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ldimport.errors import ExitCode, QuotaError
from ldimport.migration.model import RunRow
from ldimport.migration.quota import DAY, Quota

TOGETHER = 26 * 3_600.0
"""Seconds within which one run follows another, so that one a night does."""


def worth_saying(earlier: Iterable[RunRow], now: float, accepted: float = 0.0) -> bool:
    """Whether a run that ends for the quota ``now``, with nothing sent, has to say that the ones
    before did the same: at the second in a row, and then once a day. ``earlier``: the last one
    first; ``accepted``: when the target took images last, also from a run that was killed."""
    times, at = [], now
    for run in earlier:
        idle = run.exit_code == ExitCode.QUOTA and not run.sent
        if not idle or run.started_at < accepted or at - run.finished_at > TOGETHER:
            break
        times.append(at := run.finished_at)
    if len(times) < 2:
        return len(times) == 1
    second, before = times[-2], times[0]
    return int((now - second) / DAY) > int((before - second) / DAY)


def explained(
    earlier: Sequence[RunRow], quota: Quota, stopped: BaseException | None, unsent: int
) -> str:
    """Why nothing was sent, in one line: what has used the quota up, and when there is room."""
    last = earlier[0].finished_at
    text = f"nothing was sent, as in the run before ({_utc(last)}); {unsent:,} images wait"
    if quota.allowed is not None:
        ours = quota.used - quota.others
        text += f"; quota {quota.used:,} of {quota.allowed:,} in 24 hours, sent from here {ours:,}"
        text += f", by others {quota.others:,}" if quota.others else ""
        text += f", kept for others {quota.reserve:,}" if quota.reserve else ""
    if isinstance(stopped, QuotaError) and stopped.resume_at is not None:
        word = "by" if stopped.at_the_latest else "from"
        return f"{text}; room for {stopped.fits or 'some'} {word} {_utc(stopped.resume_at)}"
    return f"{text}; when there is room the target does not say"


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
