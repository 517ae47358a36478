"""Failed images sorted: which are sent again, which are left, and why; and what a canary tells."""

from __future__ import annotations

from collections.abc import Sequence

from ldimport.cli.output.screen import Screen, TableColumn, table
from ldimport.migration.events import CanaryEnded
from ldimport.migration.model import RetryGroup
from ldimport.wording import counted, number, percent

COLUMNS = (
    TableColumn("FAILED", right=True), TableColumn("REASON", shrink=True), TableColumn("NOW"),
)  # fmt: skip
MOST_GROUPS = 12


def split(screen: Screen, groups: Sequence[RetryGroup]) -> None:
    """A row for each cause and what becomes of its images."""
    rows = [
        (number(images), each.cause.text, now)
        for each in sorted(groups, key=lambda group: not group.sent)
        for images, now in (
            (each.sent, "✓ send again"),
            (each.stuck, "left: --all sends these too"),
            (each.left - each.stuck, "left: not asked for"),
        )
        if images
    ]
    table(screen, COLUMNS, rows[:MOST_GROUPS])
    if (rest := len(rows) - MOST_GROUPS) > 0:
        screen.line(f"and {counted(rest, 'more kind')}")


def canary_text(found: CanaryEnded) -> str:
    """How the first images ended, for what most failed, and whether the run goes on."""
    sums = found.totals
    failed = sums.failed + sums.unsubmitted
    text = f"canary: {number(sums.rows - failed)} of {counted(sums.rows, 'image')} arrived"
    if failed:
        text += f", {number(failed)} failed ({percent(failed, sums.rows)})"
    if found.causes:
        text += ": " + ", ".join(f"{number(row.images)} {row.text}" for row in found.causes[:3])
    on = "going on" if found.passed else "the others are not sent"
    return f"{text}; --max-failures {found.limit}: {on}"
