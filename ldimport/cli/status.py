"""``ldimport status [ID]``: what the state file knows, and what became of one job."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ldimport import wire
from ldimport.cli import archive
from ldimport.cli.command import Command
from ldimport.cli.interrupt import within
from ldimport.cli.options import quota_rules
from ldimport.cli.output import documents, outcomes, quota
from ldimport.cli.output.documents import Document
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LdimportError, StateFileError, TemporaryError, UsageError
from ldimport.migration import Migration
from ldimport.migration.model import ArchiveName, ArchiveSums, Filter, JobRow, Overview, Totals
from ldimport.migration.prospects import Prospect
from ldimport.model import Counts, JobState, JobStatus, Result, Status

MOST_JOBS = 10
MOST_IMAGES = 20
ASK_SECONDS = 5.0


def status(
    session: Session,
    job: str | None = None,
    offline: bool = False,
    exit_status: bool = False,
    most: int = MOST_JOBS,
    failed: bool = False,
    all_: bool = False,
) -> ExitCode:
    """Show the jobs of the archive in force and how many images arrived, or one job with its
    images. Where nothing names an archive, all of them."""
    archive.require_paths(session)
    if job is not None:
        row = _one(session, job, offline=offline)
        return _exit(session, row) if exit_status else ExitCode.OK
    if exit_status:
        raise UsageError("--exit-status needs the id of a job", hint="ldimport status ID")
    with session.migration(write=False) as migration, ExitStack() as stack:
        mine = archive.to_show(session, migration, everything=all_)
        which: dict[str, Any] = {**asdict(mine), "failed": failed}
        shown = 0 if session.options.json else most or None
        found = migration.overview(**which, most=shown)
        migration, workers = _as_now(session, stack, migration, found)
        found = migration.overview_now(found, workers=workers)
        others = archive.elsewhere(migration.archives(), mine)
        ahead = migration.prospects(found.scopes, quota_rules(session.settings))
        if session.options.json:
            jobs = map(migration.as_now, migration.jobs(**which))
            document = documents.overview(found, others)
            document["prospects"] = [*map(documents.prospect, ahead)]
            outcomes.write_overview(session.out, document, jobs)
        else:
            _show(session, found, others, ahead)
        archive.say_elsewhere(session, migration, mine, "status")
    return ExitCode.OK


def _broken(row: JobRow) -> bool:
    return row.state in (JobState.FAILED, JobState.LOST)


def _as_now(
    session: Session, stack: ExitStack, migration: Migration, found: Overview
) -> tuple[Migration, bool]:
    """With the local engine, if it is ours to look into and has open jobs, and whether its workers
    are alive; no server is asked."""
    if not any(map(outcomes.is_local, found.under_way)):
        return migration, False
    from ldimport.engine.store import busy, exists
    from ldimport.migration import open_target

    folder = session.settings.engine
    if exists(folder):
        with suppress(LdimportError):  # what is wrong with it is told by who works with it
            engine = stack.enter_context(closing(open_target("embedded", engine=folder)))
            return migration.at(engine), busy(folder)
    return migration, False


def _show(
    session: Session,
    found: Overview,
    others: Sequence[ArchiveSums],
    prospects: Sequence[Prospect],
) -> None:
    screen, now = session.screen, session.now()
    ahead = [quota.standing(each, now, here=session.out.tty) for each in prospects]
    if not session.out.tty:
        outcomes.lines(session.out, found, now, None, ahead)
    elif found.scopes:
        outcomes.overview(screen, found, now, None, ahead)
    else:
        name = session.archive.system_name if others else None
        of = f" of “{name}”" if name else ""
        screen.line(f"Nothing{of} has been submitted yet.")
        screen.hint(session.next_command("submit", "MANIFEST"))
    if found.under_way:
        screen.hints([(session.next_command("watch"), "goes on with what is open")])


def _one(session: Session, job_id: str, *, offline: bool) -> JobRow:
    with session.migration(write=False) as migration:
        row = migration.job(job_id)
        session.knows(migration.archives())
    told = None if row.state.finished or offline else _ask(session, row)
    with session.migration(write=False) as migration:
        row = migration.job(job_id)
        known = told if told and not row.state.finished else migration.job_status(job_id)
    row = _seen(row, known)
    if session.options.json:
        session.document({**wire.status_to_json(known), **_so_far(row, known), "format": 1})
    else:
        _screen(session, row, known.results)
    return row


def _ask(session: Session, row: JobRow) -> JobStatus | None:
    """Ask the target, and store the answer when no other run holds the state file."""

    def late() -> TemporaryError:
        place = session.settings.target
        return TemporaryError(f"{place} did not answer within {ASK_SECONDS:.0f} s")

    try:
        with (
            within(ASK_SECONDS, late),
            session.target() as target,
            session.migration_if_free(target)[0] as migration,
        ):
            archive.refuse_to_ask(row, target)
            return migration.refresh(row.id)
    except StateFileError:
        raise
    except LdimportError as error:
        session.notes.line("! ", f"{error.message}; this is what the state file knows", indent=2)
        return None


def _seen(row: JobRow, known: JobStatus) -> JobRow:
    """The job as the target told it, should another run hold the state file."""
    if row.state.finished:
        return row
    words = [result.status for result in known.results]
    told = (Status.SUCCESS, Status.SKIPPED, Status.FAILED)
    counts = Counts(*map(words.count, told)) if words else row.counts
    if words and not known.finished:
        counts = replace(counts, pending=row.counts.total - counts.total)
    if known.state is JobState.FAILED and not words:
        counts = Counts(failed=row.counts.total)
    return replace(row, state=known.state, counts=counts)


def _so_far(row: JobRow, known: JobStatus) -> Document:
    """What the API does not tell before a job's end, and the local engine knows."""
    if row.state.finished or not known.results:
        return {}
    images = [wire.result_to_json(each) for each in known.results]
    return {"counts": wire.counts_to_json(row.counts), "imagesSoFar": images}


