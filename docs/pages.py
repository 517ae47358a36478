"""What the scripts beside it have in common: pages are written, or checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import unified_diff
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_or_check(renewed: Callable[[str], str], pages: Sequence[str], command: str) -> int:
    """Write each page that is out of date, or with ``--check`` among the arguments only show how
    it differs; the exit code is then 1. Pages that are named as arguments are looked at alone.

    ``renewed``: from the name of a page, below the root, to its text as it should be.
    """
    arguments = sys.argv[1:]
    check = "--check" in arguments
    stale = 0
    for page in [each for each in arguments if each != "--check"] or pages:
        path = ROOT / page
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = renewed(page)
        if before == after:
            continue
        stale += 1
        differs = unified_diff(before.splitlines(True), after.splitlines(True), page, "now")
        sys.stdout.writelines(differs if check else [f"wrote {page}\n"])
        if not check:
            path.write_text(after, encoding="utf-8")
    if check and stale:
        print(f"out of date; {command} writes it anew")
    return int(check and stale > 0)
