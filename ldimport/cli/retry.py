"""``ldimport retry``: send failed images again."""

from dataclasses import asdict, replace

from ldimport.cli import archive, runner
from ldimport.cli.command import Command
from ldimport.cli.options import EndOptions, EngineOptions, QuotaOptions
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import RetryOptions
from ldimport.migration.model import ArchiveName


def retry(
    session: Session,
    job: str | None = None,
    cause: str | None = None,
    lenient: bool = False,
    all_: bool = False,
    *,
    ends: EndOptions,
    quota: QuotaOptions,
    engine: EngineOptions,
) -> ExitCode:
    """Send failed images of the archive in force again, as they were sent before.

    The local engine treats them as before too, unless options or the settings userAgent, caFile
    and engine say otherwise.
    """
    archive.require_paths(session)
    engine.refuse_on_http(session.settings, session.flags)
    hosts = "allow_hosts" in session.flags or bool(session.environ.get("LDIMPORT_ALLOW_HOST"))
    again = RetryOptions(
        job=job,
        cause=cause,
        allow_hosts=session.settings.allow_hosts if hosts else None,
        integrity=engine.integrity,
        quota=quota.read(session.settings),
        again={**session.settings.job_given, **({"lenient": True} if lenient else {})},
        **ends.read(),
    )
    with (
        session.target(deadline=again.deadline) as target,
        session.migration(target, write=True) as migration,
    ):
        mine = archive.to_retry(session, migration, job, everything=all_)
        if cause is not None:
            migration.check_cause(cause)
        session.ran = ArchiveName(system_name=mine.system_name)
        if migration.overview(**asdict(mine)).totals.failed:
            runner.say_local(session)
        again = replace(again, system_name=mine.system_name)
        end = runner.follow(session, migration.retry(again))
        if not end.jobs and end.stopped is None and not session.options.json:
            _nothing(session, sum(row.images for row in end.causes), mine)
            code = end.exit_code
        else:
            code = runner.close(session, migration, end, waited=again.wait)
        archive.say_elsewhere(session, migration, mine, "retry", lambda sums: sums.failed)
        return code


def _nothing(session: Session, left: int, mine: ArchiveName) -> None:
    of = f" of “{mine.system_name}”" if mine.system_name and not session.alone else ""
    if left:
        session.screen.say("✓", f"Nothing to retry here; {left:,} other images{of} have failed")
        every = session.next_command("results", "--failed")
        session.screen.hints([(every, "all of them")])
    else:
        session.screen.say("✓", f"Nothing to retry: no image{of} has failed")


COMMAND = Command(
    retry,
    ("ldimport retry", "ldimport retry --cause origin-503 --deadline 1h"),
    also=(0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 130, 143),
)
