"""``ldimport submit``: check, plan, send what is new or changed, wait for the results."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from ldimport.cli import archive, runner
from ldimport.cli.command import Command
from ldimport.cli.interrupt import within
from ldimport.cli.options import EndOptions, EngineOptions, QuotaOptions, ReadingOptions
from ldimport.cli.output import check, documents
from ldimport.cli.output.listeners import Listener, ReadingProgress, Stopping
from ldimport.cli.output.screen import ACCENT, Screen
from ldimport.cli.questions import says_yes
from ldimport.cli.session import Session
from ldimport.credentials import expires
from ldimport.errors import ExitCode, UsageError
from ldimport.manifest.manifest import STDIN
from ldimport.migration import InvalidManifest, Migration, Source, SubmitOptions
from ldimport.migration.events import Event, Planned, Summary
from ldimport.migration.model import ArchiveName
from ldimport.migration.reports.junit import RunReport
from ldimport.migration.submit import too_late
from ldimport.model import Notice, Severity
from ldimport.settings import Settings
from ldimport.wording import counted, duration, number, utc


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What of a manifest is sent, and in which portions. How often is a setting."""

    valid_only: bool = False
    limit: int | None = None
    batch_size: int | None = None
    resend: bool = False
    tries: str | None = None
    canary: int | None = None

    def read(self, settings: Settings) -> dict[str, Any]:
        """As the use case takes them."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**given, "tries": settings.tries}


def submit(
    session: Session,
    sends: SendOptions,
    dry_run: bool = False,
    yes: bool = False,
    webhook: str | None = None,
    context: str | None = None,
    junitxml: Path | None = None,
    *,
    ends: EndOptions,
    quota: QuotaOptions,
    engine: EngineOptions,
    reading: ReadingOptions,
) -> ExitCode:
    """Send what is new or changed in a manifest, and wait until its results are stored.

    Run it again at any time: it goes on where it stopped and sends nothing twice.
    """
    since = time.monotonic()
    engine.refuse_on_http(session.settings, session.flags)
    settings = session.settings
    sending = SubmitOptions(
        since=since,
        quota=quota.read(settings),
        **sends.read(settings),
        **ends.read(settings),
    )
    if dry_run:
        from ldimport.cli.plan import show_plan

        show_plan(session, reading, sending)
        return ExitCode.OK
    with (
        session.target(deadline=sending.deadline) as target,
        _in_time(
            sending, session.source(session.project_config(target), reading, engine.integrity)
        ) as source,
        _of(session, source),
        session.migration(target, write=True) as migration,
        RunReport(junitxml, "submit", session.next_command) as report,
    ):
        session.knows(migration.archives())
        session.check_webhook(source.manifest)
        _first_use(session, migration, source, agreed=yes)
        return _send(session, migration, source, sending, report)


@contextmanager
def _of(session: Session, source: Source) -> Iterator[None]:
    """From here on next commands are about the manifest's archive."""
    session.ran = ArchiveName(system_name=source.envelope.system_name)
    yield


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
    migration: Migration,
    source: Source,
    sending: SubmitOptions,
    report: RunReport,
) -> ExitCode:
    """One run, from its first line to its last."""
    runner.say_local(session)
    progress = ReadingProgress(source.manifest.bytes_total)
    events = migration.submit(source, sending, progress.tick)
    try:
        end = runner.follow(session, events, _short_check(session, source), progress)
    except InvalidManifest as error:
        report.refused(source.manifest.name, error.validation)
        return _refused(session, source, error)
    report.ended(end)
    code = runner.close(session, migration, end, waited=sending.wait)
    mine = ArchiveName(migration.target.identity, source.envelope.system_name)
    archive.say_elsewhere(session, migration, mine, "watch", lambda sums: sums.pending)
    return code


def _short_check(session: Session, source: Source) -> Listener:
    """Listens to a submit: shows the short check as soon as the plan stands. In a log: how the
    manifest was read, since a wrong guess must be visible there too."""

    told = False

    def show(event: Event | Stopping) -> None:
        nonlocal told
        finish = _finish(event)
        if not told and (text := _token_ends_early(session, finish)) is not None:
            told = True
            session.tell(Notice("token-ends-early", text))
        if not isinstance(event, Planned):
            return
        if session.err.live:
            _say_checked(session.notes, source, event)
        elif session.chatty:
            for line in check.how_read(source.manifest):
                session.err.line(f"{utc(session.now())} read      {line}")
            for text, hint in check.doubled(event.validation):
                session.err.line(f"{utc(session.now())} note      {text}; {hint}")

    return show


def _finish(event: Event | Stopping) -> float | None:
    """When all will be sent, as known at the plan, or at the end of the run that learned it."""
    if isinstance(event, Planned):
        return None if event.forecast is None else event.forecast.finish_at
    return event.finish_at if isinstance(event, Summary) else None


