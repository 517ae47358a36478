"""JSON for scripts (design section 8): plans, jobs, results, findings as documents. Keys are
camelCase and only ever added to; ``format`` rises when one changes its meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ldimport import wire
from ldimport.cli.output.text import safe_json, utc
from ldimport.errors import LdimportError
from ldimport.migration.reports.base import problem_document

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.events import Plan
    from ldimport.migration.model import CauseRow, JobRow, Overview, ResultRow, Totals
    from ldimport.migration.validate import FindingGroup, Validation
    from ldimport.model import JobStatus, Problem

FORMAT = 1
Document = dict[str, Any]


def dumps(document: Mapping[str, Any]) -> str:
    """One document as one line, without raw control characters."""
    return safe_json(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def camel(name: str) -> str:
    """``not_taken_over`` is ``notTakenOver`` in JSON."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


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
        "days": None,  # until the quota is known
    }


def totals(sums: Totals, *, invalid: bool = True) -> Document:
    """Rows or images by their last outcome."""
    document = fields_of(sums)
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
    "target",
)


def result(row: ResultRow) -> Document:
    """One image by its last outcome, in the seed's words; every key present or null."""
    found = fields_of(row)
    return {key: found[key] for key in RESULT_KEYS}


def validation(found: Validation, manifest: Manifest, most: int = 1_000) -> Document:
    """The findings of a check, with at most so many problems; how each file was read."""
    detected = [
        {
            "format": file.detected.format,
            "encoding": file.detected.encoding,
            "delimiter": file.detected.delimiter,
            "columns": file.detected.columns,
        }
        for file in manifest.files
    ]
    shown = found.problems[:most]
    return {
        "format": FORMAT,
        "manifest": manifest.name,
        "entries": found.entries,
        "valid": found.valid,
        "invalid": found.invalid,
        "warnings": found.warnings,
        "detected": detected[0] if len(detected) == 1 else detected,
        "kinds": [_kind(kind) for kind in found.kinds],
        "problems": [problem(each) for each in shown],
        "problemsShown": len(shown),
    }


def _kind(kind: FindingGroup) -> Document:
    return {
        "code": kind.code,
        "field": kind.field,
        "severity": kind.severity,
        "rows": kind.rows,
        "message": kind.message,
        "hint": kind.hint,
        "publishing": kind.publishing,
    }


def problem(found: Problem) -> Document:
    """One finding with its place."""
    return problem_document(found)


def fields_of(thing: Any) -> Document:
    """A dataclass with its fields in camelCase."""
    return {camel(each.name): getattr(thing, each.name) for each in fields(thing)}
