"""``ldimport submit``: check, plan, send what is new or changed, wait for the results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from math import inf
from pathlib import Path

from ldimport.cli import runner
from ldimport.cli.command import Command
from ldimport.cli.interrupt import within
from ldimport.cli.manifest import first_use, opened_source, refused, short_check
from ldimport.cli.options import EndOptions, EngineOptions, ReadingOptions
from ldimport.cli.output.listeners import ReadingProgress
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.migration import InvalidManifest, Migration, Source, SubmitOptions
from ldimport.migration.reports.junit import RunReport
from ldimport.migration.submit import too_late
from ldimport.schema.config import ProjectConfig
from ldimport.settings import Settings


def submit(
    session: Session,
    paths: list[str],
    valid_only: bool = False,
    limit: int | None = None,
    batch_size: int | None = None,
    resend: bool = False,
    yes: bool = False,
    webhook: str | None = None,
    context: str | None = None,
    junitxml: Path | None = None,
    *,
    ends: EndOptions,
    engine: EngineOptions,
    reading: ReadingOptions,
) -> ExitCode:
    """Send what is new or changed in a manifest, and wait until its results are stored.

    Run it again at any time: it goes on where it stopped and sends nothing twice.
    """
    since = time.monotonic()
    settings = session.settings(paths)
    engine.refuse_on_http(settings, session.flags)
    sending = SubmitOptions(
        valid_only=valid_only,
        limit=limit,
        batch_size=batch_size,
        resend=resend,
        since=since,
        **ends.read(),
    )

    def opening(config: ProjectConfig) -> AbstractContextManager[Source]:
        return opened_source(session, settings, config, paths, reading, engine.integrity)

    with (
        session.target(settings, deadline=sending.deadline) as (target, config),
        _in_time(sending, opening(config)) as source,
        session.migration(settings, target, write=True) as migration,
        RunReport(junitxml, "submit") as report,
    ):
        first_use(session, migration, source, agreed=yes)
        return _send(session, settings, migration, source, sending, report)


@contextmanager
def _in_time(sending: SubmitOptions, opening: AbstractContextManager[Source]) -> Iterator[Source]:
    """Standard input is copied when the manifest is opened, and may be silent for ever."""
    now = time.monotonic()
    left = max(0.001, sending.ends(now) - now)
    timed = within(left, lambda: too_late(sending.deadline)) if left < inf else nullcontext()
    with ExitStack() as stack:
        with timed:
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
    progress = ReadingProgress(source.manifest.bytes_total)
    events = migration.submit(source, sending, progress.tick)
    try:
        check = short_check(session, source)
        end = runner.follow(session, settings, events, check, progress)
    except InvalidManifest as error:
        report.refused(source.manifest.name, error.validation)
        return refused(session, source, error)
    report.ended(end)
    return runner.close(session, settings, migration, end, waited=sending.wait)


COMMAND = Command(
    "submit",
    submit,
    (
        "ldimport submit samples/manifest.csv",
        "ldimport submit archive.csv --limit 20        a small first try",
        "ldimport submit archive.csv --valid-only --yes --deadline 2h   from cron",
    ),
    {},
    also=tuple(ExitCode),
)
