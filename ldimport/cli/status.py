"""``ldimport status [ID]``: what the state file knows, and what became of one job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli import elsewhere, options
from ldimport.cli.interrupt import within
from ldimport.cli.output import overview
from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode, LdimportError, LockedError, TemporaryError, UsageError
from ldimport.model import Counts, JobState, JobStatus, Result, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldimport.migration import Migration
    from ldimport.migration.model import JobRow, Overview
    from ldimport.settings import Settings
    from ldimport.targets.base import Target

MOST_JOBS = 10
MOST_IMAGES = 20
ASK_SECONDS = 5.0


JobOption = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        help="one job; without it: all of them",
        autocompletion=options.complete_jobs,
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="with ID: do not ask the target about an open job")
]
ExitStatus = Annotated[
    bool,
    typer.Option(
        "--exit-status",
        help="with ID: exit 0 arrived, 1 some failed, 8 running, 10 failed as a whole or lost",
    ),
]
Most = Annotated[
    int, typer.Option("--most", "-n", min=0, metavar="N", help="jobs to show; 0 = all")
]
Failed = Annotated[
    bool, typer.Option("--failed", envvar="LDIMPORT_STATUS_FAILED", help="jobs with failures")
]


def status(
    context: typer.Context,
    job: JobOption = None,
    offline: Offline = False,
    exit_status: ExitStatus = False,
    most: Most = MOST_JOBS,
    failed: Failed = False,
) -> ExitCode:
    """Show all jobs and how many images arrived, or one job with its images."""
    session = Session.of(context)
    settings = session.settings()
    if job is not None:
        return _one(session, settings, job, offline=offline, exit_status=exit_status)
    if exit_status:
        raise UsageError("--exit-status needs the id of a job", hint="ldimport status ID")
    with session.migration(settings, write=False) as migration:
        found = migration.overview(
            target=settings.target if session.given("target") else None,
            system_name=settings.system_name if session.given("system_name") else None,
        )
    if failed:
        rows = (row for row in found.jobs if row.counts.failed or _broken(row))
        found = replace(found, jobs=tuple(rows))
    _show(session, found, most or None)
    return ExitCode.OK


def _broken(row: JobRow) -> bool:
    return row.state in (JobState.FAILED, JobState.LOST)


def _show(session: Session, found: Overview, most: int | None) -> None:
    if session.options.json:
        from ldimport.cli.output import documents

        session.document(documents.overview(found))
    elif session.out.tty:
        if not found.scopes:
            session.screen.line("Nothing has been submitted yet.")
            session.screen.hint("ldimport submit MANIFEST")
            return
        overview.show(session.screen, found, session.now(), most)
    else:
        overview.lines(session.out, found, most)


# -- one job -------------------------------------------------------------------------------


def _one(
    session: Session, settings: Settings, job_id: str, *, offline: bool, exit_status: bool
) -> ExitCode:
    with session.migration(settings, write=False) as migration:
        row = migration.job(job_id)
    told = None
    if not row.state.finished and not offline:
        told = _ask(session, settings, row)
    with session.migration(settings, write=False) as migration:
        row = migration.job(job_id)
        stored = migration.job_status(job_id)
        known = told if told is not None and not row.state.finished else stored
        row = _seen(row, known)
        if session.options.json:
            from ldimport.cli.output import documents

            session.document(documents.job_status(known))
        else:
            _screen(session, row, known.results)
    return _exit(row) if exit_status else ExitCode.OK


def _ask(session: Session, settings: Settings, row: JobRow) -> JobStatus | None:
    """Ask the target, and store the answer when no other run holds the state file."""
    try:
        with (
            within(
                ASK_SECONDS, lambda: TemporaryError(f"{settings.target} did not answer within 5 s")
            ),
            session.plain_target(settings) as target,
            _writable_if_free(session, settings, target) as migration,
        ):
            elsewhere.refuse_to_ask(row, target)
            return migration.refresh(row.id)
    except LdimportError as error:
        session.notes.line("! ", f"{error.message}; this is what the state file knows", indent=2)
        return None


def _writable_if_free(session: Session, settings: Settings, target: Target) -> Migration:
    try:
        return session.migration(settings, target, write=True)
    except LockedError:
        return session.migration(settings, target, write=False)


def _seen(row: JobRow, known: JobStatus) -> JobRow:
    """The job as the target told it, should another run hold the state file."""
    if row.state.finished or known.state is row.state:
        return row
    words = [result.status for result in known.results]
    counts = Counts(
        words.count(Status.SUCCESS), words.count(Status.SKIPPED), words.count(Status.FAILED)
    )
    whole = Counts(failed=row.counts.total) if known.state is JobState.FAILED else row.counts
    return replace(row, state=known.state, counts=counts if words else whole)


def _screen(session: Session, row: JobRow, told: Sequence[Result]) -> None:
    from ldimport.cli.output import outcomes, summary
    from ldimport.migration.causes import causes_of
    from ldimport.migration.model import Totals

    screen, counts = session.screen, row.counts
    overview.job_head(screen, row, session.now())
    if _broken(row):
        _broken_job(session, row)
        return
    screen.blank()
    sums = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
    summary.counts(screen, sums, None)
    causes = causes_of(told)
    if causes:
        screen.blank()
        summary.causes(screen, causes)
    if told:
        screen.blank()
        outcomes.told(screen, told, MOST_IMAGES)
    hints = [(f"ldimport results --job {row.id}", f"all {counts.total:,} with media ids")]
    if counts.failed:
        hints.append((f"ldimport retry --job {row.id}", "send the failed ones again"))
    if not row.state.finished:
        hints.insert(0, ("ldimport watch", "follows it to its end"))
    screen.hints(hints)


def _broken_job(session: Session, row: JobRow) -> None:
    what = (
        "The target no longer knows it: its images may or may not have arrived."
        if row.state is JobState.LOST
        else "Nothing of it could be tried."
    )
    session.screen.line(f"  {what}", indent=2)
    session.screen.hints(
        [(f"ldimport submit {row.manifest}", "sends them again; images that arrived are skipped")]
    )


def _exit(row: JobRow) -> ExitCode:
    match row.state:
        case JobState.STARTED:
            return ExitCode.DEADLINE
        case JobState.SUCCESS:
            return ExitCode.FAILURES if row.counts.failed else ExitCode.OK
        case _:
            return ExitCode.REFUSED


COMMAND = Command(
    "status",
    status,
    (
        "ldimport status",
        "ldimport status 25bzj8jq0x4t --json",
    ),
    {
        ExitCode.OK: "whenever it could answer; with --exit-status: all of the job arrived",
        ExitCode.FAILURES: "with --exit-status: some images failed",
        ExitCode.USAGE: "unknown job, command or option",
        ExitCode.CONFIG: "the state file is not ours, or the config is wrong",
        ExitCode.DEADLINE: "with --exit-status: the job is running",
        ExitCode.REFUSED: "with --exit-status: the job failed as a whole or was lost",
    },
)
