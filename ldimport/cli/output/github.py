"""What GitHub Actions shows: annotations at the lines, a table in the step summary. It shows ten
errors a step and refuses a summary over 1,024 kB, so both are bounded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ldimport.cli.output.check import pointer
from ldimport.cli.output.screen import OUTCOMES
from ldimport.cli.output.text import environment_flag
from ldimport.harmless import spoken
from ldimport.migration.events import Summary
from ldimport.migration.validate import Validation
from ldimport.wording import clean, counted, number

MOST_ANNOTATIONS = 9
MOST_SUMMARY_ROWS = 200


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
    head = f"### {_cell(name)}\n\n{rows} have errors, {counted(found.warnings, 'warning')}\n\n"
    kinds = found.kinds
    if not kinds:
        return head
    columns = "rows:|problem|field|first at|message"
    said = (f"for example: {kind.message}" if kind.varied else kind.message for kind in kinds)
    cells = zip(kinds, said, strict=True)
    table = _table(
        columns, ((k.rows, k.code, k.field, pointer(k.first), text) for k, text in cells)
    )
    more = len(kinds) - MOST_SUMMARY_ROWS
    return f"{head}{table}" + (f"\nand {number(more)} more kinds\n" if more > 0 else "")


def run_summary(end: Summary) -> str:
    """Counts and causes of a run as Markdown, for the step summary."""
    name = end.plan.manifest if end.plan else counted(len(end.jobs), "job")
    sums = ((word, getattr(end.totals, field)) for field, (_, word) in OUTCOMES.items())
    text = f"### {_cell(name)}\n\n{_table('outcome|images:', sums)}"
    text += f"| **all** | {number(end.totals.rows)} |\n"
    if end.causes:
        causes = ((row.images, row.text, "yes" if row.retryable else "no") for row in end.causes)
        text += "\n" + _table("failed:|reason|try again", causes)
    return f"{text}\nexit {int(end.exit_code)}\n"


def _table(columns: str, rows: Iterable[Sequence[str | int]]) -> str:
    """The first rows as a table; columns that end in a colon are aligned to the right."""
    names = columns.split("|")
    lines = [" | ".join(name.removesuffix(":") for name in names)]
    lines.append("|".join("---:" if name.endswith(":") else "---" for name in names))
    for row in islice(rows, MOST_SUMMARY_ROWS):
        cells = (number(cell) if isinstance(cell, int) else _cell(cell) for cell in row)
        lines.append(" | ".join(cells))
    return "".join(f"|{line}|\n" if line.startswith("---") else f"| {line} |\n" for line in lines)


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


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table: no markup, no HTML, no line break."""
    harmless = clean(text)[:300].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\`*_[]|~":
        harmless = harmless.replace(sign, f"\\{sign}")
    return harmless
