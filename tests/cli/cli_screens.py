"""Fixed data for the golden screens, and streams of a known width."""

from __future__ import annotations

import io
from collections.abc import Callable

from ldimport.cli.output.screen import Screen
from ldimport.cli.output.stream import Stream
from ldimport.errors import ExitCode, QuotaError, TemporaryError
from ldimport.migration.events import Plan, Summary
from ldimport.migration.model import CauseRow, JobRow, ResultRow, Totals
from ldimport.model import Counts, JobState, Status

NOW = 1_795_421_460.0  # 2026-11-23 08:11 UTC


def terminal(width: int, *, unicode: bool = True) -> Screen:
    """A screen on a terminal of this width, without colour."""
    return Screen(Stream(io.StringIO(), tty=True, columns=width, unicode=unicode))


def pipe() -> Screen:
    """A screen that is not a terminal."""
    return Screen(Stream(io.StringIO()))


def shown(screen: Screen) -> str:
    """What was written."""
    assert isinstance(screen.stream.file, io.StringIO)
    return screen.stream.file.getvalue()


def plan(**counts: int) -> Plan:
    values = {"entries": 10_000, "new": 10_000, "batches": 13, "bytes": 4_000_000}
    values |= dict.fromkeys(("changed", "unchanged", "failed", "in_progress", "invalid"), 0)
    values |= counts
    return Plan("archive.csv", "tagblatt", "archiv", **values, sources={"img.tagblatt.ch": 10_000})


def job(
    n: int, state: JobState = JobState.SUCCESS, counts: Counts | None = None, took: float = 62
) -> JobRow:
    return JobRow(
        f"25bzj8jq0x{n:02}",
        state,
        counts or Counts(success=711, skipped=12, failed=77),
        NOW - 600 + n,
        NOW - 600 + n + took if state.finished else None,
        "archive.csv",
        "https://edit.tagblatt.ch/proxy/api",
        "archiv",
        800 * n + 1,
        800 * n + 800,
    )


CAUSES = (
    CauseRow("origin-503", "origin answered 503", 61, True,
             (("2003-04511", 17), ("2003-04533", 39))),
    CauseRow("not-an-image", "not an image: text/html", 12, False,
             (("1998-00310", 4_120), ("1998-00311", 4_121))),
    CauseRow("too-many-pixels", "over 24,000,000 pixels", 4, False, (("2011-panorama-3", 9_001),)),
)  # fmt: skip


def summary(
    totals: Totals,
    *,
    code: ExitCode = ExitCode.OK,
    jobs: tuple[JobRow, ...] = (),
    causes: tuple[CauseRow, ...] = (),
    stopped: BaseException | None = None,
    found: Plan | None = None,
) -> Summary:
    return Summary(found or plan(), jobs, totals, 252.0, code, causes, stopped)


def refused() -> QuotaError:
    """A target's quota is used up, until tomorrow."""
    error = QuotaError("quota reached: 50,000 of 50,000 images in the last 24 hours",
                       limit=50_000, used=50_000)  # fmt: skip
    error.resume_at, error.fits = NOW + 75_780, 12_340
    return error


ENDS: dict[str, Callable[[], Summary]] = {
    "all-good": lambda: summary(
        Totals(success=9_688, skipped=312), jobs=(job(1, counts=Counts(9_688, 312)),)
    ),
    "failures": lambda: summary(
        Totals(success=9_611, skipped=312, failed=77),
        code=ExitCode.FAILURES,
        jobs=(job(1), job(2)),
        causes=CAUSES,
    ),
    "quota": lambda: summary(
        Totals(success=611_940, skipped=312, failed=77, pending=800, unsubmitted=590_984),
        code=ExitCode.QUOTA,
        jobs=(job(1), job(2, JobState.STARTED, Counts(pending=800))),
        causes=CAUSES,
        stopped=refused(),
        found=plan(entries=1_204_113, new=1_180_001, changed=21, unchanged=24_091),
    ),
    "interrupted": lambda: summary(
        Totals(success=2_000, pending=800, unsubmitted=7_200),
        code=ExitCode.INTERRUPTED,
        jobs=(job(1, JobState.STARTED, Counts(pending=800)),),
        stopped=KeyboardInterrupt(),
    ),
    "unreachable": lambda: summary(
        Totals(success=2_000, unsubmitted=8_000),
        code=ExitCode.TEMPORARY,
        stopped=TemporaryError(
            "https://edit.tagblatt.ch/proxy/api did not answer: connection refused"
        ),
    ),
    "nothing": lambda: summary(
        Totals(success=10_000), found=plan(new=0, unchanged=10_000, batches=0)
    ),
    "old-failures": lambda: summary(
        Totals(success=9_923, failed=77),
        code=ExitCode.FAILURES,
        causes=CAUSES,
        found=plan(new=0, unchanged=9_923, failed=77),
    ),
    "invalid-left-out": lambda: summary(
        Totals(success=9_995, invalid=5),
        code=ExitCode.FAILURES,
        jobs=(job(1, counts=Counts(success=9_995)),),
        found=plan(new=9_995, invalid=5),
    ),
    "lost": lambda: summary(
        Totals(success=9_200, unsubmitted=800),
        code=ExitCode.REFUSED,
        jobs=(job(1, JobState.LOST, Counts(pending=800)),),
    ),
}  # fmt: skip


def result(n: int = 1, **changes: object) -> ResultRow:
    values: dict[str, object] = {
        "external_id": f"2003-0451{n}",
        "system_name": "archiv",
        "status": Status.SUCCESS,
        "reason": None,
        "cause": None,
        "retryable": False,
        "media_id": "jjiwhsf23kdk",
        "url": "http://127.0.0.1:9095/api/v1/images/rheinfall?id=abc?format=auto",
        "original_url": "http://127.0.0.1:9095/api/v1/images/rheinfall?id=abc",
        "width": 3000,
        "height": 2000,
        "mime_type": "image/jpeg",
        "title": "Rheinfall",
        "file_name": "Rheinfall",
        "source_url": f"https://img.tagblatt.ch/03/451{n}.jpg",
        "job_id": "25bzj8jq0x01",
        "row": n,
        "attempts": 1,
        **changes,
    }
    return ResultRow(**values)  # type: ignore[arg-type]


FAILED = result(
    2,
    status=Status.FAILED,
    reason="origin answered 503",
    cause="origin-503",
    retryable=True,
    media_id=None,
    url=None,
    original_url=None,
    width=None,
    height=None,
    mime_type=None,
)
