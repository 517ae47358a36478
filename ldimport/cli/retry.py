"""``ldimport retry``: send failed images again."""

from __future__ import annotations

from typing import Annotated

import typer

from ldimport.cli import elsewhere, options, runner
from ldimport.cli.session import Session, refuse_on_http
from ldimport.cli.command import Command
from ldimport.errors import ExitCode

JobOption = Annotated[
    str | None,
    typer.Option("--job", envvar="LDIMPORT_RETRY_JOB", metavar="ID", help="only those of it"),
]
Cause = Annotated[
    str | None,
    typer.Option(
        "--cause",
        envvar="LDIMPORT_RETRY_CAUSE",
        metavar="CODE",
        help="only those that failed for it",
    ),
]


def retry(
    context: typer.Context,
    job: JobOption = None,
    cause: Cause = None,
    no_wait: options.NoWait = False,
    deadline: options.Deadline = None,
    fail_on: options.FailOn = None,
    allow_host: options.AllowHost = None,
    integrity: options.IntegrityDepth = None,
) -> ExitCode:
    """Send failed images again, as they were sent before.

    The local engine treats them as before too, unless --allow-host or --integrity say otherwise.
    """
    session = Session.of(context)
    settings = session.settings()
    hosts = session.given("allow_hosts") or bool(session.environ.get("LDIMPORT_ALLOW_HOST"))
    refuse_on_http(settings, allow_host=session.given("allow_hosts"), integrity=integrity)
    seconds = options.read_seconds("--deadline", deadline)
    with (
        session.plain_target(settings, deadline=seconds) as target,
        session.migration(settings, target, write=True) as migration,
    ):
        elsewhere.refuse_to_retry(migration)
        if migration.overview(target=target.identity).totals.failed:
            runner.say_local(session, settings)
        events = migration.retry(
            job=job,
            cause=cause,
            system_name=settings.system_name if session.given("system_name") else None,
            allow_hosts=settings.allow_hosts if hosts else None,
            integrity=integrity,
            wait=not no_wait,
            deadline=seconds,
            fail_on=runner.failure_limit(fail_on),
        )
        end = runner.follow(session, settings, events, runner.Shown())
        if not end.jobs and end.stopped is None and not session.options.json:
            left = sum(row.images for row in end.causes)
            _nothing(session, left, filtered=bool(job or cause))
            return end.exit_code
        run = runner.run_of(session, target, waited=not no_wait)
        return runner.close(session, settings, migration, end, run)


def _nothing(session: Session, left: int, *, filtered: bool) -> None:
    screen = session.screen
    if left and filtered:
        screen.line(f"✓ Nothing to retry here; {left:,} other images have failed", indent=2)
        screen.hints([("ldimport results --failed", "all of them")])
    else:
        screen.line(("✓", "green"), " Nothing to retry: no image has failed", indent=2)


COMMAND = Command(
    "retry",
    retry,
    ("ldimport retry", "ldimport retry --cause origin-503 --deadline 1h"),
    [
        ExitCode.OK,
        ExitCode.FAILURES,
        ExitCode.USAGE,
        ExitCode.CONFIG,
        ExitCode.TEMPORARY,
        ExitCode.QUOTA,
        ExitCode.LOCKED,
        ExitCode.DEADLINE,
        ExitCode.REFUSED,
        ExitCode.FAILURE_LIMIT,
        ExitCode.INTERRUPTED,
    ],
)
