"""``ldimport submit``: check, plan, send what is new or changed, wait for the results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli import options, runner
from ldimport.cli.interrupt import within
from ldimport.cli.output.listeners import Reading
from ldimport.cli.reading import CheckShown, Wanted, first_use, opened_source, refused
from ldimport.cli.session import Session, refuse_on_http
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode
from ldimport.migration import InvalidManifest, Migration, Source, SubmitOptions
from ldimport.migration.reports.junit import RunReport
from ldimport.migration.submit import too_late

if TYPE_CHECKING:
    from ldimport.settings import Settings

ValidOnly = Annotated[
    bool, typer.Option("--valid-only", help="send the good rows, leave the others")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="send at most N images")
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, max=1_000, metavar="N", help="images in one request"),
]
Resend = Annotated[bool, typer.Option("--resend", help="send unchanged images again too")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask before the first use of a systemName")]


def submit(
    context: typer.Context,
    paths: options.Paths,
    valid_only: ValidOnly = False,
    limit: Limit = None,
    batch_size: BatchSize = None,
    resend: Resend = False,
    no_wait: options.NoWait = False,
    deadline: options.Deadline = None,
    fail_on: options.FailOn = None,
    yes: Yes = False,
    base_url: options.BaseUrl = None,
    allow_host: options.AllowHost = None,
    integrity: options.IntegrityDepth = None,
    webhook: options.Webhook = None,
    context_json: options.Context = None,
    lenient: options.Lenient = False,
    strict: options.Strict = False,
    maps: options.Map = None,
    sets: options.Set = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    junitxml: options.JunitXml = None,
) -> ExitCode:
    """Send what is new or changed in a manifest, and wait until its results are stored.

    Run it again at any time: it goes on where it stopped and sends nothing twice.
    """
    since = time.monotonic()
    session = Session.of(context)
    settings = session.settings(paths)
    refuse_on_http(settings, allow_host=session.given("allow_hosts"), integrity=integrity)
    wanted = Wanted(maps, sets, encoding, delimiter, lenient, strict, integrity)
    sending = SubmitOptions(
        valid_only=valid_only,
        limit=limit,
        batch_size=batch_size,
        resend=resend,
        wait=not no_wait,
        deadline=options.read_seconds("--deadline", deadline),
        since=since,
        fail_on=runner.failure_limit(fail_on),
    )
    with (
        session.target(settings, deadline=sending.deadline) as (target, config),
        _opened_in_time(opened_source(session, settings, config, paths, wanted), sending) as source,
        session.migration(settings, target, write=True) as migration,
        RunReport(junitxml, "submit") as report,
    ):
        first_use(session, migration, source, agreed=yes)
        return _send(session, settings, migration, source, sending, report)


@contextmanager
def _opened_in_time(
    opening: AbstractContextManager[Source], sending: SubmitOptions
) -> Iterator[Source]:
    """Standard input is copied when the manifest is opened, and may be silent for ever."""
    with ExitStack() as stack:
        if sending.deadline is None:
            source = stack.enter_context(opening)
        else:
            left = max(0.001, sending.ends(time.monotonic()) - time.monotonic())
            with within(left, lambda: too_late(sending.deadline)):
                source = stack.enter_context(opening)
        yield source


def _send(
    session: Session,
    settings: Settings,
    migration: Migration,
    source: Source,
    sending: SubmitOptions,
    report: RunReport,
) -> ExitCode:
    """One run, from its first line to its last."""
    runner.say_local(session, settings)
    reading = Reading(source.manifest.bytes_total)
    events = migration.submit(source, sending, reading.tick)
    try:
        shown = runner.Shown(CheckShown(session, source), reading)
        end = runner.follow(session, settings, events, shown)
    except InvalidManifest as error:
        report.refused(source.manifest.name, error.validation)
        return refused(session, source, error)
    report.ended(end)
    run = runner.run_of(session, migration.target, waited=sending.wait)
    return runner.close(session, settings, migration, end, run)


COMMAND = Command(
    "submit",
    submit,
    (
        "ldimport submit samples/manifest.csv",
        "ldimport submit archive.csv --limit 20        a small first try",
        "ldimport submit archive.csv --valid-only --yes --deadline 2h   from cron",
    ),
    [
        ExitCode.OK,
        ExitCode.FAILURES,
        ExitCode.USAGE,
        ExitCode.INVALID,
        ExitCode.CONFIG,
        ExitCode.TEMPORARY,
        ExitCode.QUOTA,
        ExitCode.LOCKED,
        ExitCode.DEADLINE,
        ExitCode.REFUSED,
        ExitCode.FAILURE_LIMIT,
        ExitCode.BUG,
        ExitCode.INTERRUPTED,
    ],
)
