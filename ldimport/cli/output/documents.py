"""JSON for scripts: documents, and the events of a run as lines. Keys are camelCase and only ever
added to; ``format`` rises when one changes its meaning."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from ldimport import wire
from ldimport.cells import json_text
from ldimport.cli.output import quota
from ldimport.errors import LdimportError, QuotaError
from ldimport.migration import events
from ldimport.migration.events import Plan, Summary
from ldimport.migration.model import (
    ArchiveSums,
    CauseRow,
    Failure,
    JobRow,
    Overview,
    ResultRow,
    RunRow,
    Waiver,
)
from ldimport.model import Notice, Silence
from ldimport.url import without_secrets
from ldimport.wording import utc

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.prospects import Prospect
    from ldimport.migration.quota import Forecast, Quota
    from ldimport.migration.validate import Validation

FORMAT = 1
Document = dict[str, Any]


def dumps(document: Mapping[str, Any], *, exact: bool = False) -> str:
    """One document as one line, without a character or mark that a terminal or CI obeys; unless
    ``exact`` without what a URL should not show."""
    shown = document if exact else redacted(document)
    return json_text(shown)


def redacted(value: Any) -> Any:
    """A JSON value in which no URL holds what should not be shown (``url.without_secrets``)."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(each) for key, each in value.items()}
    return [*map(redacted, value)] if isinstance(value, list | tuple) else value


def fields_of(thing: Any, but: str = "") -> Document:
    """A dataclass or named tuple with its fields in camelCase, without those named in ``but``."""
    left_out = but.split()
    keys = keys_of(cast("Hashable", type(thing))).items()
    return {key: getattr(thing, name) for name, key in keys if name not in left_out}


@cache
def keys_of(kind: Hashable) -> Mapping[str, str]:
    """The fields of a dataclass or named tuple, and what they are called in JSON."""
    names = getattr(kind, "_fields", None) or [each.name for each in fields(cast("Any", kind))]
    words = {name: name.split("_") for name in names}
    return {
        name: head + "".join(map(str.capitalize, rest)) for name, (head, *rest) in words.items()
    }


def error(problem: LdimportError) -> Document:
    """Last or only document of a command that failed."""
    return {
        "type": "error",
        "format": FORMAT,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "exitCode": int(problem.exit_code),
        **({"facts": dict(problem.facts)} if problem.facts else {}),
        **_resume(problem),
    }


def _resume(problem: BaseException | None) -> Document:
    """When to go on after a refusal for the quota."""
    if not isinstance(problem, QuotaError):
        return {}
    at = None if problem.resume_at is None else utc(problem.resume_at)
    return {"resumeAt": at, "fits": problem.fits, "atTheLatest": problem.at_the_latest}


# -- what is known -------------------------------------------------------------------------


def plan(found: Plan, of: Quota, forecast: Forecast | None) -> Document:
    """What a submit would do, and how long the quota of the target makes it last."""
    own = {**fields_of(found, "sources"), "sources": dict(found.sources)}
    return {**own, **quota.forecast_document(forecast), "quota": quota.document(of)}


def plan_counts(found: Plan) -> Document:
    """The numbers of a plan."""
    return fields_of(found, "manifest target system_name sources")


def cause(row: CauseRow) -> Document:
    """One group of failures."""
    examples = [{"externalId": name, "row": number} for name, number in row.examples]
    return {**fields_of(row), "examples": examples}


def waiver(each: Waiver) -> Document:
    """Failures that were accepted for one reason."""
    examples = [{"externalId": name, "row": number} for name, number in each.examples]
    return {**fields_of(each), "examples": examples}


def job(row: JobRow) -> Document:
    """One job as ``status`` lists it."""
    return {
        **fields_of(row, "counts submitted_at finished_at first_row last_row path"),
        "finished": row.state.finished,
        "submittedAt": utc(row.submitted_at),
        "finishedAt": None if row.finished_at is None else utc(row.finished_at),
        "images": wire.counts_to_json(row.counts),
        "rows": [row.first_row, row.last_row],
    }


