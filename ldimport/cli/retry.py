"""``ldimport retry``: send failed images again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ldimport.cli import archive, runner
from ldimport.cli.command import Command
from ldimport.cli.options import EndOptions, EngineOptions, QuotaOptions, read_seconds
from ldimport.cli.output import triage
from ldimport.cli.output.listeners import Listener, Stopping
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import Migration, RetryOptions
from ldimport.migration.events import Event, RetryPlanned
from ldimport.migration.model import ArchiveName
from ldimport.model import Status
from ldimport.wording import counted


@dataclass(frozen=True, slots=True)
class FailedOptions:
    """Which failed images."""

    ids: list[str] | None = None
    job: str | None = None
    cause: str | None = None
    host: str | None = None
    older_than: str | None = None
    all_: bool = False
    all_archives: bool = False

    def read(self) -> dict[str, Any]:
        """As the use case takes them. Raises UsageError."""
        return {
            "job": self.job,
            "cause": self.cause,
            "host": self.host,
            "older_than": read_seconds("--older-than", self.older_than),
            "ids": tuple(dict.fromkeys(self.ids)) if self.ids else None,
            "everything": self.all_,
        }


def retry(
    session: Session,
    which: FailedOptions,
    lenient: bool = False,
    *,
    ends: EndOptions,
    quota: QuotaOptions,
    engine: EngineOptions,
) -> ExitCode:
    """Send failed images of the archive in force again, as they were sent before: those that may
    work without a change, and those that are named by id or cause.

    The local engine treats them as before too, unless options or the settings userAgent, caFile
    and engine say otherwise.
    """
    archive.require_paths(session)
    engine.refuse_on_http(session.settings, session.flags)
    hosts = "allow_hosts" in session.flags or bool(session.environ.get("LDIMPORT_ALLOW_HOST"))
    again = RetryOptions(
        allow_hosts=session.settings.allow_hosts if hosts else None,
        integrity=engine.integrity,
        quota=quota.read(session.settings),
        again={**session.settings.job_given, **({"lenient": True} if lenient else {})},
        **which.read(),
        **ends.read(session.settings),
    )
    with (
        session.target(deadline=again.deadline) as target,
        session.migration(target, write=True) as migration,
    ):
        mine = archive.to_retry(session, migration, which.job, everything=which.all_archives)
        check_filters(session, migration, mine, again)
        session.ran = ArchiveName(system_name=mine.system_name)
        if migration.overview(**asdict(mine)).totals.failed:
            runner.say_local(session)
        code = _send(session, migration, replace(again, system_name=mine.system_name), mine)
        archive.say_elsewhere(session, migration, mine, "retry", lambda sums: sums.failed)
        return code


def _send(
    session: Session, migration: Migration, again: RetryOptions, mine: ArchiveName
) -> ExitCode:
    """One run, from its first line to its last."""
    chosen: list[RetryPlanned] = []
    end = runner.follow(session, migration.retry(again), _split(session, chosen))
    if not end.jobs and end.stopped is None and not session.options.json:
        _nothing(session, chosen[0], mine)
        return end.exit_code
    return runner.close(session, migration, end, waited=again.wait)


def check_filters(
    session: Session, migration: Migration, mine: ArchiveName, which: RetryOptions
) -> None:
    """Raises UsageError where something is named that does not exist; names images that have not
    failed."""
    if which.cause is not None:
        migration.check_cause(which.cause)
    if which.host is not None:
        migration.check_host(which.host, mine)
    known = migration.check_ids(mine, which.ids or ())
    say_not_failed(session, [id_ for id_, each in known.items()
                             if each.open or each.status is not Status.FAILED])  # fmt: skip


def say_not_failed(session: Session, ids: Sequence[str]) -> None:
    """Which of the images named have not failed, so that nothing is done about them."""
    if ids and not session.options.quiet:
        rest = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
        have, are = ("has", "is") if len(ids) == 1 else ("have", "are")
        text = f"{', '.join(ids[:3])}{rest} {have} not failed, and {are} left alone"
        session.notes.say("!", text)


def _split(session: Session, chosen: list[RetryPlanned]) -> Listener:
    """Listens to a retry: shows which images are sent and which are left, before they are sent."""

    def show(event: Event | Stopping) -> None:
        if isinstance(event, RetryPlanned):
            chosen.append(event)
            if session.err.live and event.sent:
                triage.split(session.notes, event.groups)
                session.notes.blank()

    return show


def _nothing(session: Session, found: RetryPlanned, mine: ArchiveName) -> None:
    of = f" of “{mine.system_name}”" if mine.system_name and not session.alone else ""
    if not found.left:
        session.screen.say("✓", f"Nothing to retry: no image{of} has failed")
        return
    triage.split(session.screen, found.groups)
    session.screen.blank()
    stuck = sum(each.stuck for each in found.groups)
    if stuck == found.left:
        need = "needs" if stuck == 1 else "need"
        text = f"Nothing to retry: {counted(stuck, 'failed image')}{of} {need} a change first"
    else:
        have = "has" if found.left == 1 else "have"
        text = f"Nothing to retry here; {counted(found.left, 'other image')}{of} {have} failed"
    session.screen.say("✓", text)
    hints = [(session.next_command("results", "--failed"), "why they failed")]
    if stuck:
        hints.append((session.next_command("retry", "--all"), "sends them as they are"))
    session.screen.hints(hints)


COMMAND = Command(
    retry,
    (
        "ldimport retry",
        "ldimport retry --cause origin-503 --deadline 1h",
        "ldimport retry 2003-04511 2003-04533    these two, whatever they failed for",
        "ldimport retry --all --older-than 2d",
    ),
    also=(0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 130, 143),
)
