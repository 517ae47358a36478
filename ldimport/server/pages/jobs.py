"""Jobs, and one of them with its images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import Response, StreamingResponse

from ldimport.causes import known_cause
from ldimport.cells import csv_lines
from ldimport.engine.accept import QUOTA_WINDOW
from ldimport.engine.records import (
    Delivery,
    FailureReason,
    ImageFilter,
    JobFilter,
    JobImage,
    JobSummary,
    JobTotals,
    OutboxEntry,
)
from ldimport.model import Counts, JobState, Status
from ldimport.server.pages.view import HEADERS, MOST, PageRequest
from ldimport.server.responses import Refusal, no_such
from ldimport.url import without_secrets
from ldimport.wording import number, utc

A_PAGE, ROWS = 30, 100
"""Jobs of a page, images of one."""
BUSY, IDLE = 2, 10
"""Seconds between two looks of a page while something happens, and while nothing does."""
_COLUMNS = ("number", "externalId", "title", "status", "reason", "cause", "url", "mediaId")
_LAST_COLUMN = {(True, True): "Media id", (True, False): "Media id or URL", (False, False): "URL"}
"""By whether some images, and whether all, became an entry."""
_Shown = Mapping[str, Any]


# -- all jobs -----------------------------------------------------------------------------------


def overview(look: PageRequest) -> Response:
    """All jobs, newest first, with their sums."""
    jobs, which = look.engine.store.jobs, _one_of(look, "state", list(JobFilter), JobFilter.ALL)
    most, before = look.count("limit", A_PAGE), look.text("before")
    if before and jobs.get(before) is None:
        raise no_such(f"job {before}")
    found, totals = jobs.newest(most + 1, before or None, which), jobs.totals()
    rows = [_summary(each) for each in found[:most]]
    older = rows[-1]["id"] if len(found) > most else None
    paused = look.text("live") == "0"
    document = {
        "totals": {"jobs": totals.jobs, "running": totals.running, "failed": totals.failed,
                   "images": _images(totals.counts)},
        "storedLastMinute": look.engine.store.library.stored_since(look.now - 60),
        "quota": _quota(look, totals),
        "state": which.value,
        "jobs": [_told(row) for row in rows],
        "next": None if older is None else look.same(".json", before=older),
    }  # fmt: skip
    every = 0 if paused or before else BUSY if totals.running else IDLE
    screen = {
        "jobs": rows,
        "choices": [_choice(look, each, totals, which) for each in JobFilter],
        "every": every,
        "pause": look.link(live="0") if every else "",
        "resume": look.link(live=None) if paused else "",
        "first": look.link(before=None) if before else "",
        "older": older and look.link(before=older),
        "example": _example(look),
    }
    return look.page("jobs.html", document, **screen)


def _one_of(look: PageRequest, name: str, known: Sequence[Any], default: Any) -> Any:
    text = look.text(name)
    if not text:
        return default
    if text not in known:
        raise Refusal(400, {name: f"must be one of {', '.join(known)}"})
    return next(each for each in known if each == text)


def _choice(look: PageRequest, each: JobFilter, totals: JobTotals, chosen: JobFilter) -> _Shown:
    name, count = {
        JobFilter.ALL: ("All", totals.jobs),
        JobFilter.RUNNING: ("Running", totals.running),
        JobFilter.FAILED: ("With failures", totals.failed),
    }[each]
    state = None if each is JobFilter.ALL else each
    href = look.link(state=state, before=None)
    return {"name": name, "count": count, "href": href, "chosen": each is chosen}


def _quota(look: PageRequest, totals: JobTotals) -> dict[str, int] | None:
    """How much of the last 24 hours' quota is used."""
    if not (limit := look.engine.daily_limit):
        return None
    stored = look.engine.store.library.stored_since(look.now - QUOTA_WINDOW)
    return {"limit": limit, "used": stored + totals.counts.pending}


def _images(counts: Counts) -> dict[str, int]:
    return {"total": counts.total, **asdict(counts)}


def _summary(job: JobSummary) -> dict[str, Any]:
    """A job as pages show it; what ``_told`` leaves away is for the screen."""
    counts, ended = job.counts, job.finished_at
    done, failed = number(counts.total - counts.pending), number(counts.failed)
    return {
        "id": job.id,
        "state": job.state.value,
        "systemName": job.system_name,
        "submittedAt": utc(job.created_at),
        "finishedAt": None if ended is None else utc(ended),
        "images": _images(counts),
        "submitted": job.created_at,
        "seconds": None if ended is None else max(0.0, ended - job.created_at),
        "progress": f"{done} of {number(counts.total)} done, {failed} failed",
    }


def _told(row: _Shown) -> dict[str, Any]:
    names = ("id", "state", "systemName", "submittedAt", "finishedAt", "images")
    return {name: row[name] for name in names}


def _example(look: PageRequest) -> str:
    url = look.engine.public_url
    image = '{"id": "1", "url": "https://example.com/1.jpg", "fileName": "A title"}'
    return (
        f"curl -X POST {url}/api/v1/import/images \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f'  -d \'{{"systemName": "my-archive", "images": [{image}]}}\''
    )


# -- one job ------------------------------------------------------------------------------------