def overview(found: Overview, elsewhere: Iterable[ArchiveSums] = ()) -> Document:
    """What the state file knows beside its jobs, and which of its archives were left out."""
    return {
        "totals": fields_of(found.totals, "invalid"),
        "scopes": [*map(archive, found.scopes)],
        "elsewhere": [*map(archive, elsewhere)],
        "atWork": None if found.at_work is None else fields_of(found.at_work),
        "changedAt": None if found.last_change is None else utc(found.last_change),
    }


def archive(each: ArchiveSums) -> Document:
    """One archive with its sums."""
    return {**fields_of(each), "totals": fields_of(each.totals, "invalid")}


def run(row: RunRow) -> Document:
    """A run that has ended."""
    times = {"startedAt": utc(row.started_at), "finishedAt": utc(row.finished_at)}
    return {**fields_of(row), **times}


def prospect(each: Prospect) -> Document:
    """How an archive stands with its quota, and how its last run ended."""
    return {
        "target": each.target,
        "systemName": each.system_name,
        "quota": quota.document(each.quota),
        **quota.forecast_document(each.forecast),
        "lastRun": None if each.last_run is None else run(each.last_run),
    }


RESULT_KEYS = (
    "externalId", "systemName", "status", "reason", "mediaId", "url", "originalUrl", "width",
    "height", "mimeType", "title", "fileName", "sourceUrl", "jobId", "row", "cause", "retryable",
    "attempts", "notTakenOver", "target", "tries", "gaveUp", "waivedBecause",
)  # fmt: skip


def result(row: ResultRow) -> Document:
    """One image by its last outcome, in the API's words; every key present or null."""
    return dict(zip(RESULT_KEYS, result_values(row), strict=True))


def in_order(keys: Iterable[str]) -> Callable[[ResultRow], tuple[Any, ...]]:
    """Takes of an image what stands under these keys."""
    names = [*keys_of(cast("Hashable", ResultRow)).values()]
    return itemgetter(*map(names.index, keys))


result_values = in_order(RESULT_KEYS)


def validation(found: Validation, manifest: Manifest, most: int = 1_000) -> Document:
    """The findings of a check, with at most so many problems; how each file was read."""
    from ldimport.migration.reports import problem_document

    names = ("format", "encoding", "delimiter", "columns")
    detected = [{name: getattr(file.detected, name) for name in names} for file in manifest.files]
    shown = found.problems[:most]
    counts = ("entries", "valid", "invalid", "warnings")
    return {
        "format": FORMAT,
        "manifest": manifest.name,
        **{name: getattr(found, name) for name in counts},
        "detected": detected[0] if len(detected) == 1 else detected,
        "kinds": [fields_of(kind, "first example varied") for kind in found.kinds],
        "notices": [{"code": each.code, "text": each.text} for each in found.notices],
        "problems": [problem_document(each) for each in shown],
        "problemsShown": len(shown),
    }


# -- what happens in a run -----------------------------------------------------------------


def start(command: str, version: str, now: float) -> Document:
    """First line of a stream."""
    head = {"type": "start", "format": FORMAT, "ldimport": version}
    return {**head, "command": command, "at": utc(now)}


def event(happened: events.Event, now: float) -> Document:
    """One line of a stream."""
    if isinstance(happened, events.Summary):
        return summary(happened)
    word, document = _EVENTS[type(happened)]
    return {"type": word, **document(happened, now)}


def _canary(found: events.CanaryEnded, now: float) -> Document:
    sums = fields_of(found.totals, "pending invalid not_taken_over waived")
    causes = [cause(each) for each in found.causes]
    told = {"images": found.totals.rows, **sums, "causes": causes, "maxFailures": found.limit}
    return {**told, "passed": found.passed, "at": utc(now)}


def _retry(planned: events.RetryPlanned, _: float) -> Document:
    groups = [{"cause": each.cause.cause, "sent": each.sent, "left": each.left}
              for each in planned.groups]  # fmt: skip
    return {"sent": planned.sent, "left": planned.left, "causes": groups}


