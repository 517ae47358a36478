"""``ldimport explain``: what became of one image, or what a problem code means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli.output.text import clock, closest, number, utc
from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode, UsageError
from ldimport.migration.model import Attempt, History
from ldimport.model import Status

if TYPE_CHECKING:
    from ldimport.explanations import Explanation

_SIGNS = {Status.SUCCESS: "✓", Status.SKIPPED: "·", Status.FAILED: "✗"}
_WORDS = {Status.SUCCESS: "imported", Status.SKIPPED: "skipped", Status.FAILED: "failed"}
_STYLES = {Status.SUCCESS: "green", Status.SKIPPED: "bright_black", Status.FAILED: "red"}


def explain(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="ID|CODE", help="an image's external id, or a problem code")
    ],
) -> ExitCode:
    """Tell what became of an image, attempt by attempt, or what a problem code means."""
    session = Session.of(context)
    from ldimport.migration.explanations import CODES

    with session.migration(session.settings(), write=False) as migration:
        found = migration.history(what)
    meaning = CODES.get(what)
    if not found and meaning is None:
        near = closest(what, list(CODES))
        raise UsageError(
            f"“{what}” is neither an image in the state file nor a problem code",
            hint=f"did you mean {near}?" if near else "ldimport results   lists all images",
            code="unknown-id",
        )
    if session.options.json:
        session.document(_document(what, found, meaning))
        return ExitCode.OK
    for each in found:
        _image(session, what, each)
    if meaning is not None:
        _code(session, what, meaning)
    return ExitCode.OK


def _image(session: Session, name: str, found: History) -> None:
    screen, now = session.screen, session.now()
    status = found.status
    if status is None:
        screen.line(name, ("  … in progress" if found.open else "  ⧗ not sent yet", "blue"))
    else:
        times = f" after {len(found.attempts)} tries" if len(found.attempts) > 1 else ""
        sign = f"  {_SIGNS[status]} {_WORDS[status]}{times}"
        screen.line((name, "bold"), (sign, _STYLES[status]))
    facts = {"archive": f"{found.label} · systemName {found.system_name}"}
    facts["row"] = f"{number(found.row)} of {found.manifest}"
    facts["url"] = found.source_url or ""
    if found.media_id:
        facts["media id"] = found.media_id
    for n, attempt in enumerate(found.attempts, 1):
        at = (
            ""
            if attempt.at is None
            else clock(attempt.at, now)
            if screen.width
            else utc(attempt.at)
        )
        outcome = _outcome(attempt, found)
        facts[f"try {n}"] = f"{at}  job {attempt.job_id}  {_SIGNS[attempt.status]} {outcome}"
    screen.facts(facts)
    if status is Status.FAILED:
        screen.hints(
            [(f"ldimport retry --cause {found.cause}", "send it, and those like it, again")]
            if found.retryable
            else [("ldimport results --failed --as-manifest -o failed.csv", "to correct the row")]
        )


def _outcome(attempt: Attempt, found: History) -> str:
    if attempt.status is Status.FAILED:
        return attempt.reason or "failed"
    return attempt.reason or f"media id {found.media_id}"


def _code(session: Session, code: str, meaning: Explanation) -> None:
    screen = session.screen
    screen.line((code, "bold"), f"  {meaning.title}")
    screen.blank()
    screen.line(f"  {meaning.meaning}", indent=2)
    screen.blank()
    for way in meaning.fix:
        screen.line(f"  → {way}", indent=4)


def _document(what: str, found: list[History], meaning: Explanation | None) -> dict[str, object]:
    document: dict[str, object] = {"format": 1, "images": [_image_document(what, h) for h in found]}
    if meaning is not None:
        document["code"] = {
            "code": what,
            "title": meaning.title,
            "meaning": meaning.meaning,
            "fix": list(meaning.fix),
        }
    return document


def _image_document(name: str, found: History) -> dict[str, object]:
    return {
        "externalId": name,
        "systemName": found.system_name,
        "target": found.label,
        "manifest": found.manifest,
        "row": found.row,
        "sourceUrl": found.source_url,
        "status": found.status,
        "mediaId": found.media_id,
        "attempts": [
            {
                "jobId": each.job_id,
                "at": None if each.at is None else utc(each.at),
                "status": each.status,
                "reason": each.reason,
            }
            for each in found.attempts
        ],
    }


COMMAND = Command(
    "explain",
    explain,
    ("ldimport explain 2003-04511", "ldimport explain duplicate-id"),
    {
        ExitCode.OK: "explained",
        ExitCode.USAGE: "neither an image of the state file nor a problem code",
        ExitCode.CONFIG: "",
    },
)
