"""``ldimport watch``: follow open jobs until they end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli import options, other_targets, runner
from ldimport.cli.command import Command
from ldimport.cli.output.text import clock
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LockedError
from ldimport.migration import Migration
from ldimport.migration.reports.run import RunReport

if TYPE_CHECKING:
    from ldimport.settings import Settings


def watch(
    session: Session,
    jobs: list[str] | None = None,
    deadline: str | None = None,
    junitxml: Path | None = None,
) -> ExitCode:
    """Follow open jobs until they end, store their results, and carry on the local engine's work.

    While another run holds the state file, this only looks on.
    """
    settings = session.settings()
    seconds = options.read_seconds("--deadline", deadline)
    with ExitStack() as stack:
        known = stack.enter_context(_migration(session, settings))
        target = stack.enter_context(session.plain_target(settings, deadline=seconds))
        migration = known.at(target)
        other_targets.refuse_to_watch(migration, jobs or ())
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
    if ends := [(job.finished_at, job.id) for job in migration.jobs() if job.finished_at]:
        at, name = max(ends)
        text += f" The last one, {name}, ended {clock(at, session.now())}."
    session.screen.say("✓", f"{text}")


COMMAND = Command(
    "watch",
    watch,
    ("ldimport watch", "ldimport watch --deadline 30m"),
    {},
    also=(0, 1, 2, 4, 5, 8, 10, 130, 143),
)
