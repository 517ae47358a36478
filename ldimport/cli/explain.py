"""``ldimport explain``: what became of an image, or what a code means."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.causes import KnownCause, is_code, known_cause, proposable
from ldimport.cli.command import Command
from ldimport.cli.options import ManifestOptions, ReadingOptions
from ldimport.cli.output import preview
from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.screen import ACCENT, BUSY, OUTCOMES, STYLES
from ldimport.cli.output.summary import way_out
from ldimport.cli.output.text import clock, number, utc
from ldimport.cli.session import Session
from ldimport.errors import UsageError, did_you_mean
from ldimport.migration.causes import meaning_of
from ldimport.migration.explanations import CODES, EXITS, OTHERS, Explanation
from ldimport.migration.model import ArchiveName, Attempt, History
from ldimport.model import Status
from ldimport.targets.base import LOCAL

if TYPE_CHECKING:
    from ldimport.migration.plan import Preview


def explain(
    session: Session, what: str, manifest: Path | None = None, *, reading: ManifestOptions
) -> None:
    """Tell what became of an image, attempt by attempt, or what a code means: every one that a
    screen, a file or JSON shows. With a manifest also how its entry would be sent."""
    entry = None if manifest is None else _entry(session, what, manifest, reading)
    named = what if entry is None else entry.id
    with session.migration(write=False) as migration:
        found = migration.history(named)
        archives = migration.archives()
        session.knows(archives)
        images = sum(each.totals.rows for each in archives)
        failed = is_code(what) and any(row.cause == what for row in migration.causes())
    codes = (CODES, OTHERS, EXITS) if entry is None else ()
    meanings = [each[what] for each in codes if what in each]
    cause = known_cause(what) if entry is None else None
    if failed and cause is None:
        meanings.append(_FOREIGN)
    if not (found or meanings or cause or entry):
        raise _unknown(what, manifest, images)
    if session.options.json:
        document = _document(named, found, meanings, cause)
        if entry is not None:
            document["entry"] = preview.document(entry)
        session.document(document)
        return
    screen = session.screen
    if entry is not None:
        preview.show(screen, entry)
        if found or meanings or cause:
            screen.blank()
    for each in found:
        _image(session, named, each)
    for n, meaning in enumerate(meanings):
        if n:
            screen.blank()
        _meaning(session, what, meaning)
    if cause is not None:
        if meanings:
            screen.blank()
        _cause(session, cause, failed=failed)


TO_CORRECT = ("--failed", "--as-manifest", "-o", "failed.csv")
_FOREIGN = Explanation(
    "a cause of the target's own",
    "The target gave it; this version of ldimport does not know it.",
    ("ldimport results --failed   shows the reason of each image",),
)


def _meaning(session: Session, code: str, meaning: Explanation) -> None:
    screen = session.screen
    screen.line((code, ACCENT), f"  {meaning.title}")
    screen.blank()
    screen.line(f"  {meaning.meaning}", indent=2)
    screen.blank()
    for way in meaning.fix:
        screen.line(f"  → {session.completed(way)}", indent=4)


def _entry(session: Session, what: str, manifest: Path, reading: ManifestOptions) -> Preview | None:
    """The entry with this id, else that of this row."""
    session.paths = [str(manifest)]
    options = {each.name: getattr(reading, each.name) for each in fields(reading)}
    given = ReadingOptions(paths=[str(manifest)], **options)
    with (
        session.target() as target,
        session.source(session.project_config(target), given) as source,
        session.migration(target, write=False) as migration,
    ):
        return migration.preview_of(source, what)


def _unknown(what: str, manifest: Path | None, images: int) -> UsageError:
    text = f"“{what}” is neither an image in the state file nor a code"
    codes = [*CODES, *OTHERS, *proposable()]
    listed = "ldimport results   lists all images" if images else "nothing was submitted yet"
    hint = did_you_mean(what, codes, listed, "causes")
    if manifest is not None:
        text = f"“{what}” is neither an id nor the number of a row in {manifest}"
        hint = (
            f"ldimport plan {shlex.quote(str(manifest))} --show 3   shows the first that are sent"
        )
    elif what.isdigit():
        hint = f"ldimport explain {what} --manifest FILE   if you mean row {what} of a manifest"
    return UsageError(text, hint=hint, code="unknown-id")


def _image(session: Session, name: str, found: History) -> None:
    screen, status = session.screen, found.status
    of = ArchiveName(found.target, found.system_name)
    if status is None:
        screen.line(name, ("  … in progress" if found.open else "  ⧗ not sent yet", BUSY))
    else:
        sign, word = OUTCOMES[status.value]
        times = f" after {len(found.attempts)} tries" if len(found.attempts) > 1 else ""
        screen.line((name, ACCENT), (f"  {sign} {word}{times}", STYLES[sign]))
    facts = {
        "archive": f"{found.label} · systemName {found.system_name}",
        "row": f"{number(found.row)} of {found.manifest}",
        "url": found.source_url or "",
    }
    if found.media_id:
        facts["media id"] = found.media_id
    for n, attempt in enumerate(found.attempts, 1):
        facts[f"try {n}"] = _attempt(session, attempt, found)
    if status is Status.FAILED and found.cause:
        facts["cause"] = f"{found.cause}: {meaning_of(found.cause, None)}"
    if found.waived_because is not None:
        facts["waived"] = found.waived_because
    screen.facts(facts)
    if found.waived_because is not None:
        again = session.next_command("waive", name, "--undo", of=of)
        screen.hints([(again, "lets it count as failed again")])
    elif status is Status.FAILED and found.retryable:
        again = session.next_command("retry", "--cause", found.cause or "", of=of)
        screen.hints([(again, "send it, and those like it, again")])
    elif found.label == LOCAL and (way := way_out(found.cause or "", found.source_url)):
        words, why = way
        screen.hints([(session.next_command(*words, of=of), why)])
    elif status is Status.FAILED:
        again = session.next_command("results", *TO_CORRECT, of=of)
        screen.hints([(again, "to correct the row")])


def _attempt(session: Session, attempt: Attempt, found: History) -> str:
    at = ""
    if attempt.at is not None:
        at = clock(attempt.at, session.now()) if session.screen.width else utc(attempt.at)
    good = f"media id {found.media_id}"
    outcome = attempt.reason or ("failed" if attempt.status is Status.FAILED else good)
    return f"{at}  job {attempt.job_id}  {OUTCOMES[attempt.status.value][0]} {outcome}"


def _cause(session: Session, cause: KnownCause, *, failed: bool) -> None:
    """Why images failed, and, where some have ``failed`` for it, what can be done with them."""
    screen = session.screen
    screen.line((cause.code, ACCENT), f"  {cause.meaning}", indent=2)
    screen.blank()
    screen.line(f"  → {cause.hint}", indent=4)
    screen.hints([] if not failed else [
        (session.next_command("retry", "--cause", cause.code), "may work later, as it was sent")
        if cause.retryable
        else (session.next_command("results", "--cause", cause.code, *TO_CORRECT[1:]),
              "to correct the rows")
    ])  # fmt: skip


def _document(
    what: str, found: list[History], meanings: list[Explanation], cause: KnownCause | None
) -> Document:
    document: Document = {"format": 1, "images": [_history(what, each) for each in found]}
    for key, meaning in zip(("code", "error"), meanings, strict=False):
        document[key] = {"code": what, **fields_of(meaning)}
    if cause is not None:
        names = ("code", "meaning", "hint", "retryable", "parameters")
        document["cause"] = {name: getattr(cause, name) for name in names}
    return document


def _history(name: str, found: History) -> Document:
    attempts = [
        {**fields_of(each), "at": None if each.at is None else utc(each.at)}
        for each in found.attempts
    ]
    known = {"externalId": name, "target": found.label, "attempts": attempts}
    return {**fields_of(found, "label target open"), **known}


COMMAND = Command(
    explain,
    (
        "ldimport explain 2003-04511",
        "ldimport explain duplicate-id",
        "ldimport explain origin-503",
        "ldimport explain 12 --manifest archive.csv    row 12 as it would be sent",
    ),
    {0: "explained", 2: "neither an image of the state file or manifest nor a code"},
    also=(3, 4, 5),
)
