"""``ldimport plan``: what a submit would send."""

from dataclasses import replace

from ldimport.cli.command import Command
from ldimport.cli.options import ReadingOptions
from ldimport.cli.output import check, documents
from ldimport.cli.output.screen import ACCENT, Count, Hint
from ldimport.cli.output.text import counted, number, size
from ldimport.cli.session import Session, tilde
from ldimport.errors import ExitCode
from ldimport.manifest.manifest import STDIN
from ldimport.migration import SubmitOptions
from ldimport.migration.events import Plan
from ldimport.migration.model import Filter
from ldimport.targets.base import BatchLimits

MOST_ORIGINS = 4


def plan(
    session: Session,
    resend: bool = False,
    exit_code: bool = False,
    *,
    reading: ReadingOptions,
) -> ExitCode:
    """Show what a submit would send, in how many batches. Nothing is sent."""
    with (
        session.target() as target,
        session.source(session.project_config(target), reading) as source,
        session.migration(target, write=False) as migration,
    ):
        found, checked = migration.plan(source, SubmitOptions(resend=resend))
        if session.options.json:
            session.document({"format": documents.FORMAT, **documents.plan(found)})
        else:
            failed = Filter(target=target.identity, system_name=found.system_name)
            causes = migration.causes(failed) if found.failed else ()
            can = sum(row.images for row in causes if row.retryable)
            _show(session, found, target.limits, min(can, found.failed))
            check.notices(session.notes, checked)
            check.identity(session.notes, checked)
    return ExitCode.FAILURES if exit_code and found.to_send else ExitCode.OK


def _show(session: Session, found: Plan, limits: BatchLimits, can: int) -> None:
    """The whole screen; ``can``: so many that failed may work as they are."""
    screen, settings = session.screen, session.settings
    place = tilde(settings.engine) if settings.embedded else settings.target
    screen.line((found.manifest, ACCENT), f" → {found.target}  {place} · systemName "
                f"{found.system_name}", indent=2)  # fmt: skip
    screen.blank()
    screen.counts(_counts(found), ("rows", found.entries))
    screen.blank()
    if found.to_send:
        facts = {"batches": f"{number(found.batches)} of at most {counted(limits.images, 'image')}"
                 f" and {size(limits.bytes)}"}  # fmt: skip
        facts["origins"] = _origins(found)
        screen.facts(facts)
    screen.hints(_hints(session, found, can))


def _counts(found: Plan) -> list[Count]:
    """What becomes of the rows; some only where there are any."""
    rows = [
        ("+", "new", found.new, "will be imported"),
        ("~", "changed", found.changed, "were edited since they were sent"),
        ("=", "unchanged", found.unchanged, "will not be sent"),
        ("✗", "failed", found.failed, "before: ldimport retry sends them"),
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
    words = session.arguments
    hints = []
    if STDIN in session.paths:  # what came that way is gone
        found = replace(found, invalid=0, new=0, changed=0)
    if found.invalid:
        hints.append((f"ldimport validate {words}", "what is wrong with the invalid rows"))
    if found.to_send:
        valid_only = " --valid-only" if found.invalid else ""
        hints.append((f"ldimport submit {words}{valid_only}", f"send {number(found.to_send)}"))
    if can:
        hints.append(("ldimport retry", f"send failed images again; {number(can)} may work"))
    elif found.failed:
        hints.append(("ldimport results --failed", "why they failed before"))
    return hints


COMMAND = Command(
    plan,
    ("ldimport plan archive.csv", "ldimport plan archive.csv --json"),
    {
        0: "the plan stands, also with invalid rows",
        1: "with --exit-code: there is something to send",
        3: "the manifest cannot be read as one",
    },
    also=(2, 4, 5),
)