def _token_ends_early(session: Session, finish: float | None) -> str | None:
    """That the token ends before all is sent, which is better known on the first day."""
    token = session.settings.token
    if finish is None or session.settings.embedded or token is None:
        return None
    ends = expires(token.reveal())
    if ends is None or not session.now() < ends < finish:
        return None
    return (
        f"the token ends {utc(ends)}, in {duration(ends - session.now())}; all is sent about "
        f"{utc(finish)}: make a new token in time"
    )


def _say_checked(screen: Screen, source: Source, planned: Planned) -> None:
    """The short check before sending: file, project config, counts, what is sent."""
    found, plan = planned.validation, planned.plan
    check.head(screen, source)
    if found.invalid:
        check.by_kind(screen, [kind for kind in found.kinds if kind.severity is Severity.ERROR])
        rows = f"{counted(found.invalid, 'row')} of {number(found.entries)}"
        screen.say("!", f"{rows} with errors, not sent")
    else:
        screen.say("✓", check.all_valid(found))
    check.identity(screen, found)
    of = f" of {number(plan.to_send + plan.left_out)} (--limit)" if plan.left_out else ""
    again = f", {number(plan.retried)} of them again" if plan.retried and not plan.left_out else ""
    what = f"{number(plan.to_send)}{of} to send{again}{_under_the_quota(planned)}"
    screen.line(
        (plan.manifest, ACCENT),
        f" → {plan.target} · systemName {plan.system_name}   {what}",
        indent=2,
    )
    screen.blank()


def _under_the_quota(planned: Planned) -> str:
    """What of it fits now, and how long all takes, where that is known."""
    room, forecast = planned.quota.room, planned.forecast
    if room is None or forecast is None or room >= planned.plan.to_send:
        return ""
    days = counted(forecast.days, "day")
    return f" · {number(room)} fit into the quota now · {days} in all"


def _refused(session: Session, source: Source, error: InvalidManifest) -> ExitCode:
    """The manifest has errors and nothing was sent: which, and what to do about them."""
    found = error.validation
    if session.options.json:
        detail = documents.validation(found, source.manifest)
        session.document({**documents.error(error), "validation": detail})
    if not (session.options.json and session.options.quiet):
        check.show(session.notes, source, found)
        session.notes.error(error)
        every = session.same_manifest("validate", "--problems", "FILE")
        hints = [(every, "every problem, with row and hint")]
        if found.valid:
            good = f"send the {counted(found.valid, 'good row')}"
            hints.append((session.next_command(*session.words, "--valid-only"), good))
        session.notes.hints([] if STDIN in session.paths else hints)
    return error.exit_code


def _first_use(session: Session, migration: Migration, source: Source, *, agreed: bool) -> None:
    """Ask before the first use of a systemName on a remote target, and where the images were sent
    under another one: it cannot be undone, another name would double the library. Raises
    UsageError when nobody agrees; ``agreed`` is about names that are new, not about those that
    look mistyped."""
    name, target = source.envelope.system_name, migration.target
    before = None if "system_name" in session.flags else migration.sent_before(source)
    is_new = not (target.local or agreed or name in migration.system_names())
    if before is None and not is_new:
        return
    if before is not None and (agreed or not session.can_ask):
        raise _mistyped(session, source, *before)
    text = "it names this archive for ever"
    if not session.can_ask:
        text = f"systemName “{name}” is new on {target.label}; {text}"
        hint = "if it is right, run the same command with --yes"
        raise UsageError(text, hint=hint, code="new-system-name")
    session.notes.line(f"  systemName “{name}” is new on {target.label}: {text}.", indent=2)
    for scope in migration.archives(target=target.identity):
        images = counted(scope.totals.rows, "image")
        session.notes.line(f"  in use: {scope.system_name}, {images}", indent=4)
    if before is not None:
        session.notes.say("!", _twice(*before))
    if not says_yes(f"  Use “{name}”?"):
        raise UsageError(f"nothing was sent: “{name}” is not the name to use", code="declined")


def _twice(known: str, external_id: str) -> str:
    return (
        f"id “{external_id}” was sent before under systemName “{known}”; under another name the "
        "same images arrive once more"
    )


def _mistyped(session: Session, source: Source, known: str, external_id: str) -> UsageError:
    name, own = source.envelope.system_name, source.manifest.header.system_name
    new = session.next_command(*session.words, "--system-name", name)
    if own is None:
        same = session.next_command(*session.words, "--system-name", known)
        hint, facts = f"{same}   if it is the same archive", {"another": new}
    else:
        hint, facts = f"{new}   if it is another archive; else correct the manifest's name", {}
    text = f"systemName “{name}” is new here, but {_twice(known, external_id)}"
    return UsageError(text, hint=hint, code="other-system-name", facts=facts)


COMMAND = Command(
    submit,
    (
        "ldimport submit samples/manifest.csv",
        "ldimport submit archive.csv --limit 20        a small first try",
        "ldimport submit archive.csv --dry-run         what it would send, as plan shows it",
        "ldimport submit archive.csv --valid-only --yes --deadline 2h   from cron",
    ),
    also=tuple(ExitCode),
)
