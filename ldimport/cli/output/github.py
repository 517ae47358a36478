"""What GitHub Actions shows: annotations at the lines, a table in the step summary.

GitHub shows ten errors a step and refuses a summary over 1,024 kB, so there is one annotation
for each kind of problem, and the summary is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.output.check import pointer
from ldimport.cli.output.screen import OUTCOMES
from ldimport.cli.output.text import clean, counted, environment_flag, number
from ldimport.model import Severity

if TYPE_CHECKING:
    from ldimport.migration.events import Summary
    from ldimport.migration.validate import FindingGroup, Validation

MOST_ANNOTATIONS = 9
MOST_SUMMARY_ROWS = 200


def active(environ: Mapping[str, str]) -> bool:
    """Whether this runs in GitHub Actions."""
    return environment_flag(environ, "GITHUB_ACTIONS")


def commands(found: Validation) -> Iterator[str]:
    """Workflow commands, one for each kind of problem, and one that counts the rest."""
    kinds = _ordered(found)
    for kind in kinds[:MOST_ANNOTATIONS]:
        place = kind.first
        facts = {"file": place.file, "line": place.line, "col": place.column}
        facts["title"] = f"{kind.code} ({counted(kind.rows, 'row')})"
        yield command(str(kind.severity), {key: value for key, value in facts.items() if value},
                      kind.message)  # fmt: skip
    rest = kinds[MOST_ANNOTATIONS:]
    if rest:
        hit = counted(sum(kind.rows for kind in rest), "row")
        text = f"and {number(len(rest))} more kinds of problem in {hit}: see the step summary"
        yield command("error", {"title": "ldimport"}, text)


def command(level: str, facts: Mapping[str, object], text: str) -> str:
    """One workflow command with everything escaped that could end it."""
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in facts.items())
    return f"::{level} {properties}::{_data(text)}"


def summary(found: Validation, name: str) -> str:
    """The findings as Markdown, for the step summary."""
    head = f"### {_cell(name)}\n\n{number(found.invalid)} of {counted(found.entries, 'row')} "
    head += f"have errors, {counted(found.warnings, 'warning')}\n\n"
    kinds = _ordered(found)
    if not kinds:
        return head
    lines = ["| rows | problem | field | first at | message |", "|---:|---|---|---|---|"]
    for kind in kinds[:MOST_SUMMARY_ROWS]:
        cells = [number(kind.rows), kind.code, kind.field, pointer(kind.first), kind.message]
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    if len(kinds) > MOST_SUMMARY_ROWS:
        lines.append(f"\nand {number(len(kinds) - MOST_SUMMARY_ROWS)} more kinds")
    return head + "\n".join(lines) + "\n"


def run_summary(end: Summary) -> str:
    """Counts and causes of a run as Markdown, for the step summary."""
    name = end.plan.manifest if end.plan else counted(len(end.jobs), "job")
    lines = [f"### {_cell(name)}", "", "| outcome | images |", "|---|---:|"]
    for field, (_, word) in OUTCOMES.items():
        lines.append(f"| {word} | {number(getattr(end.totals, field))} |")
    lines.append(f"| **all** | {number(end.totals.rows)} |")
    if end.causes:
        lines += ["", "| failed | reason | try again |", "|---:|---|---|"]
    for row in end.causes[:MOST_SUMMARY_ROWS]:
        again = "yes" if row.retryable else "no"
        lines.append(f"| {number(row.images)} | {_cell(row.reason)} | {again} |")
    return "\n".join(lines) + f"\n\nexit {int(end.exit_code)}\n"


def append_summary(environ: Mapping[str, str], text: str) -> None:
    """Add to the step summary, where there is one; one that cannot be written is no reason to
    fail."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if active(environ) and path:
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _ordered(found: Validation) -> Sequence[FindingGroup]:
    return sorted(found.kinds, key=lambda kind: (kind.severity is not Severity.ERROR, -kind.rows))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table: no markup, no HTML, no line break."""
    harmless = clean(text)[:300].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\`*_[]|~":
        harmless = harmless.replace(sign, f"\\{sign}")
    return harmless
