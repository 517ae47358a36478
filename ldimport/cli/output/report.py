"""The report on an archive as a page, as Markdown and for scripts."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ldimport.cli.output import documents
from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.markdown import cell, table
from ldimport.cli.output.report_words import ReportFacts, ReportWords
from ldimport.cli.output.screen import OUTCOMES
from ldimport.migration.report import MOST_FAILURES
from ldimport.wording import percent, utc

if TYPE_CHECKING:
    from ldimport.migration.report import FileDigest, SentManifest, Thumbnail

FAILURE_KEYS = ("externalId", "row", "title", "cause", "reason", "retryable", "sourceUrl", "jobId")
_of_failure = documents.in_order(FAILURE_KEYS)


# -- the page --------------------------------------------------------------------------------------


def page(told: Sequence[ReportWords], facts: ReportFacts) -> str:
    """One HTML file that needs nothing else."""
    from ldimport.html import render, styles

    text = render(
        "report.html",
        archives=told,
        facts=facts,
        look=styles(),
        own=styles("report.css"),
        data_uri=_data_uri,
    )
    return f"{text}\n"


def _data_uri(of: Thumbnail) -> str:
    return f"data:{of.mime_type};base64,{base64.b64encode(of.data).decode()}"


# -- Markdown --------------------------------------------------------------------------------------


def markdown(told: Sequence[ReportWords]) -> str:
    """The same for a ticket, without pictures."""
    return "\n".join(block for each in told for block in _blocks(each))


def _blocks(told: ReportWords) -> Iterator[str]:
    yield f"# {cell(told.title)}\n\n{cell(told.subtitle)}\n"
    sums = [(OUTCOMES[name][1], n, percent(n, told.found.totals.rows)) for name, n in told.parts]
    yield table("outcome|images:|share:", sums) + f"\n{cell(told.sum)}\n"
    yield from (f"{cell(each)}\n" for each in told.notes)
    times = [(each.title, each.images) for each in told.time if each.images]
    yield f"## By the {told.per}, UTC\n\n{table('outcomes from|images:', times)}"
    yield f"{cell(told.time_words)}\n"
    if told.causes:
        rows = [(each.row.images, each.row.text, each.again, each.examples, each.command)
                for each in told.causes]  # fmt: skip
        columns = "failed:|reason|another try|examples|command"
        more = f"\n{told.more_causes}\n" if told.more_causes else ""
        yield f"## Why images failed\n\n{table(columns, rows)}{more}"
    hosts = [(each.label, each.images, each.failed) for each in told.hosts]
    yield f"## Where they came from\n\n{table('host|images:|failed:', hosts)}"
    for title, bars, words in (
        ("Longer side, pixels", told.sides, told.unknown_sides),
        ("File size", told.sizes, told.unknown_sizes),
        ("File type", told.types, ""),
    ):
        known = table("from|images:", [(each.label, each.images) for each in bars]) if bars else ""
        yield f"## {title}\n\n{known}" + (f"\n{cell(words)}\n" if words else "")
    yield from _lists(told)


def _lists(told: ReportWords) -> Iterator[str]:
    if told.found.waivers:
        waived = [(each.images, each.reason or "no reason given") for each in told.found.waivers]
        yield f"## Waived failures\n\n{table('images:|reason', waived)}"
    yield f"## Evidence\n\n{table('what|value', told.evidence)}"
    yield "## Signed off\n\n| name | date | signature |\n|---|---|---|\n| | | |\n"
    failed = [(each.row, each.external_id, each.reason or "", each.source_url)
              for each in told.failures]  # fmt: skip
    rows = table("row:|external id|reason|URL", failed, MOST_FAILURES) if failed else ""
    yield f"## Failures\n\n{cell(told.failures_words)}\n\n{rows}"


# -- for scripts -----------------------------------------------------------------------------------


def document(told: Sequence[ReportWords], facts: ReportFacts) -> Document:
    """All of it, without the bytes of pictures."""
    return {
        "format": documents.FORMAT,
        "madeAt": utc(facts.at),
        "ldimport": facts.version,
        "apiVersion": facts.api_version,
        "projectConfig": None if facts.config is None else _file(facts.config),
        "archives": [_archive(each) for each in told],
    }


def _archive(told: ReportWords) -> Document:
    found = told.found
    images, looks, run = found.images, found.looks, found.last_run
    causes = zip(found.causes, told.causes, strict=True)
    return {
        **fields_of(found.archive, "totals"),
        "totals": fields_of(found.totals, "invalid not_taken_over"),
        "rows": found.totals.rows,
        "sumsAgree": found.sums_agree,
        "course": _course(told),
        "causes": [{**documents.cause(row), "hint": each.hint, "command": each.command}
                   for row, each in causes],
        "causesInAll": found.causes_in_all,
        "origins": [fields_of(each) for each in images.hosts],
        "originsInAll": images.hosts_in_all,
        "otherOrigins": fields_of(images.other_hosts, "host"),
        "longerSides": [fields_of(each) for each in images.sides],
        "sizes": None if found.sizes is None else [fields_of(each) for each in found.sizes],
        "types": [{"mimeType": word, "images": n} for word, n in images.types],
        "failures": [dict(zip(FAILURE_KEYS, _of_failure(each), strict=True))
                     for each in found.failures],
        "failuresShown": len(found.failures),
        "waivers": [*map(documents.waiver, found.waivers)],
        "manifests": [*map(_manifest, found.manifests)],
        "verification": None if looks is None else {
            **fields_of(looks, "begun first_at last_at"), **fields_of(looks.begun),
            "firstAt": _utc(looks.first_at), "lastAt": _utc(looks.last_at),
        },
        "lastRun": None if run is None else documents.run(run),
        "sample": None if found.thumbnails is None else [*map(_sampled, found.thumbnails)],
    }  # fmt: skip


def _course(told: ReportWords) -> Document:
    course = told.found.course
    times = {name: _utc(getattr(course, key)) for name, key in
             (("firstAt", "first_at"), ("lastAt", "last_at"), ("lastEnd", "last_end"))}  # fmt: skip
    ends = [{"at": utc(course.since + each.n * course.each), **fields_of(each, "n")}
            for each in course.ends]  # fmt: skip
    return {**fields_of(course, "first_at last_at last_end ends each since"), **times,
            "secondsEach": course.each, "intervals": ends}  # fmt: skip


def _manifest(of: SentManifest) -> Document:
    times = {"firstAt": utc(of.first_at), "lastAt": utc(of.last_at)}
    return {**fields_of(of, "path digests"), **times, "files": [*map(_file, of.digests)]}


def _file(of: FileDigest) -> Document:
    return {"name": of.name, "sha256": of.sha256, "changedAt": _utc(of.changed_at)}


def _sampled(of: Thumbnail) -> Document:
    return {"externalId": of.of.external_id, "row": of.of.row, "title": of.of.title, "why": of.why}


def _utc(at: float | None) -> str | None:
    return None if at is None else utc(at)
