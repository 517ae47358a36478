"""Tables that never cut a number: named columns may shrink, others are dropped in a stated order
(ux.md 0.2). Rich's own table would print 7,990 as ``7…``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.cli.output.screen import ACCENT, Part, Screen
from ldimport.cli.output.text import cells, clean, cut

GAP = 2
_NARROWEST = 16

Cell = str | tuple[str, ...]
"""Text, or several items of which as many are shown as fit."""


@dataclass(frozen=True, slots=True)
class Column:
    """``right`` aligns numbers. Where space is short, columns with ``shrink`` above 0 lose
    characters, the highest first; then columns with ``drop`` above 0 are left out, the highest
    first."""

    name: str
    right: bool = False
    shrink: int = 0
    drop: int = 0
    style: str = ""


def table(screen: Screen, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table with its header."""
    texts = [[_whole(cell) for cell in row] for row in rows]
    widths = [
        max([cells(column.name), *(cells(row[n]) for row in texts)])
        for n, column in enumerate(columns)
    ]
    least = [_least(column, [row[n] for row in rows]) for n, column in enumerate(columns)]
    shown, widths = _fit(columns, widths, least, screen.width)
    header: list[Part] = [(_header(columns, shown, widths), ACCENT)]
    screen.verbatim(*header)
    for row in rows:
        screen.verbatim(*_row(columns, shown, widths, row))


def _whole(cell: Cell) -> str:
    return clean(cell) if isinstance(cell, str) else " · ".join(clean(item) for item in cell)


def _least(column: Column, found: Sequence[Cell]) -> int:
    """How narrow a column may become: its name and, of items, the first one whole."""
    items = [cells(clean(cell[0])) + 2 for cell in found if isinstance(cell, tuple) and cell]
    return max([cells(column.name), *items, *([] if items else [_NARROWEST])])


def _fit(
    columns: Sequence[Column], widths: list[int], least: list[int], most: int | None
) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide each is."""
    shown = list(range(len(columns)))
    if most is None:
        return shown, widths
    while True:
        fitted = _shrunk(columns, shown, widths, least, most)
        droppable = [n for n in shown if columns[n].drop]
        if fitted is not None or not droppable:
            return shown, fitted or widths
        shown.remove(max(droppable, key=lambda n: columns[n].drop))


def _shrunk(
    columns: Sequence[Column], shown: list[int], widths: list[int], least: list[int], most: int
) -> list[int] | None:
    """Widths that fit, or None when no shrinking is enough."""
    widths = list(widths)
    over = sum(widths[n] for n in shown) + GAP * (len(shown) - 1) - most
    for n in sorted((n for n in shown if columns[n].shrink), key=lambda n: -columns[n].shrink):
        given = max(0, min(over, widths[n] - least[n]))
        widths[n] -= given
        over -= given
    return None if over > 0 else widths


def _header(columns: Sequence[Column], shown: list[int], widths: list[int]) -> str:
    names = (_padded(columns[n].name, widths[n], columns[n].right) for n in shown)
    return (" " * GAP).join(names)


def _row(
    columns: Sequence[Column], shown: list[int], widths: list[int], row: Sequence[Cell]
) -> list[Part]:
    parts: list[Part] = []
    for n in shown:
        text = _padded(_shortened(row[n], widths[n]), widths[n], columns[n].right)
        parts += [(text, columns[n].style), " " * GAP]
    return parts[:-1]


def _shortened(cell: Cell, width: int) -> str:
    text = _whole(cell)
    if cells(text) <= width:
        return text
    if isinstance(cell, tuple):
        return _items(cell, width)
    return cut(text, width)


def _items(items: Sequence[str], width: int) -> str:
    """As many whole items as fit, and a mark that there are more."""
    text = ""
    for item in items:
        longer = f"{text} · {clean(item)}" if text else clean(item)
        if cells(longer) + 2 > width:
            break
        text = longer
    if text:
        return f"{text} …"
    return _shortened(clean(items[0]), width)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks
