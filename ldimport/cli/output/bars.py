"""Bars that stay true: nothing below one percent, full only when all is done."""

from __future__ import annotations

from ldimport.cli.output.screen import QUIET, Part


def bar(
    done: int, whole: int, width: int, *, style: str = "green", colour: bool = True
) -> list[Part]:
    """A bar of ``width`` columns, in halves of a column; its rest is dim (and blank without
    colour, since the two would look the same)."""
    if whole <= 0 or width <= 0:
        return [" " * max(0, width)]
    halves = min(2 * width, 2 * width * done // whole)
    if done and done * 100 >= whole:
        halves = max(1, halves)
    full, half = divmod(halves, 2)
    filled = "━" * full + ("╸" if half else "")
    rest = ("━" if colour else " ") * (width - len(filled))
    return [(filled, style), (rest, f"dim {QUIET}")]
