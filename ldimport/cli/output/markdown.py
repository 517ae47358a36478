"""Markdown for step summaries and tickets: tables that no outside text can break."""

from collections.abc import Iterable, Sequence
from itertools import islice

from ldimport.wording import clean, number

MOST_ROWS = 200
MOST_CHARACTERS = 300
"""Of a cell."""


def table(columns: str, rows: Iterable[Sequence[str | int]], most: int = MOST_ROWS) -> str:
    """The first ``most`` rows as a table; columns that end in a colon are aligned to the right."""
    names = columns.split("|")
    lines = [" | ".join(name.removesuffix(":") for name in names)]
    lines.append("|".join("---:" if name.endswith(":") else "---" for name in names))
    for row in islice(rows, most):
        cells = (number(each) if isinstance(each, int) else cell(each) for each in row)
        lines.append(" | ".join(cells))
    return "".join(f"|{line}|\n" if line.startswith("---") else f"| {line} |\n" for line in lines)


def cell(text: str) -> str:
    """Text for one cell of a Markdown table: no markup, no HTML, no line break."""
    harmless = (
        clean(text)[:MOST_CHARACTERS]
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )
    for sign in "\\`*_[]|~":
        harmless = harmless.replace(sign, f"\\{sign}")
    return harmless
