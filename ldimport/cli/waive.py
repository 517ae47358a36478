"""``ldimport waive``: accept failures that nobody can mend."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from ldimport.cli import archive
from ldimport.cli.command import Command
from ldimport.cli.output.documents import FORMAT, fields_of
from ldimport.cli.session import Session
from ldimport.errors import UsageError
from ldimport.migration import Migration
from ldimport.migration.model import ArchiveName, ArchiveSums, Failed, Totals, WaiverChange
from ldimport.wording import counted, number

MOST_REASON = 1_000
_SELECT = "say which: ids, --cause CODE, --host H or --file FILE"


def waive(
    session: Session,
    ids: list[str] | None = None,
    cause: str | None = None,
    host: str | None = None,
    file: Path | None = None,
    reason: str | None = None,
    undo: bool = False,
) -> None:
    """Accept failed images of the archive in force: they no longer count as open, and every report
    lists them with the reason. Of ids, a cause and a host all that are given have to fit.

    An image whose row is edited is sent again, and its waiver falls.
    """
    archive.require_paths(session)
    because = _because(reason, undo=undo)
    if not (ids or cause or host or file):
        raise UsageError("waive needs to know which failures", hint=_SELECT)
    with session.migration(write=True) as migration:
        mine = archive.to_waive(session, migration)
        of = ArchiveName(mine.target, mine.system_name)
        session.ran = of
        if cause is not None:
            migration.check_cause(cause)
        if host is not None:
            migration.check_host(host, of)
        named = _named(ids, file)
        done = migration.waive(mine, Failed(cause=cause, host=host), named, because)
        if not (done.changed or done.so_before):
            raise _none(session, done, undo=undo)
        (after,) = migration.archives(**asdict(of))
        _tell(session, migration, after, done, because)


def _because(reason: str | None, *, undo: bool) -> str | None:
    if undo:
        if reason is not None:
            raise UsageError("--undo takes no --reason", hint="leave one of them out")
        return None
    because = " ".join((reason or "").split())
    if not because:
        hint = '--reason "the originals are lost", for whoever reads the reports'
        raise UsageError("waive needs a reason", hint=hint, code="no-reason-given")
    if len(because) > MOST_REASON:
        raise UsageError(f"--reason has {len(because):,} characters; at most {MOST_REASON:,}")
    return because


def _named(ids: list[str] | None, file: Path | None) -> Iterator[str] | None:
    from ldimport.migration.waive import ids_in

    if not ids and file is None:
        return None
    return chain(ids or (), ids_in(file) if file is not None else ())


def _none(session: Session, done: WaiverChange, *, undo: bool) -> UsageError:
    state = "is waived" if undo else "has failed"
    text = f"none of these images {state}" if done.not_failed else f"no image of these {state}"
    facts = {"images": ", ".join(done.examples)} if done.examples else {}
    which = "--waived" if undo else "--failed"
    hint = f"{session.next_command('results', which)}   lists those that may be meant"
    return UsageError(text, hint=hint, facts=facts, code="nothing-to-waive")


def _tell(
    session: Session,
    migration: Migration,
    after: ArchiveSums,
    done: WaiverChange,
    because: str | None,
) -> None:
    sums = after.totals
    if session.options.json:
        shown = {**fields_of(done), "examples": list(done.examples)}
        session.document({
            "format": FORMAT, "target": after.label, "systemName": after.system_name,
            "undo": because is None, "reason": because, **shown,
            "totals": fields_of(sums, "invalid"),
        })  # fmt: skip
        return
    if session.options.quiet:
        return
    screen, images = session.screen, counted(done.changed + done.so_before, "failed image")
    screen.say("✓", f"{images} waived: {because}" if because else f"{images} no longer waived")
    if done.so_before:
        were = "was" if done.so_before == 1 else "were"
        screen.line(f"  {number(done.so_before)} of them {were} before; the reason is the new one")
    if done.not_failed:
        more = ", ".join(done.examples) + (" …" if done.not_failed > len(done.examples) else "")
        have = "are not waived" if because is None else "have not failed"
        screen.say("!", f"{number(done.not_failed)} of those named {have}: {more}")
    screen.line(f"  {_standing(sums)}", indent=2)
    hints = [(session.next_command("results", "--waived"), "all that are waived, with the reasons")]
    if sums.failed:
        hints.append((session.next_command("results", "--failed"), "what is still open"))
    screen.hints(hints)


def _standing(sums: Totals) -> str:
    """Where the archive stands: done is what arrived, was skipped or is waived."""
    done = sums.success + sums.skipped + sums.waived
    if done == sums.rows:
        return f"done: all {counted(sums.rows, 'image')} arrived or are waived"
    left = {"still failed": sums.failed, "in progress": sums.pending, "not sent": sums.unsubmitted}
    told = ", ".join(f"{number(count)} {word}" for word, count in left.items() if count)
    return f"{number(done)} of {counted(sums.rows, 'image')} arrived or are waived; {told}"


COMMAND = Command(
    waive,
    (
        'ldimport waive 2003-04511 --reason "the original is lost"',
        'ldimport waive --cause origin-404 --host img.example --reason "taken down in 2019"',
        'ldimport waive --file lost.csv --reason "see ticket 4711"',
        "ldimport waive 2003-04511 --undo",
    ),
    {
        0: "waived, or no longer",
        2: "an image that nobody knows, none that has failed, or no reason",
    },
    also=(3, 4, 5, 7),
)
