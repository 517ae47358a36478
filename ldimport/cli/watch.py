"""``ldimport watch``: follow open jobs until they end."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ldimport.cli import archive, options, runner
from ldimport.cli.command import Command
from ldimport.cli.output import outcomes
from ldimport.cli.output.screen import ACCENT
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import Migration
from ldimport.migration.events import Summary
from ldimport.migration.model import ArchiveName, Overview, Totals
from ldimport.migration.reports.junit import RunReport
from ldimport.wording import clock, counted


def watch(
    session: Session,
    jobs: list[str] | None = None,
    deadline: str | None = None,
    heartbeat: str | None = None,
    junitxml: Path | None = None,
    all_: bool = False,
) -> ExitCode:
    """Follow open jobs of the archive in force until they end, store their results, and carry on
    the local engine's work.

    While another run holds the state file, this only looks on.
    """
    archive.require_paths(session)
    seconds = options.read_seconds("--deadline", deadline)
    with ExitStack() as stack:
        known, other = session.migration_if_free()
        stack.enter_context(known)
        if other:
            session.notes.line(f"! {other} is at work: looking on", indent=2)
        target = stack.enter_context(session.target(deadline=seconds))
        migration = known.at(target)
        mine = archive.to_watch(session, migration, jobs or (), everything=all_)
        session.ran = ArchiveName(system_name=mine.system_name)
        found = migration.overview(**asdict(mine), most=0)
        if found.under_way:
            runner.say_local(session)
            _say_what(session, found)
        report = stack.enter_context(RunReport(junitxml, "watch", session.next_command))
        named = mine.system_name
        events = migration.watch(tuple(jobs or ()), system_name=named, deadline=seconds)
        end = runner.follow(session, events, sends=False)
        report.ended(end)
        if not end.jobs and end.stopped is None and not session.options.json:
            _nothing_open(session, migration, mine)
            code = end.exit_code
        else:
            code = _close(session, migration, end)
        archive.say_elsewhere(session, migration, mine, "watch", lambda sums: sums.pending)
        return code


def _say_what(session: Session, found: Overview) -> None:
    """Where the jobs are that are followed, how many, and of how many images."""
    if session.err.live:
        places = " · ".join(
            dict.fromkeys(each.label for each in found.scopes if each.totals.pending)
        )
        open_ = counted(sum(found.under_way.values()), "job")
        images = counted(found.totals.pending, "image")
        session.notes.line((places, ACCENT), f" · {open_}, {images} under way", indent=2)
        session.notes.blank()


def _close(session: Session, migration: Migration, end: Summary) -> ExitCode:
    """The closing screen; jobs of several archives first, each with its own."""
    if session.chatty and len({(job.target, job.system_name) for job in end.jobs}) > 1:
        shown = Overview(end.jobs, Totals(), (), None)
        outcomes.jobs(session.screen, shown, session.now(), None)
        session.screen.blank()
    return runner.close(session, migration, end, table=False)


def _nothing_open(session: Session, migration: Migration, mine: ArchiveName) -> None:
    text = "No job is running."
    if last := migration.last_ended(**asdict(mine)):
        text += f" The last one, {last.id}, ended {clock(last.at, session.now())}."
    session.screen.say("✓", f"{text}")


COMMAND = Command(
    watch,
    ("ldimport watch", "ldimport watch --deadline 30m"),
    also=(0, 1, 2, 4, 5, 8, 10, 130, 143),
)
