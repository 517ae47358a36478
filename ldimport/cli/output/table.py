"""Tables that never cut a number: columns that may shrink do so, others are dropped in a stated
order. Rich's own cells would print 7,990 as ``7…``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.cli.output.screen import ACCENT, Screen
from ldimport.cli.output.text import cells, clean, cut

if TYPE_CHECKING:
    from rich.console import JustifyMethod
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

    widths = _fitting(columns, rows, screen.width)
    whole = sum(widths.values()) + GAP * (len(widths) - 1)
    drawn = Table(
        width=whole, box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style=ACCENT
    )
    for n, width in widths.items():
        justify: JustifyMethod = "right" if columns[n].right else "left"
        drawn.add_column(columns[n].name, justify=justify, no_wrap=True, width=width)
    for row in rows:
        drawn.add_row(*(shortened(row[n], width) for n, width in widths.items()))
    screen.block(drawn)


def _fitting(
    columns: Sequence[TableColumn], rows: Sequence[Sequence[CellText]], most: int | None
) -> dict[int, int]:
    """Which columns are shown, and how wide each is."""
    widths = {
        n: max([cells(column.name), *(cells(_whole(row[n])) for row in rows)])
        for n, column in enumerate(columns)
    }

    def over() -> int:
        return 0 if most is None else sum(widths.values()) + GAP * (len(widths) - 1) - most

    for n in reversed(widths):
        if columns[n].shrink:
            least = min(_NARROWEST, widths[n])
            widths[n] = max(least, widths[n] - max(0, over()))
    while over() > 0:
        last = max(widths, key=lambda n: columns[n].drop)
        if not columns[last].drop:
            break
        del widths[last]
    return widths


def shortened(content: CellText, width: int) -> Text:
    """As much of a cell as fits: whole items where there are several, and never a part of a
    number."""
    from rich.text import Text

    items = (content,) if isinstance(content, str) else content
    text = _whole(items)
    for count in range(len(items) - 1, 0, -1):
        if cells(text) > width:
            text = f"{_whole(items[:count])} …"
    return Text(text if cells(text) <= width else cut(clean(items[0]), width))


def _whole(content: CellText) -> str:
    items = (content,) if isinstance(content, str) else content
    return " · ".join(map(clean, items))
