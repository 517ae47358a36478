"""Files that a check or a run leaves behind: lists of problems, rows, reports for CI systems. Here
is what they share: how they are fed, and how a problem is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.files import NewFile
from ldimport.model import Json, Problem

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation
    from ldimport.schema.check import Checked

COLUMNS = (
    "severity", "code", "file", "row", "line", "column", "id", "field", "message", "hint",
)  # fmt: skip


class Report:
    """A file fed row by row. ``every_row`` False: rows without problems are of no use to it."""

    every_row = False

    def __init__(self, path: Path, manifest: Manifest, file: NewFile | None = None) -> None:
        self.file = file or NewFile(path)
        self.manifest = manifest.name

    def add(self, checked: Checked) -> None:
        """Take note of one row."""
        for problem in checked.problems:
            self.problem(problem)

    def problem(self, problem: Problem) -> None:
        """Take note of one problem."""

    def finish(self, found: Validation) -> None:
        """Write what is left to write; ``found`` is the whole check. The file is committed by
        whoever made it."""

    def discard(self) -> None:
        """Remove what was written and is not committed."""
        self.file.discard()


def problem_document(found: Problem) -> dict[str, Json]:
    """One finding with its place, as JSON."""
    places = dict.fromkeys(("file", "row", "line", "column"), found.place)
    return {name: getattr(places.get(name, found), name) for name in (*COLUMNS, "publishing")}


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
