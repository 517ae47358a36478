"""What ``submit``, ``retry`` and ``watch`` share: who listens, how a run ends, what is shown."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from threading import RLock
from typing import cast

from ldimport import __version__
from ldimport.cli.interrupt import ends_in_order
from ldimport.cli.output import documents, github, outcomes, summary
from ldimport.cli.output.listeners import (
    JsonLinesListener,
    Listener,
    LogLines,
    ReadingProgress,
    Stopping,
)
from ldimport.cli.output.stream import Stream
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.errors import ConfigError, ExitCode, LdimportError
from ldimport.files import appended
from ldimport.migration import Migration
from ldimport.migration.events import Event, Summary
from ldimport.migration.model import Filter, JobRow, ResultRow
from ldimport.model import JobState, Status
from ldimport.system import on_signals

MOST_IMAGES = 20
MOST_JOBS_ASKED = 5
PROGRESS_EVERY = 60.0


def follow(
    session: Session,
    events: Iterator[Event],
    first: Listener | None = None,
    reading: ReadingProgress | None = None,
    *,
    sends: bool = True,
) -> Summary:
    """Drive a run to its Summary, telling whoever listens, ``first`` before the others.
    ``reading`` is how far the manifest was read; ``sends`` False: nothing is sent, only followed.
    Ctrl-C and SIGTERM end the run in order: the Summary then says what was done."""
    clean_logs()
    with ExitStack() as stack:
        stack.callback(cast("Generator[Event, None, None]", events).close)
        listeners = [] if first is None else [first]
        options = session.options
        if options.json:
            listeners.append(_json_lines(session, session.out))
        elif not options.quiet:
            people = _for_people(session, reading, sends=sends)
            listeners.append(stack.enter_context(people))
        if options.log_file is not None:
            stream = Stream(stack.enter_context(appended(options.log_file)))
            listeners.append(_json_lines(session, stream))

        one_at_a_time = RLock()  # that a server is silent comes from another thread

        def tell(event: Event | Stopping) -> None:
            session.complete(getattr(event, "stopped", None))
            with one_at_a_time:
                for listener in listeners:
                    listener(event)

        stack.enter_context(session.heard_by(tell))
        stack.enter_context(ends_in_order(lambda: tell(Stopping())))
        session.ended = drive(events, tell)
        return session.ended


def drive(events: Iterator[Event], handle: Callable[[Event], None]) -> Summary:
    """Hand every event on and return the last one. A KeyboardInterrupt that comes while an event
    is shown is thrown into the run, which then ends in order."""
    run = cast("Generator[Event, None, None]", events)
    happened = next(run)
    while True:
        try:
            handle(happened)
        except KeyboardInterrupt as stop:
            happened = run.throw(stop)
            continue
        if isinstance(happened, Summary):
            return happened
        happened = next(run)


@contextmanager
def _for_people(
    session: Session, reading: ReadingProgress | None, *, sends: bool
) -> Iterator[Listener]:
    """A live display where something may move, else lines for a log."""
    verbose, settings = session.options.verbose, session.settings
    if session.err.live:
        from ldimport.cli.output.live import LiveDisplay

        with LiveDisplay(session.notes, reading, sends=sends, verbose=verbose) as display:
            yield display
        return
    every = seconds_between(session.environ.get("LDIMPORT_PROGRESS_EVERY"))
    lines = LogLines(session.err, session.now, every=every, verbose=verbose)
    place = f"local engine {tilde(settings.engine)}" if settings.embedded else settings.target
    lines.say("start", f"{' '.join(session.words)} → {place}")
    with on_signals("SIGUSR1", call=lambda _: lines.progress()):  # as in restic
        yield lines


def _json_lines(session: Session, stream: Stream) -> JsonLinesListener:
    settings = session.settings
    start = documents.start(" ".join(session.words), __version__, session.now())
    start |= {"target": settings.target, "local": settings.embedded}
    if settings.embedded:
        start["engine"] = str(settings.engine)
    elif settings.insecure:
        start["insecure"] = True
    return JsonLinesListener(stream, session.now, start)


def seconds_between(text: str | None) -> float:
    """What ``LDIMPORT_PROGRESS_EVERY`` says. Raises ConfigError."""
    try:
        return max(0.0, float(text)) if text else PROGRESS_EVERY
    except ValueError:
        raise ConfigError(f"LDIMPORT_PROGRESS_EVERY is “{text}”, not a number of seconds") from None


def say_local(session: Session, *, end: bool = False) -> None:
    """First and last line of a run on the embedded engine. ``--quiet`` leaves the last one."""
    settings, options = session.settings, session.options
    if not settings.embedded or options.json or options.quiet > end:
        return
    verb = "was" if end else "is"
    session.screen.line(
        f"local engine, nothing {verb} sent to Livingdocs   {tilde(settings.engine)}"
    )
    if not end:
        session.screen.blank()


def close(
    session: Session,
    migration: Migration,
    end: Summary,
    *,
    waited: bool = True,
    table: bool = True,
) -> ExitCode:
    """The closing screen: table of images, counts, failures, what next; then the exit code."""
    options = session.options
    github.append_summary(session.environ, github.run_summary(end))
    if not options.json and options.quiet < 2:
        from ldimport.engine.store import busy

        if table and not options.quiet:
            _images(session, migration, end.jobs)
        local, now = migration.target.local, session.now()
        workers = local and busy(session.settings.engine)
        run = summary.RunFacts(session.command, local, now, waited, session.arguments,
                               session.next_command, workers)  # fmt: skip
        summary.show(session.screen, end, run)
        if session.settings.embedded and not options.quiet:
            session.screen.blank()
        say_local(session, end=True)
    elif not options.json and isinstance(end.stopped, LdimportError):
        session.notes.error(end.stopped)
    return end.exit_code


def _images(session: Session, migration: Migration, jobs: Sequence[JobRow]) -> None:
    """This run's images, failures first; a long list is cut with a note."""
    jobs = [job for job in jobs if job.state is JobState.SUCCESS]
    if not (rows := list(islice(_rows_of(migration, jobs), MOST_IMAGES))):
        return
    outcomes.of_run(session.screen, rows)
    rest = sum(job.counts.total for job in jobs) - len(rows)
    if rest > 0:
        session.screen.line(f"and {rest:,} more: {session.next_command('results', '-n', '0')}")
    session.screen.blank()


def _rows_of(migration: Migration, jobs: Sequence[JobRow]) -> Iterator[ResultRow]:
    """Failed images of the run's jobs, then the others; of a few jobs, enough for a screen."""
    jobs = sorted(jobs, key=lambda job: job.first_row)
    for job in [job for job in jobs if job.counts.failed][:MOST_JOBS_ASKED]:
        yield from migration.results(Filter(job=job.id, status=Status.FAILED))
    for job in jobs[:MOST_JOBS_ASKED]:
        rows = migration.results(Filter(job=job.id))
        yield from (row for row in rows if row.status is not Status.FAILED)
