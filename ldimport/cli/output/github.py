"""What GitHub Actions shows: annotations at the lines, a table in the step summary. It shows ten
errors a step and refuses a summary over 1,024 kB, so both are bounded."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ldimport.cli.output.check import pointer
from ldimport.cli.output.markdown import MOST_ROWS, cell, table
from ldimport.cli.output.screen import OUTCOMES
from ldimport.cli.output.text import environment_flag
from ldimport.harmless import spoken
from ldimport.migration.events import Summary
from ldimport.migration.validate import Validation
from ldimport.wording import clean, counted, number

MOST_ANNOTATIONS = 9


def active(environ: Mapping[str, str]) -> bool:
    """Whether this runs in GitHub Actions."""
    return environment_flag(environ, "GITHUB_ACTIONS")


def commands(found: Validation) -> Iterator[str]:
    """Workflow commands, one for each kind of problem, and one that counts the rest."""
    kinds = found.kinds  # errors first, the most frequent before
    for kind in kinds[:MOST_ANNOTATIONS]:
        place = kind.first
        facts = {"file": place.file, "line": place.line, "col": place.column}
        facts["title"] = f"{kind.code} ({counted(kind.rows, 'row')})"
        yield command(str(kind.severity), {key: value for key, value in facts.items() if value},
                      kind.message)  # fmt: skip
    if rest := kinds[MOST_ANNOTATIONS:]:
        hit = counted(sum(kind.rows for kind in rest), "row")
        text = f"and {number(len(rest))} more kinds of problem in {hit}: see the step summary"
        yield command("error", {"title": "ldimport"}, text)


def command(level: str, facts: Mapping[str, object], text: str) -> str:
    """One workflow command with everything escaped that could end it."""
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in facts.items())
    return f"::{level} {properties}::{_data(text)}"


def summary(found: Validation, name: str) -> str:
    """The findings as Markdown, for the step summary."""
    rows = f"{number(found.invalid)} of {counted(found.entries, 'row')}"
    head = f"### {cell(name)}\n\n{rows} have errors, {counted(found.warnings, 'warning')}\n\n"
    kinds = found.kinds
    if not kinds:
        return head
    columns = "rows:|problem|field|first at|message"
    said = (f"for example: {kind.message}" if kind.varied else kind.message for kind in kinds)
    pairs = zip(kinds, said, strict=True)
    listed = table(
        columns, ((k.rows, k.code, k.field, pointer(k.first), text) for k, text in pairs)
    )
    more = len(kinds) - MOST_ROWS
    return f"{head}{listed}" + (f"\nand {number(more)} more kinds\n" if more > 0 else "")


def run_summary(end: Summary) -> str:
    """Counts and causes of a run as Markdown, for the step summary."""
    name = end.plan.manifest if end.plan else counted(len(end.jobs), "job")
    sums = ((word, getattr(end.totals, field)) for field, (_, word) in OUTCOMES.items())
    text = f"### {cell(name)}\n\n{table('outcome|images:', sums)}"
    text += f"| **all** | {number(end.totals.rows)} |\n"
    if end.causes:
        causes = ((row.images, row.text, "yes" if row.retryable else "no") for row in end.causes)
        text += "\n" + table("failed:|reason|try again", causes)
    return f"{text}\nexit {int(end.exit_code)}\n"


def append_summary(environ: Mapping[str, str], text: str) -> None:
    """Add to the step summary, where there is one that can be written."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if active(environ) and path:
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _data(text: str) -> str:
    return spoken(clean(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
