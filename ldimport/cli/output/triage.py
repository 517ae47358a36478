"""Failed images sorted: which are sent again, which are left, and why."""

from __future__ import annotations

from collections.abc import Sequence

from ldimport.cli.output.screen import Screen, TableColumn, table
from ldimport.cli.output.text import counted, number
from ldimport.migration.model import RetryGroup

COLUMNS = (
    TableColumn("FAILED", right=True), TableColumn("REASON", shrink=True), TableColumn("NOW"),
)  # fmt: skip
MOST_GROUPS = 12


def split(screen: Screen, groups: Sequence[RetryGroup]) -> None:
    """A row for each cause and what becomes of its images."""
    rows = [
        (number(images), each.cause.text, now)
        for each in groups
        for images, now in (
            (each.sent, "✓ send again"),
            (each.stuck, "left: needs a change; --all sends it"),
            (each.left - each.stuck, "left: not asked for"),
        )
        if images
    ]
    table(screen, COLUMNS, rows[:MOST_GROUPS])
    if (rest := len(rows) - MOST_GROUPS) > 0:
        screen.line(f"and {counted(rest, 'more kind')}")
