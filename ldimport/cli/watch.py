"""``ldimport watch``: follow open jobs until they end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli import elsewhere, options, runner
from ldimport.cli.output.text import clock
from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode, LockedError
from ldimport.migration import Migration
from ldimport.migration.reports.junit import RunReport

if TYPE_CHECKING:
    from ldimport.migration.model import JobRow
    from ldimport.settings import Settings


def watch(
    context: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID...",
            help="these jobs; without: all open ones",
            autocompletion=options.complete_jobs,
        ),
    ] = None,
    deadline: options.Deadline = None,
    junitxml: options.JunitXml = None,
) -> ExitCode:
    """Follow open jobs until they end, store their results, and carry on the local engine's work.

    While another run holds the state file, this only looks on.
    """
    session = Session.of(context)
    settings = session.settings()
    seconds = options.read_seconds("--deadline", deadline)
    with ExitStack() as stack:
        known = stack.enter_context(_migration(session, settings))
        target = stack.enter_context(session.plain_target(settings, deadline=seconds))
        migration = known.at(target)
        elsewhere.refuse_to_watch(migration, jobs or ())
        if any(not job.state.finished for job in migration.jobs()):
            runner.say_local(session, settings)
        report = stack.enter_context(RunReport(junitxml, "watch"))
        events = migration.watch(tuple(jobs or ()), deadline=seconds)
        end = runner.follow(session, settings, events, runner.Shown(sends=False))
        report.ended(end)
        if not end.jobs and end.stopped is None and not session.options.json:
            _nothing_open(session, migration)
            return end.exit_code
        run = runner.run_of(session, target)
        return runner.close(session, settings, migration, end, run, table=False)


def _migration(session: Session, settings: Settings) -> Migration:
    """Ours if it is free; else read-only beside the run that holds it, which is named."""
    try:
        return session.migration(settings, write=True)
    except LockedError as error:
        who = error.facts.get("who", "another run")
        session.notes.line(f"! {who} is at work: looking on", indent=2)
        return session.migration(settings, write=False)


def _nothing_open(session: Session, migration: Migration) -> None:
    text = "No job is running."
    last = max((job for job in migration.jobs() if job.finished_at), key=_finished, default=None)
    if last is not None:
        text += f" The last one, {last.id}, ended {clock(_finished(last), session.now())}."
    session.screen.line(("✓", "green"), f" {text}", indent=2)


def _finished(job: JobRow) -> float:
    return job.finished_at or 0.0


COMMAND = Command(
    "watch",
    watch,
    ("ldimport watch", "ldimport watch --deadline 30m"),
    [
        ExitCode.OK,
        ExitCode.FAILURES,
        ExitCode.USAGE,
        ExitCode.CONFIG,
        ExitCode.TEMPORARY,
        ExitCode.DEADLINE,
        ExitCode.REFUSED,
        ExitCode.INTERRUPTED,
    ],
)
