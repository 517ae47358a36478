"""Tables that never cut a number: one named column may shrink, others are dropped in a stated
order (ux.md 0.2). Rich's own table would print 7,990 as ``7…``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.cli.output.screen import ACCENT, Part, Screen
from ldimport.cli.output.text import cells, clean, cut

GAP = 2
_NARROWEST = 8

Cell = str | tuple[str, ...]
"""Text, or several items of which as many are shown as fit."""


@dataclass(frozen=True, slots=True)
class Column:
    """``right`` aligns numbers; ``shrink`` marks the one column that may lose characters;
    columns with a ``drop`` above 0 are left out where space is short, the highest first."""

    name: str
    right: bool = False
    shrink: bool = False
    drop: int = 0
    style: str = ""


def table(screen: Screen, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table with its header."""
    texts = [[_whole(cell) for cell in row] for row in rows]
    widths = [
        max([cells(column.name), *(cells(row[n]) for row in texts)])
        for n, column in enumerate(columns)
    ]
    shown, widths = _fit(columns, widths, screen.width)
    header: list[Part] = [(_header(columns, shown, widths), ACCENT)]
    screen.verbatim(*header)
    for row in rows:
        screen.verbatim(*_row(columns, shown, widths, row))


def _whole(cell: Cell) -> str:
    return clean(cell) if isinstance(cell, str) else " · ".join(clean(item) for item in cell)


def _fit(
    columns: Sequence[Column], widths: list[int], most: int | None
) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide each is."""
    shown = list(range(len(columns)))
    widths = list(widths)
    if most is None:
        return shown, widths
    shrinking = next((n for n, column in enumerate(columns) if column.shrink), None)
    while True:
        over = sum(widths[n] for n in shown) + GAP * (len(shown) - 1) - most
        if over <= 0:
            break
        if shrinking in shown and shrinking is not None:
            least = min(widths[shrinking], max(_NARROWEST, len(columns[shrinking].name)))
            if widths[shrinking] - over >= least:
                widths[shrinking] -= over
                break
        droppable = [n for n in shown if columns[n].drop]
        if not droppable:
            if shrinking is not None:
                widths[shrinking] = max(1, widths[shrinking] - over)
            break
        shown.remove(max(droppable, key=lambda n: columns[n].drop))
    return shown, widths


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
