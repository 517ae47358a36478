"""``ldimport plan``: what a submit would send."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from ldimport.cli.command import Command
from ldimport.cli.options import ReadingOptions, quota_rules
from ldimport.cli.output import check, documents, preview, quota
from ldimport.cli.output.screen import ACCENT, Count, Hint
from ldimport.cli.session import Session, tilde
from ldimport.credentials import expires
from ldimport.errors import ExitCode
from ldimport.manifest.manifest import STDIN
from ldimport.migration import SubmitOptions
from ldimport.migration.events import Plan
from ldimport.migration.model import ArchiveName, Filter
from ldimport.migration.quota import Quota
from ldimport.model import Json
from ldimport.targets.base import BatchLimits
from ldimport.wording import clock, counted, duration, number, size, utc

MOST_ORIGINS = 4


def plan(
    session: Session,
    resend: bool = False,
    exit_code: bool = False,
    show: int = 0,
    tries: str | None = None,
    allow_hosts: list[str] | None = None,
    daily_limit: str | None = None,
    reserve: str | None = None,
    *,
    reading: ReadingOptions,
) -> ExitCode:
    """Show what a submit would send, in how many batches. Nothing is sent."""
    options = SubmitOptions(resend=resend, tries=session.settings.tries)
    found = show_plan(session, reading, options, entries=show)
    return ExitCode.FAILURES if exit_code and found.to_send else ExitCode.OK


def show_plan(
    session: Session, reading: ReadingOptions, options: SubmitOptions, *, entries: int = 0
) -> Plan:
    """What a submit with these options would send, and so many ``entries`` as they would be sent.
    Nothing is sent."""
    with (
        session.target() as target,
        session.source(session.project_config(target), reading) as source,
        session.migration(target, write=False) as migration,
    ):
        session.ran = ArchiveName(system_name=source.envelope.system_name)
        session.knows(migration.archives())
        found, checked = migration.plan(source, options)
        of = migration.quota(quota_rules(session.settings))
        of.check_reserve()
        forecast = of.forecast(found.sendable)
        previews = list(migration.preview(source, options, entries)) if entries else []
        refused = target.refused(found.sources, session.settings.allow_hosts)
        if session.options.json:
            more: documents.Document = {"refusedHosts": _refused(found, refused)}
            if (ends := _token_ends(session)) is not None:
                more["tokenExpiresAt"] = utc(ends)
            if entries:
                more["entriesShown"] = [preview.document(each) for each in previews]
            session.document(
                {"format": documents.FORMAT, **documents.plan(found, of, forecast), **more}
            )
            return found
        _show(session, found, target.limits, refused, of)
        for each in previews:
            session.screen.blank()
            preview.show(session.screen, each)
        failed = Filter(target=target.identity, system_name=found.system_name)
        causes = migration.causes(failed) if found.failed else ()
        can = sum(row.images for row in causes if row.retryable)
        if checked.notices:
            session.screen.blank()
        check.notices(session.notes, checked)
        check.identity(session.notes, checked)
        session.screen.hints(_hints(session, found, min(can - found.retried, found.failed)))
    return found


def _show(
    session: Session, found: Plan, limits: BatchLimits, refused: Mapping[str, str], of: Quota
) -> None:
    screen, settings = session.screen, session.settings
    place = tilde(settings.engine) if settings.embedded else settings.target
    screen.line((found.manifest, ACCENT), f" → {found.target}  {place} · systemName "
                f"{found.system_name}", indent=2)  # fmt: skip
    screen.blank()
    screen.counts(_counts(found), ("rows", found.entries))
    facts = {}
    if found.to_send:
        if found.left_out:
            facts["limit"] = f"{number(found.to_send)} of {number(found.sendable)}"
        facts["batches"] = (
            f"{number(found.batches)} of at most {counted(limits.images, 'image')}"
            f" and {size(limits.bytes)}"
        )
        if of.allowed is not None or not settings.embedded:
            facts["quota"] = _quota_text(session, found, of)
        facts["origins"] = _origins(found)
    if found.fields:
        facts["changed"] = " · ".join(f"{name} {number(n)}" for name, n in found.fields.items())
    if (ends := _token_ends(session)) is not None:
        facts["token"] = _token_text(session, ends)
        forecast = of.forecast(found.sendable)
        if forecast is not None and session.now() < ends < forecast.finish_at:
            facts["token"] += ", before the move ends"
    if facts:
        screen.blank()
        screen.facts(facts)
    if refused:
        screen.blank()
    for host, told in _refused(found, refused).items():
        images = counted(found.sources[host], "image")
        screen.say("!", f"{host} will be refused, {told['reason']} ({images}); if it is meant: "
                   f"{told['option']}")  # fmt: skip


def _refused(found: Plan, refused: Mapping[str, str]) -> dict[str, dict[str, Json]]:
    return {
        host: {"images": found.sources[host], "reason": why, "option": f"--allow-host {host}"}
        for host, why in refused.items()
    }


def _token_ends(session: Session) -> float | None:
    """When the token says that it ends; None where it does not, or none is used."""
    token = session.settings.token
    return None if session.settings.embedded or token is None else expires(token.reveal())


def _token_text(session: Session, ends: float) -> str:
    now = session.now()
    if ends <= now:
        return f"ended {utc(ends)}: make a new one before you submit"
    at = clock(ends, now) if session.screen.width else utc(ends)
    return f"ends {at}, in {duration(ends - now)}"


def _quota_text(session: Session, found: Plan, of: Quota) -> str:
    """``50,000 in 24 h · 12,340 used → 24 days, done about 17 Dec``."""
    forecast = of.forecast(found.sendable)
    if forecast is None:
        return "not known yet: learned from the first refusal, or stated by --daily-limit"
    here = bool(session.screen.width)
    return f"{quota.used(of)} → {quota.days(forecast, of.at, here=here)}"


def _counts(found: Plan) -> list[Count]:
    """What becomes of the rows; some only where there are any."""
    rows = [
        ("+", "new", found.new, "will be imported"),
        ("~", "changed", found.changed, "were edited since they were sent"),
        ("=", "unchanged", found.unchanged, "will not be sent"),
        ("↻", "tried again", found.retried, "failed before for a passing cause"),
        ("✗", "failed", found.failed, "before, and are not sent again by themselves"),
        ("–", "waived", found.waived, "failed before, and that was accepted"),
        ("…", "in progress", found.in_progress, "in jobs that are open"),
        ("!", "invalid", found.invalid, "have errors"),
    ]
    always = ("new", "changed", "unchanged", "invalid")
    return [
        (sign, word, count, note if count else "")
        for sign, word, count, note in rows
        if count or word in always
    ]


def _origins(found: Plan) -> str:
    ordered = sorted(found.sources.items(), key=lambda each: -each[1])
    shown = [f"{host or 'local files'} {number(count)}" for host, count in ordered[:MOST_ORIGINS]]
    if rest := ordered[MOST_ORIGINS:]:
        shown.append(f"{len(rest)} more {number(sum(count for _, count in rest))}")
    return " · ".join(shown)


def _hints(session: Session, found: Plan, can: int) -> list[Hint]:
    hints = []
    if STDIN in session.paths:  # what came that way is gone
        found = replace(found, invalid=0, new=0, changed=0, retried=0)
    if found.invalid:
        wrong = session.same_manifest("validate")
        hints.append((wrong, "what is wrong with the invalid rows"))
    if found.to_send:
        own = [] if found.limit is None else ["--limit", str(found.limit)]
        if session.words[0] == "plan":  # what it was given for the run
            own += chain.from_iterable(session.again)
        valid_only = ["--valid-only"] if found.invalid else []
        send = session.same_manifest("submit", *valid_only, *own)
        hints.append((send, f"send {number(found.to_send)}"))
    if can > 0:
        again = f"send failed images again; {number(can)} may work"
        hints.append((session.next_command("retry"), again))
    elif found.failed:
        hints.append((session.next_command("results", "--failed"), "why they failed before"))
    return hints


COMMAND = Command(
    plan,
    (
        "ldimport plan archive.csv",
        "ldimport plan archive.csv --show 3    three entries as they would be sent",
        "ldimport plan archive.csv --json",
    ),
    {
        0: "the plan stands, also with invalid rows",
        1: "with --exit-code: there is something to send",
        3: "the manifest cannot be read as one",
    },
    also=(2, 4, 5),
)
