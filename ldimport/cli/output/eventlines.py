"""What happens in a run as lines of JSON: the events of ``submit``, ``retry`` and ``watch``."""

from __future__ import annotations

from ldimport import wire
from ldimport.cli.output.documents import (
    FORMAT,
    Document,
    cause,
    fields_of,
    plan,
    plan_counts,
    totals,
)
from ldimport.cli.output.text import utc
from ldimport.errors import ExitCode, LdimportError
from ldimport.migration.events import BatchSent, Event, JobEnded, Notice, Planned, Progress, Summary
from ldimport.migration.model import Failure, JobRow


def start(command: str, version: str, now: float) -> Document:
    """First line of a stream."""
    return {
        "type": "start",
        "format": FORMAT,
        "ldimport": version,
        "command": command,
        "at": utc(now),
    }


def event(happened: Event, now: float) -> Document:
    """One line of a stream."""
    match happened:
        case Planned(plan=found):
            return {"type": "plan", **plan(found)}
        case Notice():
            return {"type": "notice", "code": happened.code, "text": happened.text}
        case BatchSent():
            rows = [happened.first_row, happened.last_row]
            head = {"type": "batch", "jobId": happened.job_id, "images": happened.images}
            return {**head, "rows": rows, "at": utc(now)}
        case Progress():
            return _progress(happened, now)
        case Failure():
            return {"type": "failure", **fields_of(happened)}
        case JobEnded():
            counts = wire.counts_to_json(happened.counts)
            return {"type": "job", "id": happened.job_id, "state": happened.state, "images": counts}
        case Summary():
            return summary(happened)
    raise AssertionError(f"unknown event {happened!r}")


def _progress(progress: Progress, now: float) -> Document:
    counts = progress.counts
    return {
        "type": "progress",
        "at": utc(now),
        "toSend": progress.to_send,
        "sent": progress.sent,
        "success": counts.success,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "pending": counts.pending,
        "unsubmitted": max(0, progress.to_send - progress.sent),
        "openJobs": progress.open_jobs,
        "exact": progress.exact,
    }


def summary(end: Summary) -> Document:
    """Last line of a stream that came to its end, in order or stopped."""
    found = end.plan
    first = end.jobs[0] if end.jobs else None
    document: Document = {
        "type": "summary",
        "format": FORMAT,
        "manifest": found.manifest if found else None,
        "target": found.target if found else (first.target if first else None),
        "systemName": found.system_name if found else (first.system_name if first else None),
        "plan": plan_counts(found) if found else None,
        "jobs": [_job_of_run(row) for row in end.jobs],
        "totals": totals(end.totals),
        "causes": [cause(row) for row in end.causes],
        "seconds": round(end.seconds, 3),
    }
    if end.stopped is not None:
        document["stopped"] = stopped(end.stopped, end.exit_code)
    document["exitCode"] = int(end.exit_code)
    return document


def stopped(reason: BaseException, code: ExitCode) -> Document:
    """Why a run ended early."""
    if isinstance(reason, LdimportError):
        return {"code": reason.code, "message": reason.message, "hint": reason.hint}
    word = "terminated" if code is ExitCode.TERMINATED else "interrupted"
    return {"code": word, "message": word, "hint": "run the same command again to go on"}


def _job_of_run(row: JobRow) -> Document:
    return {"id": row.id, "state": row.state, "images": wire.counts_to_json(row.counts)}
