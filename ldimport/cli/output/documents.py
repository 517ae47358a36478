"""JSON for scripts (design section 8): events, plans, results as documents. Keys are camelCase and
only ever added to; ``format`` rises when one changes its meaning. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ldimport import wire
from ldimport.cli.output.text import safe_json, utc
from ldimport.errors import ExitCode, LdimportError
from ldimport.migration.events import (
    BatchSent,
    CauseRow,
    Event,
    Failure,
    JobEnded,
    JobRow,
    Notice,
    Plan,
    Planned,
    Progress,
    ResultRow,
    Summary,
    Totals,
    Waiting,
)

if TYPE_CHECKING:
    from ldimport.migration.results import Overview
    from ldimport.migration.validate import Validation
    from ldimport.model import JobStatus

FORMAT = 1
Document = dict[str, Any]


def dumps(document: Mapping[str, Any]) -> str:
    """One document as one line, without raw control characters."""
    return safe_json(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def camel(name: str) -> str:
    """``not_taken_over`` is ``notTakenOver`` in JSON."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


# -- events --------------------------------------------------------------------------------


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
            return {"type": "failure", **_fields(happened)}
        case JobEnded():
            counts = wire.counts_to_json(happened.counts)
            return {"type": "job", "id": happened.job_id, "state": happened.state, "images": counts}
        case Waiting():
            reason = {"type": "wait", "reason": happened.reason, "text": happened.text}
            return {**reason, "until": utc(now + happened.seconds)}
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


def error(problem: LdimportError) -> Document:
    """Last or only document of a command that failed."""
    document: Document = {
        "type": "error",
        "format": FORMAT,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "exitCode": int(problem.exit_code),
    }
    if problem.facts:
        document["facts"] = dict(problem.facts)
    return document


# -- parts ---------------------------------------------------------------------------------


def plan(found: Plan) -> Document:
    """What a submit would do."""
    head = {"manifest": found.manifest, "target": found.target, "systemName": found.system_name}
    return {**head, **plan_counts(found), "sources": dict(found.sources)}


def plan_counts(found: Plan) -> Document:
    """The numbers of a plan."""
    return {
        "entries": found.entries,
        "new": found.new,
        "changed": found.changed,
        "unchanged": found.unchanged,
        "failed": found.failed,
        "inProgress": found.in_progress,
        "invalid": found.invalid,
        "batches": found.batches,
        "bytes": found.bytes,
        "days": found.days,
    }


def totals(sums: Totals, *, invalid: bool = True) -> Document:
    """Rows or images by their last outcome."""
    document = _fields(sums)
    if not invalid:
        del document["invalid"]
    return document


def cause(row: CauseRow) -> Document:
    """One group of failures."""
    examples = [{"externalId": name, "row": number} for name, number in row.examples]
    return {
        "cause": row.cause,
        "reason": row.reason,
        "images": row.images,
        "retryable": row.retryable,
        "examples": examples,
    }


def _job_of_run(row: JobRow) -> Document:
    return {"id": row.id, "state": row.state, "images": wire.counts_to_json(row.counts)}


def job(row: JobRow) -> Document:
    """One job as ``status`` lists it."""
    return {
        "id": row.id,
        "state": row.state,
        "finished": row.state.finished,
        "submittedAt": utc(row.submitted_at),
        "finishedAt": None if row.finished_at is None else utc(row.finished_at),
        "images": wire.counts_to_json(row.counts),
        "manifest": row.manifest,
        "target": row.target,
        "systemName": row.system_name,
        "rows": [row.first_row, row.last_row],
    }


def overview(found: Overview) -> Document:
    """All that the state file knows."""
    scopes = [
        {
            "target": scope.target,
            "label": scope.label,
            "systemName": scope.system_name,
            "totals": totals(scope.totals, invalid=False),
        }
        for scope in found.scopes
    ]
    return {
        "format": FORMAT,
        "jobs": [job(row) for row in found.jobs],
        "totals": totals(found.totals, invalid=False),
        "scopes": scopes,
        "changedAt": None if found.last_change is None else utc(found.last_change),
    }


def job_status(status: JobStatus) -> Document:
    """One job in the seed's own shape, with ``format``."""
    return {**wire.status_to_json(status), "format": FORMAT}


RESULT_KEYS = (
    "externalId",
    "systemName",
    "status",
    "reason",
    "mediaId",
    "url",
    "originalUrl",
    "width",
    "height",
    "mimeType",
    "title",
    "fileName",
    "sourceUrl",
    "jobId",
    "row",
    "cause",
    "retryable",
    "attempts",
    "notTakenOver",
)


def result(row: ResultRow) -> Document:
    """One image by its last outcome, in the seed's words; every key present or null."""
    found = _fields(row)
    return {key: found[key] for key in RESULT_KEYS}


def validation(found: Validation, manifest: str, detected: Sequence[Document]) -> Document:
    """The findings of a check; ``detected`` says how each file was read."""
    return {
        "format": FORMAT,
        "manifest": manifest,
        "entries": found.entries,
        "valid": found.valid,
        "invalid": found.invalid,
        "warnings": found.warnings,
        "detected": detected[0] if len(detected) == 1 else list(detected),
        "kinds": [
            {
                "code": kind.code,
                "field": kind.field,
                "severity": kind.severity,
                "rows": kind.rows,
                "message": kind.message,
                "hint": kind.hint,
            }
            for kind in found.kinds
        ],
        "problems": [problem(each) for each in found.problems],
        "problemsShown": len(found.problems),
    }


def problem(found: Any) -> Document:
    """One finding with its place."""
    return {
        "severity": found.severity,
        "code": found.code,
        "file": found.place.file,
        "row": found.place.row,
        "line": found.place.line,
        "column": found.place.column,
        "id": found.id,
        "field": found.field,
        "message": found.message,
        "hint": found.hint,
    }


def _fields(thing: Any) -> Document:
    return {camel(each.name): getattr(thing, each.name) for each in fields(thing)}
