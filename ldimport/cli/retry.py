"""``ldimport retry``: send failed images again."""

from ldimport.cli import runner
from ldimport.cli.command import Command
from ldimport.cli.options import EndOptions, EngineOptions
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import RetryOptions


def retry(
    session: Session,
    job: str | None = None,
    cause: str | None = None,
    lenient: bool = False,
    *,
    ends: EndOptions,
    engine: EngineOptions,
) -> ExitCode:
    """Send failed images again, as they were sent before.

    The local engine treats them as before too, unless options or the settings userAgent, caFile
    and engine say otherwise.
    """
    engine.refuse_on_http(session.settings, session.flags)
    hosts = "allow_hosts" in session.flags or bool(session.environ.get("LDIMPORT_ALLOW_HOST"))
    again = RetryOptions(
        job=job,
        cause=cause,
        system_name=session.filters["system_name"],
        allow_hosts=session.settings.allow_hosts if hosts else None,
        integrity=engine.integrity,
        again={**session.settings.job_given, **({"lenient": True} if lenient else {})},
        **ends.read(),
    )
    with (
        session.target(deadline=again.deadline) as target,
        session.migration(target, write=True) as migration,
    ):
        if job is not None:
            migration.job(job)
        if cause is not None:
            migration.check_cause(cause)
        runner.refuse_to_retry(migration)
        if migration.overview(target=target.identity).totals.failed:
            runner.say_local(session)
        end = runner.follow(session, migration.retry(again))
        if not end.jobs and end.stopped is None and not session.options.json:
            left = sum(row.images for row in end.causes)
            if left and (job or cause):
                session.screen.say("✓", f"Nothing to retry here; {left:,} other images have failed")
                session.screen.hints([("ldimport results --failed", "all of them")])
            else:
                session.screen.say("✓", "Nothing to retry: no image has failed")
            return end.exit_code
        return runner.close(session, migration, end, waited=again.wait)


COMMAND = Command(
    retry,
    ("ldimport retry", "ldimport retry --cause origin-503 --deadline 1h"),
    also=(0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 130, 143),
)
