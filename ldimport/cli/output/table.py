"""Tables that never cut a number: columns that may shrink do so, others are dropped in a stated
order. Rich's own cells would print 7,990 as ``7…``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.cli.output.screen import ACCENT, Screen
from ldimport.cli.output.text import cells, clean, cut

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod
    from rich.measure import Measurement
    from rich.text import Text

GAP = 2
_NARROWEST = 16

CellText = str | tuple[str, ...]
"""Text, or several items of which as many are shown as fit."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """``right`` aligns numbers. Where space is short, columns that ``shrink`` lose characters,
    the last first; then columns with ``drop`` above 0 are left out, the highest first."""

    name: str
    right: bool = False
    shrink: bool = False
    drop: int = 0


def table(
    screen: Screen, columns: Sequence[TableColumn], rows: Sequence[Sequence[CellText]]
) -> None:
    """Print a table with its header."""
    from rich.table import Table

    widths = [
        max([cells(column.name), *(cells(_whole(row[n])) for row in rows)])
        for n, column in enumerate(columns)
    ]
    shown, shrunk = _fitting(columns, widths, screen.width)
    drawn = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style=ACCENT)
    for n in shown:
        justify: JustifyMethod = "right" if columns[n].right else "left"
        drawn.add_column(columns[n].name, justify=justify, no_wrap=n not in shrunk)
    for row in rows:
        drawn.add_row(*(_Cell(row[n]) for n in shown))
    screen.block(drawn)


def _fitting(
    columns: Sequence[TableColumn], widths: Sequence[int], most: int | None
) -> tuple[list[int], set[int]]:
    """Which columns are shown, and which of them have to shrink."""
    shown, shrunk = list(range(len(columns))), set[int]()

    def over() -> bool:
        least = [min(_NARROWEST, widths[n]) if n in shrunk else widths[n] for n in shown]
        return most is not None and sum(least) + GAP * (len(least) - 1) > most

    for n in reversed(shown):
        if columns[n].shrink and over():
            shrunk.add(n)
    while over():
        last = max(shown, key=lambda n: columns[n].drop)
        if not columns[last].drop:
            break
        shown.remove(last)
    return shown, shrunk


class _Cell:
    """One cell for Rich: as much of it as fits, and never a part of a number."""

    def __init__(self, content: CellText) -> None:
        self._items = (content,) if isinstance(content, str) else content
        self._text = _whole(content)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement(1, cells(self._text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        yield Text(self._fitting(options.max_width), no_wrap=True, overflow="crop")

    def _fitting(self, width: int) -> str:
        if cells(self._text) <= width:
            return self._text
        for count in range(len(self._items) - 1, 0, -1):
            text = f"{_whole(self._items[:count])} …"
            if cells(text) <= width:
                return text
        return cut(clean(self._items[0]), width)


def _whole(content: CellText) -> str:
    items = (content,) if isinstance(content, str) else content
    return " · ".join(map(clean, items))