def _screen(session: Session, row: JobRow, told: Sequence[Result]) -> None:
    from ldimport.cli.output import summary
    from ldimport.migration.causes import causes_of

    screen, counts = session.screen, row.counts
    of = ArchiveName(row.target, row.system_name)
    outcomes.job_head(screen, row, session.now())
    if not session.alone:
        screen.line(f"  systemName {row.system_name} at {row.label}", indent=2)
    if _broken(row):
        _say_broken(session, row)
        return
    screen.blank()
    sums = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
    summary.counts(screen, sums, None)
    if causes := causes_of(told):
        screen.blank()
        summary.causes(screen, causes)
    if told:
        screen.blank()
        outcomes.told(screen, told, MOST_IMAGES)
    if not row.state.finished:
        _at_work(session, row)
    hints = []
    if not row.state.finished:
        hints.append((session.next_command("watch", of=of), "follows it to its end"))
    else:
        what = "media ids" if counts.success + counts.skipped else "reasons"
        every = session.next_command("results", "--job", row.id, of=of)
        hints.append((every, f"all {counts.total:,} with {what}"))
    if row.state.finished and (can := sum(each.images for each in causes if each.retryable)):
        again = session.next_command("retry", "--job", row.id, of=of)
        hints.append((again, f"send failed images again; {can:,} may work"))
    screen.hints(hints)


def _say_broken(session: Session, row: JobRow) -> None:
    """A job that failed as a whole, or that the target does not know: for good, or just now."""
    screen, of = session.screen, ArchiveName(row.target, row.system_name)
    words: tuple[str, ...] = ("submit", *_manifest(row))
    why = "sends them again; images that arrived are skipped"
    text = "Nothing of it could be tried."
    if row.state is JobState.LOST and row.finished_at is None:
        text = "The target does not know it just now: its images may or may not have arrived."
        words, why = ("watch",), "asks again, looks them up, and sends again what is not there"
    elif row.state is JobState.LOST and (found := row.counts.success):
        text = f"The target no longer knows it; {found:,} of its images are in the media library."
    elif row.state is JobState.LOST:
        text = "The target no longer knows it: its images may or may not have arrived."
    screen.line("  ", text, indent=2)
    screen.hints([(session.next_command(*words, of=of), why)])


def _manifest(row: JobRow) -> list[str]:
    """The files of the job's manifest from this folder, as far as they are still there."""
    paths = [Path(each) for each in row.path.split(os.pathsep) if each and Path(each).exists()]
    here = Path.cwd()
    return [str(each.relative_to(here) if each.is_relative_to(here) else each)
            for each in paths] or ["MANIFEST"]  # fmt: skip


def _at_work(session: Session, row: JobRow) -> None:
    with session.migration(write=False) as migration, ExitStack() as stack:
        scopes = (each for each in migration.archives() if each.target == row.target)
        found = Overview((row,), Totals(), tuple(scopes), None, under_way={row.target: 1})
        migration, workers = _as_now(session, stack, migration, found)
        found = migration.overview_now(found, workers=workers)
    session.screen.blank()
    for line in outcomes.at_work(found):
        session.screen.line(line, indent=2)


def _exit(session: Session, row: JobRow) -> ExitCode:
    if not row.state.finished:
        return ExitCode.DEADLINE
    if _broken(row):
        return ExitCode.REFUSED
    with session.migration(write=False) as migration:
        waived = sum(each.images for each in migration.waivers(Filter(job=row.id)))
    return ExitCode.FAILURES if row.counts.failed > waived else ExitCode.OK


COMMAND = Command(
    status,
    ("ldimport status", "ldimport status 25bzj8jq0x4t --json"),
    {
        0: "whenever it could answer; with --exit-status: all of the job arrived",
        1: "with --exit-status: some images failed",
        2: "unknown job, command or option",
        4: "the state file is not ours, or the config is wrong",
        8: "with --exit-status: the job is running",
        10: "with --exit-status: the job failed as a whole or was lost",
    },
)
