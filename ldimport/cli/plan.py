"""``ldimport plan``: what a submit would send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli import options
from ldimport.cli.output import check, documents
from ldimport.cli.output.screen import Count
from ldimport.cli.output.text import counted, number, size
from ldimport.cli.reading import Wanted, opened_source
from ldimport.cli.session import Session, tilde
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode
from ldimport.migration import SubmitOptions

if TYPE_CHECKING:
    from ldimport.migration.events import Plan
    from ldimport.settings import Settings
    from ldimport.targets.base import BatchLimits

MOST_ORIGINS = 4


def plan(
    context: typer.Context,
    paths: options.Paths,
    base_url: options.BaseUrl = None,
    lenient: options.Lenient = False,
    strict: options.Strict = False,
    maps: options.Map = None,
    sets: options.Set = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="as if unchanged images were sent again too")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="exit 1 when there is something to send")
    ] = False,
) -> ExitCode:
    """Show what a submit would send, in how many batches. Nothing is sent."""
    session = Session.of(context)
    settings = session.settings(paths)
    wanted = Wanted(maps, sets, encoding, delimiter, lenient, strict)
    with (
        session.target(settings) as (target, config),
        opened_source(session, settings, config, paths, wanted) as source,
        session.migration(settings, target, write=False) as migration,
    ):
        found, checked = migration.plan(source, SubmitOptions(resend=resend))
        if session.options.json:
            session.document({"format": documents.FORMAT, **documents.plan(found)})
        else:
            _show(session, settings, found, target.limits)
            check.notices(session.notes, checked)
            check.identity(session.notes, checked)
    return ExitCode.FAILURES if exit_code and found.to_send else ExitCode.OK


def _show(session: Session, settings: Settings, found: Plan, limits: BatchLimits) -> None:
    screen = session.screen
    place = tilde(settings.engine) if settings.embedded else settings.target
    screen.line((found.manifest, "bold"), f" → {found.target}  {place} · systemName "
                f"{found.system_name}", indent=2)  # fmt: skip
    screen.blank()
    rows = [
        Count("+", "new", found.new, "will be imported" if found.new else "", "green"),
        Count("~", "changed", found.changed, "were edited since they were sent"
              if found.changed else "", "yellow"),
        Count("=", "unchanged", found.unchanged, "will not be sent" if found.unchanged else ""),
    ]  # fmt: skip
    if found.failed:
        rows.append(Count("✗", "failed", found.failed, "before: ldimport retry sends them", "red"))
    if found.in_progress:
        rows.append(Count("…", "in progress", found.in_progress, "in jobs that are open", "blue"))
    invalid = "have errors" if found.invalid else ""
    rows.append(Count("!", "invalid", found.invalid, invalid, "red" if found.invalid else ""))
    screen.counts(rows, ("rows", found.entries))
    screen.blank()
    if found.to_send:
        facts = {"batches": f"{number(found.batches)} of at most {counted(limits.images, 'image')}"
                 f" and {size(limits.bytes)}"}  # fmt: skip
        facts["origins"] = _origins(found)
        screen.facts(facts)
    screen.hints(_hints(session, found))


def _origins(found: Plan) -> str:
    ordered = sorted(found.sources.items(), key=lambda each: -each[1])
    shown = [f"{host or 'local files'} {number(count)}" for host, count in ordered[:MOST_ORIGINS]]
    rest = sum(count for _, count in ordered[MOST_ORIGINS:])
    if rest:
        shown.append(f"{len(ordered) - MOST_ORIGINS} more {number(rest)}")
    return " · ".join(shown)


def _hints(session: Session, found: Plan) -> list[tuple[str, str]]:
    words = session.arguments
    hints = []
    if found.invalid:
        hints.append((f"ldimport validate {words}", "what is wrong with the invalid rows"))
    if found.to_send:
        valid_only = " --valid-only" if found.invalid else ""
        hints.append((f"ldimport submit {words}{valid_only}", f"send {number(found.to_send)}"))
    if found.failed:
        hints.append(("ldimport retry", f"send the {number(found.failed)} that failed before"))
    return hints


COMMAND = Command(
    "plan",
    plan,
    ("ldimport plan archive.csv", "ldimport plan archive.csv --json"),
    {
        ExitCode.OK: "the plan stands, also with invalid rows",
        ExitCode.FAILURES: "with --exit-code: there is something to send",
        ExitCode.USAGE: "",
        ExitCode.INVALID: "the manifest cannot be read as one",
        ExitCode.CONFIG: "",
        ExitCode.TEMPORARY: "",
    },
)