def _batch(sent: events.BatchSent, now: float) -> Document:
    rows = [sent.first_row, sent.last_row]
    return {**fields_of(sent, "first_row last_row"), "rows": rows, "at": utc(now)}


def _progress(progress: events.Progress, now: float) -> Document:
    numbers = {**fields_of(progress, "counts jobs finish_at"), **fields_of(progress.counts)}
    finish = None if progress.finish_at is None else utc(progress.finish_at)
    return {
        "at": utc(now),
        **numbers,
        "finishAt": finish,
        "unsubmitted": max(0, progress.to_send - progress.sent),
    }


def _waiting(waiting: events.Waiting, _: float) -> Document:
    told = quota.document(waiting.quota)
    return {"reason": "quota", "limit": told["limit"], "used": told["used"],
            "until": utc(waiting.until)}  # fmt: skip


def _ended(ended: events.JobEnded, _: float) -> Document:
    counts = wire.counts_to_json(ended.counts)
    return {"id": ended.job_id, "state": ended.state, "images": counts}


def _silence(silence: Silence, now: float) -> Document:
    at = None if silence.next_try is None else utc(silence.next_try)
    return {**fields_of(silence), "nextTry": at, "at": utc(now)}


_EVENTS: Mapping[type, tuple[str, Callable[[Any, float], Document]]] = {
    events.Planned: (
        "plan",
        lambda planned, _: plan(planned.plan, planned.quota, planned.forecast),
    ),
    events.CanaryEnded: ("canary", _canary),
    events.RetryPlanned: ("retry", _retry),
    events.Left: ("left", lambda left, _: fields_of(left)),
    Notice: ("notice", lambda notice, _: fields_of(notice)),
    events.BatchSent: ("batch", _batch),
    events.Progress: ("progress", _progress),
    Failure: ("failure", lambda failure, _: fields_of(failure)),
    events.Waiting: ("wait", _waiting),
    events.JobEnded: ("job", _ended),
    events.Patched: ("updated", lambda patched, _: fields_of(patched)),
    Silence: ("silence", _silence),
}
"""Every event but the last, with its type in JSON."""


JOB_KEYS = ("id", "state", "images", "target", "systemName")


def summary(end: Summary) -> Document:
    """Last line of a stream that came to its end, in order or stopped."""
    about: Any = end.plan or (end.jobs[0] if end.jobs else None)
    document: Document = {
        "type": "summary",
        "format": FORMAT,
        "manifest": end.plan.manifest if end.plan else None,
        "target": about.target if about else None,
        "systemName": about.system_name if about else None,
        "plan": plan_counts(end.plan) if end.plan else None,
        "jobs": [{key: job(row)[key] for key in JOB_KEYS} for row in end.jobs],
        "totals": fields_of(end.totals),
        **({} if end.own is None else {"own": fields_of(end.own)}),
        "causes": [cause(row) for row in end.causes],
        **({"waived": [waiver(each) for each in end.waived]} if end.waived else {}),
        "seconds": round(end.seconds, 3),
        **({"notes": dict(end.notes)} if end.notes else {}),
        **_resume(end.stopped),
        "quota": None if end.quota is None else quota.document(end.quota),
        "finishAt": None if end.finish_at is None else utc(end.finish_at),
        **({} if end.updated is None else {"updated": fields_of(end.updated)}),
        **(
            {"held": [{"host": host, "images": n} for host, n in end.held.items()]}
            if end.held
            else {}
        ),
    }
    if isinstance(end.stopped, LdimportError):
        told = error(end.stopped)
        document["stopped"] = {key: told[key] for key in ("code", "message", "hint")}
    elif end.stopped is not None:
        word = end.exit_code.word
        hint = "run the same command again to go on"
        document["stopped"] = {"code": word, "message": word, "hint": hint}
    return {**document, "exitCode": int(end.exit_code)}