def one(look: PageRequest) -> Response:
    """One job: sums, reasons of failures, notifications, and its images by outcome."""
    job, which, after = _asked(look)
    jobs, most, state = look.engine.store.jobs, look.count("limit", ROWS), _state_of(which)
    found = jobs.images(job.id, which, most + 1, after)
    rows = [_image(each) for each in found[:most]]
    last = rows[-1]["number"] if len(found) > most else None
    summary, hooks = _summary(job), look.engine.store.outbox(job=job.id)
    reasons = jobs.reasons(job.id) if job.counts.failed else ()
    document = {
        "job": _told(summary),
        "reasons": [_reason(each) for each in reasons],
        "webhooks": [_hook(each) for each in hooks],
        "filter": {"state": state, "cause": which.cause, "reason": which.reason},
        "images": rows,
        "next": None if last is None else look.same(".json", after=last),
    }
    hrefs = [
        look.link(state="failed", after=None, cause=each.cause,
                  reason=None if each.cause else each.reason) for each in reasons
    ]  # fmt: skip
    screen = {
        "job": summary,
        "webhooks": [
            {**_hook(each), "due": each.due_at if each.state is Delivery.WAITING else None,
             "ended": each.ended_at} for each in hooks],
        "reasons": [{**_reason(each), "href": href, "chosen": _is_meant(each, which)}
                    for each, href in zip(reasons, hrefs, strict=True)],
        "narrowed": next((_reason(each) for each in reasons if _is_meant(each, which)), None),
        "choices": _outcomes(look, job.counts, which),
        "without_reason": look.link(cause=None, reason=None, after=None),
        "csv": look.same(".csv", state=state, after=None, limit=None),
        "machine": look.same(".json", state=state),
        "machine_all": look.same(".json", state=state, after=None, limit=MOST),
        "images": [{**row, "state": row["status"] or "pending"} for row in rows],
        "any_reason": any(row["reason"] for row in rows),
        "last_column": _LAST_COLUMN[any(row["mediaId"] for row in rows),
                                    all(row["mediaId"] for row in rows)],
        "every": BUSY if job.state is JobState.STARTED and not after else 0,
        "first": look.link(state=state, after=None) if after else "",
        "more": last and look.link(state=state, after=last),
    }  # fmt: skip
    return look.page("job.html", document, **screen)


def table(look: PageRequest) -> Response:
    """The images of a job that a filter leaves, as CSV."""
    job, which, _ = _asked(look)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{job.id}.csv"'}
    return StreamingResponse(_lines(look, job, which), 200, headers, "text/csv; charset=utf-8")


def _lines(look: PageRequest, job: JobSummary, which: ImageFilter) -> Iterator[str]:
    yield csv_lines([_COLUMNS])
    after = 0
    while found := look.engine.store.jobs.images(job.id, which, 1_000, after):
        rows = [_image(each) for each in found]
        yield csv_lines([[row[name] for name in _COLUMNS] for row in rows])
        after = found[-1].number


def _asked(look: PageRequest) -> tuple[JobSummary, ImageFilter, int]:
    """The job in the path, which of its images, and behind which one. Opened by a person, a job
    with failures shows these first. Raises Refusal 404."""
    job_id = look.request.path_params["id"]
    job = look.engine.store.jobs.get(job_id)
    if job is None:
        raise no_such(f"job {job_id}")
    first = "failed" if job.counts.failed and not look.machine else "all"
    cause, reason = look.text("cause") or None, look.text("reason") or None
    state = _one_of(look, "state", ["all", "pending", *Status], first)
    status = None if state in ("all", "pending") else Status(state)
    which = ImageFilter(status, state == "pending", cause, reason)
    return job, which, look.count("after", 0, 1 << 53)


def _state_of(which: ImageFilter) -> str:
    return "pending" if which.pending else which.status.value if which.status else "all"


def _outcomes(look: PageRequest, counts: Counts, which: ImageFilter) -> Sequence[_Shown]:
    """Links to the images of each outcome that there is."""
    named = [("all", "All", counts.total), ("success", "Imported", counts.success),
             ("skipped", "Skipped", counts.skipped), ("failed", "Failed", counts.failed),
             ("pending", "In progress", counts.pending)]  # fmt: skip
    chosen, narrowed = _state_of(which), bool(which.cause or which.reason)
    return [
        {"name": name, "count": count, "chosen": state == chosen and not narrowed,
         "href": look.link(state=state, cause=None, reason=None, after=None)}
        for state, name, count in named if count or state in ("all", chosen)
    ]  # fmt: skip


def _is_meant(each: FailureReason, which: ImageFilter) -> bool:
    """Whether a filter leaves the failures of this reason."""
    if each.cause is not None:
        return each.cause == which.cause
    return which.reason is not None and each.reason == which.reason


def _reason(each: FailureReason) -> dict[str, Any]:
    """What its cause means; where none is known, what was said."""
    known = known_cause(each.cause or "")
    reason = without_secrets(each.reason) if known is None else known.meaning
    return {**asdict(each), "reason": reason, "retryable": known.retryable if known else None}


def _image(each: JobImage) -> dict[str, Any]:
    reason = None if each.reason is None else without_secrets(each.reason)
    texts = {"externalId": each.external_id, "title": each.title, "url": without_secrets(each.url)}
    status = None if each.status is None else each.status.value
    return {"number": each.number, **texts, "status": status, "reason": reason,
            "cause": each.cause, "mediaId": each.media}  # fmt: skip


def _hook(each: OutboxEntry) -> dict[str, Any]:
    return {
        "id": each.id,
        "url": without_secrets(each.url),
        "state": each.state.value,
        "tries": each.tries,
        "answer": each.answer,
        "dueAt": utc(each.due_at) if each.state is Delivery.WAITING else None,
        "endedAt": None if each.ended_at is None else utc(each.ended_at),
    }
