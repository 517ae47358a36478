"""Entries as they would be sent, beside the rows they are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.screen import ACCENT, QUIET, STYLES, Screen, assemble
from ldimport.cli.output.text import cells
from ldimport.model import Json
from ldimport.wording import clean, number

if TYPE_CHECKING:
    from ldimport.migration.plan import Preview

WORDS = {
    "new": ("+", "new"),
    "changed": ("~", "changed"),
    "unchanged": ("=", "unchanged, will not be sent"),
    "failed": ("✗", "failed before; retry sends it"),
    "retried": ("↻", "failed before for a passing cause, is tried again"),
    "waived": ("–", "failed before; its failure was waived"),
    "in_progress": ("…", "in a job that is open"),
    "invalid": ("!", "has errors, will not be sent"),
}
_INDENT = 2


def show(screen: Screen, found: Preview) -> None:
    """One entry: what it is, its body as JSON beside its cells, and what is wrong with it."""
    sign, word = WORDS[found.word]
    if found.changes:
        word += f": {', '.join(found.changes)}"
    place = f"  row {number(found.row)}" + (f", line {number(found.line)}" if found.line else "")
    screen.line((found.id or "(no id)", ACCENT), place, (f"  {sign} {word}", STYLES.get(sign, "")))
    left = [] if found.body is None else _body(found.body)
    right = [f"{name}: {_cell(value)}" for name, value in found.original.items()]
    _beside(screen, left, right)
    for problem in found.problems:
        screen.say("✗" if problem.severity == "error" else "!", problem.message)
        if problem.hint:
            screen.line("  → ", problem.hint, indent=4)


def document(found: Preview) -> Document:
    """The same for scripts."""
    problems = [
        {"severity": each.severity, "code": each.code, "field": each.field,
         "message": each.message, "hint": each.hint}
        for each in found.problems
    ]  # fmt: skip
    shown = fields_of(found, "word problems original changes")
    return {
        **shown, "verdict": found.word, "changed": list(found.changes),
        "original": dict(found.original), "problems": problems,
    }  # fmt: skip


def _body(body: Json) -> list[str]:
    """Its JSON in the order that people read it in, a line for each field."""
    order = ("id", "url", "fileName", "mediaType", "metadata")
    known = body if isinstance(body, Mapping) else {}
    sorted_ = {name: known[name] for name in order if name in known}
    return json.dumps(sorted_, ensure_ascii=False, indent=_INDENT).splitlines()


def _cell(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _beside(screen: Screen, left: list[str], right: list[str]) -> None:
    """Two columns that wrap; one below the other where no terminal is."""
    heads = ("as it is sent" if left else "not sent", "in the manifest")
    width = screen.width
    if width is None:
        for head, lines in zip(heads, (left, right), strict=True):
            screen.line(f"  {head}:")
            for line in lines:
                screen.line("    ", line)
        return
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    room = width - 2 * _INDENT
    longest = max(map(cells, map(clean, (*left, heads[0]))))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=min(longest, room * 3 // 5) if left else len(heads[0]), overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_row(*(assemble((head, QUIET)) for head in heads))
    grid.add_row(*(Text("\n").join(map(assemble, lines)) for lines in (left, right)))
    screen.block(Padding(grid, (0, 0, 0, _INDENT)))
