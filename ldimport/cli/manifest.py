"""What the commands share that read a manifest: opening it, the short check, its refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ldimport.cli.options import ReadingOptions
from ldimport.cli.output import check, documents
from ldimport.cli.output.listeners import Listener, Stopping
from ldimport.cli.output.screen import ACCENT, Screen
from ldimport.cli.output.text import counted, number, utc
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, UsageError
from ldimport.migration import InvalidManifest, Migration, Source, Wishes, open_source
from ldimport.migration.events import Event, Planned
from ldimport.migration.project import read_options
from ldimport.migration.validate import Validation
from ldimport.model import Integrity, JobOptions, Severity
from ldimport.schema.config import ProjectConfig
from ldimport.settings import Settings


@contextmanager
def opened_source(
    session: Session,
    settings: Settings,
    config: ProjectConfig,
    paths: Sequence[str],
    reading: ReadingOptions,
    integrity: Integrity | None = None,
    *,
    named: bool = True,
) -> Iterator[Source]:
    """The manifest with all that decides what is sent, closed at the end. ``named`` False: the
    archive needs no systemName yet (``validate``)."""
    own = settings.system_name
    from_option = "system_name" in session.flags
    wishes = Wishes(
        system_name=own if from_option else None,
        fallback_name=None if from_option else own or (None if named else "unnamed"),
        webhook=settings.webhook,
        context=None if settings.context is None else dict(settings.context),
        base_url=settings.base_url,
        read=read_options(
            settings.manifest,
            maps=reading.maps or (),
            sets=reading.sets or (),
            encoding=reading.encoding,
            delimiter=reading.delimiter,
        ),
        lenient=reading.lenient,
        strict=reading.strict,
    )
    job = JobOptions(allow_hosts=settings.allow_hosts, integrity=integrity or Integrity.FULL)
    source = open_source(paths, config, wishes, job, local=settings.embedded)
    try:
        yield source
    finally:
        source.manifest.close()


def short_check(session: Session, source: Source) -> Listener:
    """Listens to a submit: shows the short check as soon as the plan stands. In a log: how the
    manifest was read, since a wrong guess must be visible there too."""

    def show(event: Event | Stopping) -> None:
        if not isinstance(event, Planned):
            return
        if session.err.live:
            say_checked(session.notes, source, event)
        elif session.chatty:
            for told in check.how_read(source.manifest):
                line = ": ".join(filter(None, told))
                session.err.line(f"{utc(session.now())} read      {line}")

    return show


def say_checked(screen: Screen, source: Source, planned: Planned) -> None:
    """The short check before sending: file, project config, counts, what is sent."""
    found, plan = planned.validation, planned.plan
    check.head(screen, source.manifest, source.config)
    if found.invalid:
        check.by_kind(screen, [kind for kind in found.kinds if kind.severity is Severity.ERROR])
        rows = f"{counted(found.invalid, 'row')} of {number(found.entries)}"
        screen.say("!", f"{rows} with errors, not sent")
    else:
        screen.say("✓", f"{check.all_valid(found)}")
    check.identity(screen, found)
    screen.line(
        (plan.manifest, ACCENT),
        f" → {plan.target} · systemName {plan.system_name}   {number(plan.to_send)} to send",
        indent=2,
    )
    screen.blank()


def refused(session: Session, source: Source, error: InvalidManifest) -> ExitCode:
    """The manifest has errors and nothing was sent: which, and what to do about them."""
    found = error.validation
    if session.options.json:
        detail = documents.validation(found, source.manifest)
        session.document({**documents.error(error), "validation": detail})
    if not (session.options.json and session.options.quiet):
        show_findings(session.notes, source, found, warnings=False)
        session.notes.error(error)
        words = session.arguments
        session.notes.hints(
            [
                (f"ldimport validate {words} --problems FILE", "every problem, with row and hint"),
                (f"ldimport submit {words} --valid-only", f"send the {found.valid:,} good rows"),
            ]
        )
    return error.exit_code


def show_findings(screen: Screen, source: Source, found: Validation, *, warnings: bool) -> None:
    """Problems in the form that suits the stream."""
    if screen.stream.tty:
        check.head(screen, source.manifest, source.config)
        check.findings(screen, source.manifest, found, warnings=warnings)
    else:
        check.lines(screen, found, warnings=warnings)


def first_use(session: Session, migration: Migration, source: Source, *, agreed: bool) -> None:
    """Ask before the first use of a systemName on a remote target: it cannot be undone, another
    name later would double the library. Raises UsageError when nobody agrees."""
    name, target = source.envelope.system_name, migration.target
    if target.local or agreed or name in migration.system_names():
        return
    text = "it names this archive for ever"
    if not session.can_ask:
        raise UsageError(
            f"systemName “{name}” is new on {target.label}; {text}",
            hint="if it is right, run the same command with --yes",
            code="new-system-name",
        )
    import typer

    session.notes.line(f"  systemName “{name}” is new on {target.label}: {text}.", indent=2)
    for scope in migration.overview(target=target.identity).scopes:
        images = counted(scope.totals.rows, "image")
        session.notes.line(f"  in use: {scope.system_name}, {images}", indent=4)
    if not typer.confirm(f"  Use “{name}”?", default=False, err=True):
        raise UsageError(f"nothing was sent: “{name}” is not the name to use", code="declined")
