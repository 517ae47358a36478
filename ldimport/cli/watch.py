"""``ldimport watch``: follow open jobs until they end."""

from contextlib import ExitStack
from pathlib import Path

from ldimport.cli import options, runner
from ldimport.cli.command import Command
from ldimport.cli.output.text import clock
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import Migration
from ldimport.migration.reports.junit import RunReport


def watch(
    session: Session,
    jobs: list[str] | None = None,
    deadline: str | None = None,
    junitxml: Path | None = None,
) -> ExitCode:
    """Follow open jobs until they end, store their results, and carry on the local engine's work.

    While another run holds the state file, this only looks on.
    """
    seconds = options.read_seconds("--deadline", deadline)
    with ExitStack() as stack:
        known, other = session.migration_if_free()
        stack.enter_context(known)
        if other:
            session.notes.line(f"! {other} is at work: looking on", indent=2)
        target = stack.enter_context(session.target(deadline=seconds))
        migration = known.at(target)
        runner.refuse_to_watch(migration, jobs or ())
        if any(not job.state.finished for job in migration.jobs()):
            runner.say_local(session)
        report = stack.enter_context(RunReport(junitxml, "watch"))
        events = migration.watch(tuple(jobs or ()), deadline=seconds)
        end = runner.follow(session, events, sends=False)
        report.ended(end)
        if not end.jobs and end.stopped is None and not session.options.json:
            _nothing_open(session, migration)
            return end.exit_code
        return runner.close(session, migration, end, table=False)


def _nothing_open(session: Session, migration: Migration) -> None:
    text = "No job is running."
    if ends := [(job.finished_at, job.id) for job in migration.jobs() if job.finished_at]:
        at, name = max(ends)
        text += f" The last one, {name}, ended {clock(at, session.now())}."
    session.screen.say("✓", f"{text}")


COMMAND = Command(
    watch,
    ("ldimport watch", "ldimport watch --deadline 30m"),
    also=(0, 1, 2, 4, 5, 8, 10, 130, 143),
)
