"""``ldimport explain``: what became of an image, or what a code means."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.causes import KnownCause, is_code, known_cause, proposable
from ldimport.cli.command import Command
from ldimport.cli.options import ManifestOptions, ReadingOptions
from ldimport.cli.output import preview, story
from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.screen import ACCENT
from ldimport.cli.output.story import TO_CORRECT
from ldimport.cli.session import Session
from ldimport.errors import UsageError, did_you_mean
from ldimport.migration.explanations import CODES, EXITS, OTHERS, Explanation
from ldimport.migration.story import History

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
        story.show(session, named, each)
    for n, meaning in enumerate(meanings):
        if n:
            screen.blank()
        _meaning(session, what, meaning)
    if cause is not None:
        if meanings:
            screen.blank()
        _cause(session, cause, failed=failed)


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
    document: Document = {"format": 1, "images": [story.document(what, each) for each in found]}
    for key, meaning in zip(("code", "error"), meanings, strict=False):
        document[key] = {"code": what, **fields_of(meaning)}
    if cause is not None:
        names = ("code", "meaning", "hint", "retryable", "parameters")
        document["cause"] = {name: getattr(cause, name) for name in names}
    return document


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
